//! XREAD.

use super::read_option::{Ids, Read, keys};
use super::{id, reply};
use crate::command::{Begin, Find, SpecSource};
use crate::commands::prelude::*;
use crate::ctx::Caller;
use moonshard_store::{Direction, Stream, StreamId};

pub(super) const XREAD: Command = Command {
    handler: Handler::Shard(xread),
    meta: Meta {
        keys: &[KeySpec::new(Begin::Keyword("STREAMS", 1), Find::Range { last: -1, step: 1, limit: 2 }, KeyFlags::RO.union(KeyFlags::ACCESS))],
        key_source: SpecSource::Function(keys),
        args: &[Arg::new("count", ArgKind::Int).token("COUNT").optional(), Arg::new("milliseconds", ArgKind::Int).token("BLOCK").optional(), Arg::new("streams", ArgKind::Block(&[Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("id", ArgKind::String).multiple()])).token("STREAMS")],
        group: "stream", since: "5.0.0",
        summary: "Return never seen elements in multiple streams, with IDs greater than the ones reported by the caller for each stream. Can block.",
        complexity: "For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M clients blocked on the stream getting new data.",
        ..Meta::new("xread", Arity::AtLeast(4), Flags::BLOCKING.union(Flags::READONLY).union(Flags::BLOCKING), Acl::STREAM)
    },
}
.checked();

fn xread(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let read = Read::parse(args, false, matches!(cx.caller, Caller::Script(_)))?;
    let mut ids = Ids::new();
    let ids = ids.of_len(read.keys.len());
    for ((&key, &text), after) in read.keys.iter().zip(read.ids).zip(&mut *ids) {
        let stream = cx.keys.read_as::<Stream>(key)?;
        *after = match text {
            b"$" => stream.map_or(StreamId::MIN, Stream::last_id),
            b">" => return Err(ONLY_IN_GROUPS),
            text => id::strict(text, 0)?,
        };
    }
    let (mark, open) = (cx.reply.mark(), cx.reply.open_named());
    let mut served = 0;
    for (&key, after) in read.keys.iter().zip(&*ids) {
        let (Some(stream), Some(first)) = (cx.keys.get_as::<Stream>(key)?, after.successor()) else {
            continue;
        };
        let mut entries =
            stream.range(first, StreamId::MAX, Direction::Forward).take(read.count()).peekable();
        if entries.peek().is_none() {
            continue;
        }
        cx.reply.named();
        cx.reply.bulk(key);
        reply::entries(cx.reply, entries);
        served += 1;
    }
    if served > 0 {
        cx.reply.close(open, served);
        return DONE;
    }
    cx.reply.rewind(mark);
    let Some(timeout_ms) = read.block else {
        cx.reply.null_array();
        return DONE;
    };
    let waits = read.keys.iter().zip(&*ids).map(|(key, after)| read.wait_for(b"XREAD", key, &after.text()));
    let (keys, kind, empty) = (waits.collect(), WaitKind::Stream, Empty::NullArray);
    Ok(Flow::Block(Box::new(Wait { timeout_ms, keys, kind, empty, gone: None, failed: None })))
}

const ONLY_IN_GROUPS: Error = Error::fixed(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
);
