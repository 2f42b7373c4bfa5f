//! ZMPOP and BZMPOP.

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

pub(super) const BZMPOP: Command = Command {
    handler: Handler::Shard(bzmpop),
    meta: Meta {
        keys: &[KeySpec::counted(2, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("timeout", ArgKind::Double), Arg::new("numkeys", ArgKind::Int), Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("where", ArgKind::OneOf(&[Arg::word("min", "MIN"), Arg::word("max", "MAX")])), Arg::new("count", ArgKind::Int).token("COUNT").optional()],
        group: "sorted-set", since: "7.0.0",
        summary: "Remove and return members with scores in a sorted set or block until one is available",
        complexity: "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
        ..Meta::new("bzmpop", Arity::AtLeast(5), Flags::WRITE.union(Flags::BLOCKING), Acl::SORTEDSET)
    },
}
.checked();

fn zmpop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let call = Call::parse(args, 1)?;
    if !call.pop(cx)? {
        cx.reply.null_array();
    }
    DONE
}

fn bzmpop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let call = Call::parse(args, 2)?;
    let timeout_ms = timeout_ms(args, 1)?;
    if call.pop(cx)? {
        return DONE;
    }
    let keys = call.keys.waits(args, 2);
    let (kind, empty) = (WaitKind::SortedSet, Empty::NullArray);
    Ok(Flow::Block(Box::new(Wait { timeout_ms, keys, kind, empty, gone: None, failed: None })))
}

/// What both pop.
struct Call<'a> {
    keys: CountedKeys<'a>,
    extreme: Extreme,
    count: usize,
}

impl<'a> Call<'a> {
    /// Reads the arguments from the number of keys, at `index`, on.
    fn parse(args: Args<'a>, index: usize) -> Result<Self, Error> {
        let keys = CountedKeys::parse_with_tail(args, index)?;
        let extreme = if args.is(keys.end, "MIN") {
            Extreme::Min
        } else if args.is(keys.end, "MAX") {
            Extreme::Max
        } else {
            return Err(Error::SYNTAX);
        };
        let count = parse_pop_count(args, keys.end + 1)?;
        Ok(Self { keys, extreme, count })
    }

    /// Pops from the first sorted set that there is. Returns whether there was one.
    fn pop(&self, cx: &mut Ctx<'_>) -> Result<bool, Error> {
        for &key in self.keys.names {
            let Some(set) = cx.keys.write_as::<SortedSet>(key)? else { continue };
            let popped = self.count.min(set.len());
            cx.reply.array(2);
            cx.reply.bulk(key);
            cx.reply.array(popped);
            self.extreme.pop(set, popped, cx.reply, |reply, member, score| {
                reply.array(2);
                reply.bulk(member);
                reply.double(score);
            });
            let drained = set.is_empty();
            cx.keys.shrunk(EventClass::SORTED_SET, self.extreme.event(), key, drained);
            let mut number = itoa::Buffer::new();
            cx.keys.replay_as(&[self.extreme.command(), key, number.format(popped).as_bytes()]);
            return Ok(true);
        }
        Ok(false)
    }
}
