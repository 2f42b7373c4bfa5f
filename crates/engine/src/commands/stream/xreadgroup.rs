//! XREADGROUP.

use super::group::{consumer_for, replay_group_id, replay_pending, tell_created};
use super::id;
use super::read_option::{Ids, Read, keys};
use super::reply::{self, bulk_id};
use crate::command::{Begin, Find, SpecSource};
use crate::commands::prelude::*;
use crate::ctx::Caller;
use moonshard_protocol::Reply;
use moonshard_store::{ConsumerRef, Direction, Group, Stream, StreamId, StreamView};

pub(super) const XREADGROUP: Command = Command {
    handler: Handler::Shard(xreadgroup),
    meta: Meta {
        keys: &[KeySpec::new(Begin::Keyword("STREAMS", 4), Find::Range { last: -1, step: 1, limit: 2 }, KeyFlags::RO.union(KeyFlags::ACCESS))],
        key_source: SpecSource::Function(keys),
        args: &[Arg::new("group_consumer", ArgKind::Block(&[Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String)])).token("GROUP"), Arg::new("count", ArgKind::Int).token("COUNT").optional(), Arg::new("milliseconds", ArgKind::Int).token("BLOCK").optional(), Arg::word("noack", "NOACK").optional(), Arg::new("streams", ArgKind::Block(&[Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("id", ArgKind::String).multiple()])).token("STREAMS")],
        group: "stream", since: "5.0.0",
        summary: "Return new entries from a stream using a consumer group, or access the history of the pending entries for a given consumer. Can block.",
        complexity: "For each stream mentioned: O(M) with M being the number of elements returned. If M is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1). On the other side when XREADGROUP blocks, XADD will pay the O(N) time in order to serve the N clients blocked on the stream getting new data.",
        ..Meta::new("xreadgroup", Arity::AtLeast(7), Flags::BLOCKING.union(Flags::WRITE), Acl::STREAM)
    },
}
.checked();

/// The greatest id stands for `>`, as in Redis: no entry is beyond it.
const NEW_ENTRIES: StreamId = StreamId::MAX;

fn xreadgroup(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let read = Read::parse(args, true, matches!(cx.caller, Caller::Script(_)))?;
    let Some((group, consumer)) = read.group else { return Err(Error::SYNTAX) };
    let mut ids = Ids::new();
    let ids = ids.of_len(read.keys.len());
    for ((&key, &text), after) in read.keys.iter().zip(read.ids).zip(&mut *ids) {
        let stream = cx.keys.read_as::<Stream>(key)?;
        if stream.and_then(|stream| stream.group(group)).is_none() {
            return Err(no_group(key, group));
        }
        *after = match text {
            b"$" => return Err(DOLLAR),
            b">" => NEW_ENTRIES,
            text => id::strict(text, 0)?,
        };
    }
    let (mark, open) = (cx.reply.mark(), cx.reply.open_named());
    let mut served = 0;
    for (&key, &after) in read.keys.iter().zip(&*ids) {
        let part = Part { read: &read, key, group, consumer, after };
        served += usize::from(part.serve(cx)?);
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
    Ok(Flow::Block(Box::new(Wait {
        timeout_ms,
        keys: read.keys.iter().map(|key| read.wait_for(b"XREADGROUP", key, b">")).collect(),
        kind: WaitKind::Stream,
        empty: Empty::NullArray,
        gone: Some(Error::fixed("UNBLOCKED the stream key no longer exists")),
        failed: Some(Error::fixed("NOGROUP the consumer group this client was blocked on no longer exists")),
    })))
}

/// One stream of a call.
struct Part<'a> {
    read: &'a Read<'a>,
    key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    after: StreamId,
}

