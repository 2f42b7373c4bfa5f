//! GETSET.

use super::get::reply_value;
use crate::commands::prelude::*;

pub(super) const GETSET: Command = Command {
    handler: Handler::Shard(getset),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("value", ArgKind::String)],
        group: "string",
        since: "1.0.0",
        summary: "Set the string value of a key and return its old value",
        complexity: "O(1)",
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`SET` with the `!GET` argument",
        ..Meta::new(
            "getset",
            Arity::Exact(3),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::STRING,
        )
    },
}
.checked();

fn getset(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, value) = (args.raw(1), args.raw(2));
    reply_value(cx, key)?;
    cx.keys.set_str(key, value, Expiry::Clear);
    cx.keys.changed(EventClass::STRING, "set", key);
    cx.keys.replay_as(&[b"SET", key, value]);
    DONE
}
