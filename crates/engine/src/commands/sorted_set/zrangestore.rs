//! ZRANGESTORE.

use super::operation::store;
use super::range::RangeQuery;
use crate::commands::prelude::*;
use moonshard_store::{AddFlags, SortedSet};

pub(super) const ZRANGESTORE: Command = Command {
    handler: Handler::Shard(zrangestore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE)), KeySpec::one(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("dst", ArgKind::Key(0)), Arg::new("src", ArgKind::Key(1)), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String), Arg::new("sortby", ArgKind::OneOf(&[Arg::word("byscore", "BYSCORE"), Arg::word("bylex", "BYLEX")])).optional(), Arg::word("rev", "REV").optional(), Arg::new("offset_count", ArgKind::Block(&[Arg::new("offset", ArgKind::Int), Arg::new("count", ArgKind::Int)])).token("LIMIT").optional()],
        group: "sorted-set", since: "6.2.0",
        summary: "Store a range of members from sorted set into another key",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
        ..Meta::new("zrangestore", Arity::AtLeast(5), Flags::WRITE.union(Flags::DENYOOM), Acl::SORTEDSET)
    },
}
.checked();

fn zrangestore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let query = RangeQuery::parse(args, 2, true, None, None)?;
    let (limits, seed) = (cx.settings.sorted_set, cx.settings.seed);
    let mut result = SortedSet::new();
    if let Some(set) = cx.keys.read_as::<SortedSet>(args.raw(2))? {
        for (member, score) in set.iter_ranks(query.ranks(set), query.reverse) {
            result.add(member, score, AddFlags::default(), limits, seed);
        }
    }
    store(cx, args.raw(1), result, "zrangestore");
    DONE
}
