//! EXISTS and TOUCH.

use crate::commands::prelude::*;

pub(super) const EXISTS: Command = Command {
    handler: Handler::Shard(exists),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple()],
        group: "generic",
        since: "1.0.0",
        summary: "Determine if a key exists",
        complexity: "O(N) where N is the number of keys to check.",
        history: &[("3.0.3", "Accepts multiple `key` arguments.")],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..Meta::new("exists", Arity::AtLeast(2), Flags::READONLY.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

pub(super) const TOUCH: Command = Command {
    handler: Handler::Shard(touch),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple()],
        group: "generic",
        since: "3.2.1",
        summary: "Alters the last access time of a key(s). Returns the number of existing keys specified.",
        complexity: "O(N) where N is the number of keys that will be touched.",
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        ..Meta::new("touch", Arity::AtLeast(2), Flags::READONLY.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

fn exists(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let found = args.from(1).iter().filter(|key| cx.keys.exists(key)).count();
    cx.reply.count(found);
    DONE
}

fn touch(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let found = args.from(1).iter().filter(|key| cx.keys.read(key).is_some()).count();
    cx.reply.count(found);
    DONE
}
