//! PERSIST.

use crate::commands::prelude::*;

pub(super) const PERSIST: Command = Command {
    handler: Handler::Shard(persist),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic",
        since: "2.2.0",
        summary: "Remove the expiration from a key",
        complexity: "O(1)",
        ..Meta::new("persist", Arity::Exact(2), Flags::WRITE.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

fn persist(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let expires = cx.keys.peek(key).is_some_and(|entry| entry.expiry_ms().is_some());
    if expires {
        cx.keys.set_expiry(key, None);
        cx.keys.changed(EventClass::GENERIC, "persist", key);
    }
    cx.reply.int(expires.into());
    DONE
}
