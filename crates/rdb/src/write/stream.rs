//! Streams: their nodes as listpacks, what is known of them, and their groups.

use crate::writer::Writer;
use moonshard_store::{Group, Stream, StreamId, StreamMeta};

impl Writer {
    pub(super) fn stream(&mut self, stream: &Stream) {
        self.length(stream.nodes_len() as u64);
        let mut blob = std::mem::take(&mut self.blob);
        for node in stream.nodes() {
            blob.clear();
            push_id(&mut blob, node.master_id());
            self.string(&blob);
            blob.clear();
            node.write_listpack(&mut blob);
            self.string(&blob);
        }
        self.blob = blob;
        let StreamMeta { last_id, first_id, max_deleted_id, entries_added } = *stream.meta();
        self.length(stream.len() as u64);
        [last_id, first_id, max_deleted_id].into_iter().for_each(|id| self.stream_id(id));
        self.length(entries_added);
        self.length(stream.groups_len() as u64);
        for (name, group) in stream.groups() {
            self.string(name);
            self.group(group);
        }
    }

    fn group(&mut self, group: &Group) {
        self.stream_id(group.last_id);
        // A number that is not known is -1.
        self.length(group.entries_read.unwrap_or(u64::MAX));
        self.length(group.pending_len() as u64);
        for (id, pending) in group.pending(StreamId::MIN, StreamId::MAX) {
            self.raw_id(id);
            self.u64(pending.delivered_ms);
            self.length(pending.deliveries);
        }
        self.length(group.consumers_len() as u64);
        for consumer in group.consumers() {
            self.string(consumer.name());
            self.u64(consumer.seen_ms);
            self.length(consumer.pending_len() as u64);
            consumer.pending(StreamId::MIN, StreamId::MAX).for_each(|id| self.raw_id(id));
        }
    }

    fn stream_id(&mut self, id: StreamId) {
        self.length(id.ms);
        self.length(id.seq);
    }

    fn raw_id(&mut self, id: StreamId) {
        self.raw(&id.ms.to_be_bytes());
        self.raw(&id.seq.to_be_bytes());
    }
}

fn push_id(out: &mut Vec<u8>, id: StreamId) {
    out.extend_from_slice(&id.ms.to_be_bytes());
    out.extend_from_slice(&id.seq.to_be_bytes());
}
