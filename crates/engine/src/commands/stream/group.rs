//! What the commands about consumer groups share: how changes of a group are repeated, and what is said of groups
//! that are not there.

use crate::ctx::Ctx;
use crate::effects::EventClass;
use crate::error::Error;
use moonshard_store::{ConsumerRef, Group, Pending, Stream, StreamId};

/// The error of most commands for a key or group that is not there.
#[cold]
pub(super) fn no_group(key: &[u8], group: &[u8]) -> Error {
    Error::bytes([b"NOGROUP No such key '", key, b"' or consumer group '", group, b"'"].concat())
}

/// The error of XGROUP and XINFO for a group that is not there.
#[cold]
pub(super) fn no_group_of_key(group: &[u8], key: &[u8]) -> Error {
    Error::bytes([b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"].concat())
}

/// Finds the consumer, who is seen at this moment, or adds it. Returns whether it is new as well.
pub(super) fn consumer_for(group: &mut Group, name: &[u8], now_ms: u64) -> Option<(ConsumerRef, bool)> {
    if let Some(consumer) = group.find_consumer(name) {
        if let Some(known) = group.consumer_mut(consumer) {
            known.seen_ms = now_ms;
        }
        return Some((consumer, false));
    }
    group.create_consumer(name, now_ms).map(|consumer| (consumer, true))
}

/// Says how to make an entry, whose id is spelt so, pending for the consumer as it is now, and the group's last id with
/// it, which was `last_id` when the entry became pending, or is as it was then.
pub(super) fn replay_pending(
    cx: &mut Ctx<'_>,
    key: &[u8],
    (group_name, consumer): (&[u8], &[u8]),
    (id, text): (StreamId, &[u8]),
    last_id: Option<StreamId>,
) {
    if !cx.keys.replays() {
        return;
    }
    let Ok(Some(stream)) = cx.keys.get_as::<Stream>(key) else { return };
    let Some(group) = stream.group(group_name) else { return };
    let Some(pending) = group.find_pending(id).copied() else { return };
    let last_id = last_id.unwrap_or(group.last_id);
    replay_claim(cx, key, group_name, consumer, text, pending, last_id);
}

/// Says how to make an entry pending for a consumer.
pub(super) fn replay_claim(
    cx: &mut Ctx<'_>,
    key: &[u8],
    group_name: &[u8],
    consumer: &[u8],
    id: &[u8],
    pending: Pending,
    last_id: StreamId,
) {
    let (mut time, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
    cx.keys.replay_as(&[
        b"XCLAIM",
        key,
        group_name,
        consumer,
        b"0",
        id,
        b"TIME",
        time.format(pending.delivered_ms).as_bytes(),
        b"RETRYCOUNT",
        count.format(pending.deliveries).as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        &last_id.text(),
    ]);
}

/// Says how to set the group's last id and count of entries read as they are now.
pub(super) fn replay_group_id(cx: &mut Ctx<'_>, key: &[u8], group_name: &[u8]) {
    if !cx.keys.replays() {
        return;
    }
    let Ok(Some(stream)) = cx.keys.get_as::<Stream>(key) else { return };
    let Some(group) = stream.group(group_name) else { return };
    let (last_id, mut read) = (group.last_id.text(), itoa::Buffer::new());
    let read = group.entries_read.map_or("-1", |entries| read.format(entries)).as_bytes();
    cx.keys.replay_as(&[b"XGROUP", b"SETID", key, group_name, &last_id, b"ENTRIESREAD", read]);
}

/// Tells of a new consumer, and how to make it again if nothing else does.
pub(super) fn tell_created(cx: &mut Ctx<'_>, key: &[u8], group: &[u8], consumer: &[u8], replay: bool) {
    cx.keys.changed(EventClass::STREAM, "xgroup-createconsumer", key);
    if replay {
        cx.keys.replay_as(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
    }
}
