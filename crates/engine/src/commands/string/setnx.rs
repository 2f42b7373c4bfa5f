//! SETNX.

use crate::commands::prelude::*;

pub(super) const SETNX: Command = Command {
    handler: Handler::Shard(setnx),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::INSERT))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("value", ArgKind::String)],
        group: "string",
        since: "1.0.0",
        summary: "Set the value of a key, only if the key does not exist",
        complexity: "O(1)",
        ..Meta::new(
            "setnx",
            Arity::Exact(3),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::STRING,
        )
    },
}
.checked();

fn setnx(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let absent = cx.keys.peek(key).is_none();
    if absent {
        cx.keys.set_str(key, args.raw(2), Expiry::Clear);
        cx.keys.changed(EventClass::STRING, "set", key);
    }
    cx.reply.int(absent.into());
    DONE
}