impl Part<'_> {
    /// Reads the stream, if it has something for the group. Returns whether it has.
    fn serve(&self, cx: &mut Ctx<'_>) -> Result<bool, Error> {
        let now_ms = cx.keys.now_ms();
        // Whose ids need be known afterwards.
        let mut delivered = cx.keys.replays().then(Vec::new);
        let Some(stream) = cx.keys.write_as::<Stream>(self.key)? else { return Ok(false) };
        let Some((view, group)) = stream.with_group(self.group) else { return Ok(false) };
        let history = self.after != NEW_ENTRIES;
        let first = if history { self.after } else { group.last_id }.successor();
        let has_new = || {
            let first = first?;
            view.range(first, StreamId::MAX, Direction::Forward).next()
        };
        if !history && has_new().is_none() {
            return Ok(false);
        }
        let Some((consumer, created)) = consumer_for(group, self.consumer, now_ms) else { return Ok(false) };
        cx.reply.named();
        cx.reply.bulk(self.key);
        let read_before = group.entries_read;
        let mut note = |id| delivered.iter_mut().for_each(|ids: &mut Vec<StreamId>| ids.push(id));
        let first = first.unwrap_or(StreamId::MAX);
        let count = if history {
            self.reply_history(cx.reply, view, group, (consumer, first, now_ms), &mut note)
        } else {
            self.reply_new(cx.reply, view, group, (consumer, first, now_ms), &mut note)
        };
        let counted = group.entries_read != read_before;
        self.tell(cx, created, count, delivered.unwrap_or_default());
        // Claims do not say how many entries were read, by which the group's lag is known.
        if counted && !self.read.noack {
            replay_group_id(cx, self.key, self.group);
        }
        Ok(true)
    }

    /// Delivers the entries from `first` on. Returns how many.
    fn reply_new(
        &self,
        reply: &mut Reply,
        view: StreamView<'_>,
        group: &mut Group,
        (consumer, first, now_ms): (ConsumerRef, StreamId, u64),
        note: &mut impl FnMut(StreamId),
    ) -> usize {
        let entries = view.range(first, StreamId::MAX, Direction::Forward).take(self.read.count());
        reply::entries(
            reply,
            entries.inspect(|entry| {
                view.advance(group, entry.id());
                if !self.read.noack {
                    group.deliver(entry.id(), consumer, now_ms);
                }
                note(entry.id());
            }),
        )
    }

    /// Delivers once more what waits for the consumer's acknowledgement. Returns how many entries that are still
    /// there.
    fn reply_history(
        &self,
        reply: &mut Reply,
        view: StreamView<'_>,
        group: &mut Group,
        (consumer, first, now_ms): (ConsumerRef, StreamId, u64),
        note: &mut impl FnMut(StreamId),
    ) -> usize {
        let pending: Vec<StreamId> = group.consumer(consumer).map_or_else(Vec::new, |consumer| {
            consumer.pending(first, StreamId::MAX).take(self.read.count()).collect()
        });
        reply.array(pending.len());
        let mut there = 0;
        for id in pending {
            match view.get(id) {
                Some(entry) => {
                    reply::entry(reply, &entry);
                    group.redeliver(id, now_ms);
                    note(id);
                    there += 1;
                }
                None => {
                    reply.array(2);
                    bulk_id(reply, id);
                    reply.null_array();
                }
            }
        }
        there
    }

    /// Tells what was changed: a consumer may be new, and `count` entries were delivered.
    fn tell(&self, cx: &mut Ctx<'_>, created: bool, count: usize, delivered: Vec<StreamId>) {
        if created {
            let alone = self.read.noack || count == 0;
            tell_created(cx, self.key, self.group, self.consumer, alone);
        }
        if count == 0 {
            return;
        }
        cx.keys.changed(EventClass::empty(), "xreadgroup", self.key);
        if self.read.noack && self.after == NEW_ENTRIES {
            replay_group_id(cx, self.key, self.group);
        } else {
            for id in delivered {
                // A new entry has become the last that was read.
                let last_id = (self.after == NEW_ENTRIES).then_some(id);
                replay_pending(cx, self.key, (self.group, self.consumer), (id, &id.text()), last_id);
            }
        }
    }
}

const DOLLAR: Error = Error::fixed(
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by \
     specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
);

#[cold]
fn no_group(key: &[u8], group: &[u8]) -> Error {
    let parts: [&[u8]; 5] = [
        b"NOGROUP No such key '",
        key,
        b"' or consumer group '",
        group,
        b"' in XREADGROUP with GROUP option",
    ];
    Error::bytes(parts.concat())
}
