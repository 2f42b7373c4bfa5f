//! ZCOUNT and ZLEXCOUNT.

use super::range::{lex_range, score_range};
use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const ZCOUNT: Command = Command {
    handler: Handler::Shard(zcount),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("min", ArgKind::Double),
            Arg::new("max", ArgKind::Double),
        ],
        group: "sorted-set",
        since: "2.0.0",
        summary: "Count the members in a sorted set with scores within the given values",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        ..Meta::new("zcount", Arity::Exact(4), Flags::READONLY.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZLEXCOUNT: Command = Command {
    handler: Handler::Shard(zlexcount),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("min", ArgKind::String),
            Arg::new("max", ArgKind::String),
        ],
        group: "sorted-set",
        since: "2.8.9",
        summary: "Count the number of members in a sorted set between a given lexicographical range",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        ..Meta::new("zlexcount", Arity::Exact(4), Flags::READONLY.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

fn zcount(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let range = score_range(args.raw(2), args.raw(3))?;
    let set = cx.keys.read_as::<SortedSet>(args.raw(1))?;
    cx.reply.count(set.map_or(0, |set| set.ranks_by_score(&range).len()));
    DONE
}

fn zlexcount(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let range = lex_range(args.raw(2), args.raw(3))?;
    let set = cx.keys.read_as::<SortedSet>(args.raw(1))?;
    cx.reply.count(set.map_or(0, |set| set.ranks_by_lex(&range, false).len()));
    DONE
}
