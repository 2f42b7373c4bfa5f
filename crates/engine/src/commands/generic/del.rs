//! DEL and UNLINK.

use crate::commands::prelude::*;

pub(super) const DEL: Command = Command {
    handler: Handler::Shard(del),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RM.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple()],
        group: "generic", since: "1.0.0",
        summary: "Delete a key",
        complexity: "O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..Meta::new("del", Arity::AtLeast(2), Flags::WRITE, Acl::KEYSPACE)
    },
}
.checked();

pub(super) const UNLINK: Command = Command {
    handler: Handler::Shard(unlink),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RM.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple()],
        group: "generic", since: "4.0.0",
        summary: "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.",
        complexity: "O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..Meta::new("unlink", Arity::AtLeast(2), Flags::WRITE.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

fn del(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let lazy = cx.settings.lazy_user_del;
    remove_all(cx, args, lazy)
}

fn unlink(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    remove_all(cx, args, true)
}

fn remove_all(cx: &mut Ctx<'_>, args: Args<'_>, lazy: bool) -> CmdResult {
    let mut removed = 0;
    for key in args.from(1) {
        if cx.keys.unlink(key, lazy) {
            cx.keys.changed(EventClass::GENERIC, "del", key);
            removed += 1;
        }
    }
    cx.reply.int(removed);
    DONE
}
