//! ZCARD.

use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const ZCARD: Command = Command {
    handler: Handler::Shard(zcard),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "sorted-set",
        since: "1.2.0",
        summary: "Get the number of members in a sorted set",
        complexity: "O(1)",
        ..Meta::new("zcard", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

fn zcard(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let set = cx.keys.read_as::<SortedSet>(args.raw(1))?;
    cx.reply.count(set.map_or(0, SortedSet::len));
    DONE
}
