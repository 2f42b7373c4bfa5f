//! Entries as replies.

use crate::commands::elements::bulk_element;
use moonshard_protocol::Reply;
use moonshard_store::{StreamEntry, StreamId};

/// Writes an id.
#[inline]
pub(super) fn bulk_id(reply: &mut Reply, id: StreamId) {
    reply.bulk(&id.text());
}

/// Writes an entry: its id, and its fields and values in turn.
#[inline]
pub(super) fn entry(reply: &mut Reply, entry: &StreamEntry<'_>) {
    reply.array(2);
    bulk_id(reply, entry.id());
    reply.array(entry.len() * 2);
    for (field, value) in entry.fields() {
        bulk_element(reply, field);
        bulk_element(reply, value);
    }
}

/// Writes entries as an array. Returns how many there were.
pub(super) fn entries<'a>(reply: &mut Reply, entries: impl Iterator<Item = StreamEntry<'a>>) -> usize {
    let open = reply.open_array();
    let mut count = 0;
    for item in entries {
        entry(reply, &item);
        count += 1;
    }
    reply.close(open, count);
    count
}
