//! GETDEL.

use super::get::reply_value;
use crate::commands::prelude::*;

pub(super) const GETDEL: Command = Command {
    handler: Handler::Shard(getdel),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "string",
        since: "6.2.0",
        summary: "Get the value of a key and delete the key",
        complexity: "O(1)",
        ..Meta::new("getdel", Arity::Exact(2), Flags::WRITE.union(Flags::FAST), Acl::STRING)
    },
}
.checked();

fn getdel(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    reply_value(cx, key)?;
    let lazy = cx.settings.lazy_user_del;
    if cx.keys.unlink(key, lazy) {
        cx.keys.changed(EventClass::GENERIC, "del", key);
        cx.keys.replay_as(&[deletion(lazy), key]);
    }
    DONE
}
