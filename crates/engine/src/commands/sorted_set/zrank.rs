//! ZRANK and ZREVRANK.

use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const ZRANK: Command = Command {
    handler: Handler::Shard(zrank),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String)],
        group: "sorted-set",
        since: "2.0.0",
        summary: "Determine the index of a member in a sorted set",
        complexity: "O(log(N))",
        ..Meta::new("zrank", Arity::Exact(3), Flags::READONLY.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZREVRANK: Command = Command {
    handler: Handler::Shard(zrevrank),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String)],
        group: "sorted-set",
        since: "2.0.0",
        summary: "Determine the index of a member in a sorted set, with scores ordered from high to low",
        complexity: "O(log(N))",
        ..Meta::new("zrevrank", Arity::Exact(3), Flags::READONLY.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

fn zrank(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    rank(cx, args, false)
}

fn zrevrank(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    rank(cx, args, true)
}

fn rank(cx: &mut Ctx<'_>, args: Args<'_>, reverse: bool) -> CmdResult {
    match cx.keys.read_as::<SortedSet>(args.raw(1))?.and_then(|set| set.rank(args.raw(2), reverse)) {
        Some((rank, _)) => cx.reply.count(rank),
        None => cx.reply.null(),
    }
    DONE
}
