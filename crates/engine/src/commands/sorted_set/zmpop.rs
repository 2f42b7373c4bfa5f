//! ZMPOP.

use super::zpop::Extreme;
use crate::commands::counted_keys::{CountedKeys, parse_pop_count};
use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const ZMPOP: Command = Command {
    handler: Handler::Shard(zmpop),
    meta: Meta {
        keys: &[KeySpec::counted(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("numkeys", ArgKind::Int), Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("where", ArgKind::OneOf(&[Arg::word("min", "MIN"), Arg::word("max", "MAX")])), Arg::new("count", ArgKind::Int).token("COUNT").optional()],
        group: "sorted-set", since: "7.0.0",
        summary: "Remove and return members with scores in a sorted set",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
        ..Meta::new("zmpop", Arity::AtLeast(4), Flags::WRITE, Acl::SORTEDSET)
    },
}
.checked();

fn zmpop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = CountedKeys::parse_with_tail(args, 1)?;
    let extreme = if args.is(keys.end, "MIN") {
        Extreme::Min
    } else if args.is(keys.end, "MAX") {
        Extreme::Max
    } else {
        return Err(Error::SYNTAX);
    };
    let count = parse_pop_count(args, keys.end + 1)?;
    for &key in keys.names {
        let Some(set) = cx.keys.write_as::<SortedSet>(key)? else { continue };
        let popped = count.min(set.len());
        cx.reply.array(2);
        cx.reply.bulk(key);
        cx.reply.array(popped);
        extreme.pop(set, popped, cx.reply, |reply, member, score| {
            reply.array(2);
            reply.bulk(member);
            reply.double(score);
        });
        let drained = set.is_empty();
        cx.keys.shrunk(EventClass::SORTED_SET, extreme.event(), key, drained);
        let name: &[u8] = if extreme == Extreme::Min { b"ZPOPMIN" } else { b"ZPOPMAX" };
        cx.keys.replay_as(key, &[name, key, itoa::Buffer::new().format(popped).as_bytes()]);
        return DONE;
    }
    cx.reply.null_array();
    DONE
}
