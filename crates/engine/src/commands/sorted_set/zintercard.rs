//! ZINTERCARD.

use super::operation::{count_common, parse_keys, read_sources, sources};
use crate::commands::counted_keys::parse_limit;
use crate::commands::prelude::*;

pub(super) const ZINTERCARD: Command = Command {
    handler: Handler::Shard(zintercard),
    meta: Meta {
        keys: &[KeySpec::counted(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("numkeys", ArgKind::Int), Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("limit", ArgKind::Int).token("LIMIT").optional()],
        group: "sorted-set", since: "7.0.0",
        summary: "Intersect multiple sorted sets and return the cardinality of the result",
        complexity: "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
        ..Meta::new("zintercard", Arity::AtLeast(3), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

fn zintercard(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = parse_keys(args, 1, "zintercard")?;
    // Types are looked at before the options are.
    read_sources(&mut cx.keys, keys.names)?;
    let limit = parse_limit(args, keys.end)?;
    let found = count_common(&sources(&cx.keys, keys.names), limit);
    cx.reply.count(found);
    DONE
}
