//! LMPOP and BLMPOP.

use super::end::{event_of_pop, parse_end};
use super::pop::pop_some;
use crate::commands::counted_keys::{CountedKeys, parse_pop_count};
use crate::commands::prelude::*;
use moonshard_store::{End, List};

pub(super) const LMPOP: Command = Command {
    handler: Handler::Shard(lmpop),
    meta: Meta {
        keys: &[KeySpec::counted(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[
            Arg::new("numkeys", ArgKind::Int),
            Arg::new("key", ArgKind::Key(0)).multiple(),
            Arg::new("where", ArgKind::OneOf(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")])),
            Arg::new("count", ArgKind::Int).token("COUNT").optional(),
        ],
        group: "list",
        since: "7.0.0",
        summary: "Pop elements from a list",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
        ..Meta::new("lmpop", Arity::AtLeast(4), Flags::WRITE, Acl::LIST)
    },
}
.checked();

pub(super) const BLMPOP: Command = Command {
    handler: Handler::Shard(blmpop),
    meta: Meta {
        keys: &[KeySpec::counted(2, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[
            Arg::new("timeout", ArgKind::Double),
            Arg::new("numkeys", ArgKind::Int),
            Arg::new("key", ArgKind::Key(0)).multiple(),
            Arg::new("where", ArgKind::OneOf(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")])),
            Arg::new("count", ArgKind::Int).token("COUNT").optional(),
        ],
        group: "list",
        since: "7.0.0",
        summary: "Pop elements from a list, or block until one is available",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
        ..Meta::new("blmpop", Arity::AtLeast(5), Flags::WRITE.union(Flags::BLOCKING), Acl::LIST)
    },
}
.checked();

fn lmpop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let call = Call::parse(args, 1)?;
    if !call.pop(cx)? {
        cx.reply.null_array();
    }
    DONE
}

fn blmpop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let call = Call::parse(args, 2)?;
    let timeout_ms = timeout_ms(args, 1)?;
    if call.pop(cx)? {
        return DONE;
    }
    let keys = call.keys.waits(args, 2);
    let (kind, empty) = (WaitKind::List, Empty::NullArray);
    Ok(Flow::Block(Box::new(Wait { timeout_ms, keys, kind, empty, gone: None, failed: None })))
}

/// What both pop.
struct Call<'a> {
    keys: CountedKeys<'a>,
    end: End,
    count: usize,
}

impl<'a> Call<'a> {
    /// Reads the arguments from the number of keys, at `index`, on.
    fn parse(args: Args<'a>, index: usize) -> Result<Self, Error> {
        let keys = CountedKeys::parse_with_tail(args, index)?;
        let end = parse_end(args, keys.end)?;
        let count = parse_pop_count(args, keys.end + 1)?;
        Ok(Self { keys, end, count })
    }

    /// Pops from the first list that there is. Returns whether there was one.
    fn pop(&self, cx: &mut Ctx<'_>) -> Result<bool, Error> {
        for &key in self.keys.names {
            let Some(list) = cx.keys.write_as::<List>(key)? else { continue };
            let popped = self.count.min(list.len());
            cx.reply.array(2);
            cx.reply.bulk(key);
            let drained = pop_some(cx.reply, list, self.end, popped, cx.settings.list);
            cx.keys.shrunk(EventClass::LIST, event_of_pop(self.end), key, drained);
            let name: &[u8] = if self.end == End::Front { b"LPOP" } else { b"RPOP" };
            cx.keys.replay_as(&[name, key, itoa::Buffer::new().format(popped).as_bytes()]);
            return Ok(true);
        }
        Ok(false)
    }
}
