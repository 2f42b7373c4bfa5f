//! ZREM.

use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const ZREM: Command = Command {
    handler: Handler::Shard(zrem),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String).multiple()],
        group: "sorted-set", since: "1.2.0",
        summary: "Remove one or more members from a sorted set",
        complexity: "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
        history: &[("2.4.0", "Accepts multiple elements.")],
        ..Meta::new("zrem", Arity::AtLeast(3), Flags::WRITE.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

fn zrem(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let Some(set) = cx.keys.write_as::<SortedSet>(key)? else {
        cx.reply.int(0);
        return DONE;
    };
    let removed = args.from(2).iter().filter(|member| set.remove(member).is_some()).count();
    let drained = set.is_empty();
    if removed > 0 {
        cx.keys.shrunk(EventClass::SORTED_SET, "zrem", key, drained);
    }
    cx.reply.count(removed);
    DONE
}
