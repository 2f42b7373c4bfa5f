//! ZREMRANGEBYRANK, ZREMRANGEBYSCORE and ZREMRANGEBYLEX.

use super::range::{By, RangeQuery};
use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const ZREMRANGEBYRANK: Command = Command {
    handler: Handler::Shard(zremrangebyrank),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("start", ArgKind::Int), Arg::new("stop", ArgKind::Int)],
        group: "sorted-set", since: "2.0.0",
        summary: "Remove all members in a sorted set within the given indexes",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        ..Meta::new("zremrangebyrank", Arity::Exact(4), Flags::WRITE, Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZREMRANGEBYSCORE: Command = Command {
    handler: Handler::Shard(zremrangebyscore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double)],
        group: "sorted-set", since: "1.2.0",
        summary: "Remove all members in a sorted set within the given scores",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        ..Meta::new("zremrangebyscore", Arity::Exact(4), Flags::WRITE, Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZREMRANGEBYLEX: Command = Command {
    handler: Handler::Shard(zremrangebylex),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String)],
        group: "sorted-set", since: "2.8.9",
        summary: "Remove all members in a sorted set between the given lexicographical range",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        ..Meta::new("zremrangebylex", Arity::Exact(4), Flags::WRITE, Acl::SORTEDSET)
    },
}
.checked();

fn zremrangebyrank(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    remove_range(cx, args, By::Rank, "zremrangebyrank")
}

fn zremrangebyscore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    remove_range(cx, args, By::Score, "zremrangebyscore")
}

fn zremrangebylex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    remove_range(cx, args, By::Lex, "zremrangebylex")
}

fn remove_range(cx: &mut Ctx<'_>, args: Args<'_>, by: By, event: &'static str) -> CmdResult {
    let key = args.raw(1);
    let query = RangeQuery::whole(args, by)?;
    let Some(set) = cx.keys.write_as::<SortedSet>(key)? else {
        cx.reply.int(0);
        return DONE;
    };
    let removed = set.remove_ranks(query.ranks(set), |_, _| {});
    let drained = set.is_empty();
    if removed > 0 {
        cx.keys.shrunk(EventClass::SORTED_SET, event, key, drained);
    }
    cx.reply.count(removed);
    DONE
}
