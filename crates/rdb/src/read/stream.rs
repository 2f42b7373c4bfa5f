//! Streams of all versions.

use super::listpack;
use crate::error::Error;
use crate::format::{COUNT_UNKNOWN, ValueType};
use crate::reader::{Reader, Source};
use moonshard_store::{Collection, Group, Pending, Stream, StreamId, StreamMeta, StreamNode};
use std::collections::BTreeMap;

const CORRUPT: Error = Error::Corrupt("a stream that is none");

/// What the versions of streams know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    /// Entries and groups.
    First,
    /// Also what was ever added and deleted, and how much groups have read.
    Second,
    /// Also when consumers were active.
    Third,
}

impl<S: Source> Reader<S> {
    pub(super) fn stream(&mut self, value_type: ValueType) -> Result<Collection, Error> {
        let version = match value_type {
            ValueType::Stream1 => Version::First,
            ValueType::Stream2 => Version::Second,
            _ => Version::Third,
        };
        let mut nodes = Vec::new();
        for _ in 0..self.length()? {
            nodes.push(self.stream_node()?);
        }
        let len = self.length()?;
        let mut meta = StreamMeta { last_id: self.stream_id()?, entries_added: len, ..StreamMeta::default() };
        if version >= Version::Second {
            // The first id follows from the entries.
            self.stream_id()?;
            meta.max_deleted_id = self.stream_id()?;
            meta.entries_added = self.length()?;
        }
        let first = nodes.iter().find_map(StreamNode::first_live_id);
        meta.first_id = first.unwrap_or(StreamId::MIN);
        let mut stream = Stream::from_nodes(nodes, meta).ok_or(CORRUPT)?;
        if stream.len() as u64 != len {
            return Err(CORRUPT);
        }
        for _ in 0..self.length()? {
            self.group(&mut stream, version)?;
        }
        Ok(Collection::Stream(Box::new(stream)))
    }

    fn stream_node(&mut self) -> Result<StreamNode, Error> {
        let master_id = raw_id(self.string()?).ok_or(CORRUPT)?;
        let (elements, count) = listpack::open(self.string()?).ok_or(CORRUPT)?;
        let node = StreamNode::from_listpack(master_id, elements).ok_or(CORRUPT)?;
        let counted = count == COUNT_UNKNOWN || usize::from(count) == node.listpack_elements();
        if counted { Ok(node) } else { Err(CORRUPT) }
    }

    fn group(&mut self, stream: &mut Stream, version: Version) -> Result<(), Error> {
        let name = self.string()?.to_vec();
        let last_id = self.stream_id()?;
        let entries_read = match version {
            Version::First => stream.view().entries_up_to(last_id),
            _ => Some(self.length()?).filter(|&read| read != u64::MAX),
        };
        let group = stream.create_group(&name, last_id, entries_read).ok_or(CORRUPT)?;
        let mut unclaimed = BTreeMap::new();
        for _ in 0..self.length()? {
            let id = self.raw_id()?;
            let (delivered_ms, deliveries) = (self.u64()?, self.length()?);
            if unclaimed.insert(id, (delivered_ms, deliveries)).is_some() {
                return Err(CORRUPT);
            }
        }
        for _ in 0..self.length()? {
            self.consumer(group, &mut unclaimed, version)?;
        }
        // Each pending entry is some consumer's.
        if unclaimed.is_empty() { Ok(()) } else { Err(CORRUPT) }
    }

    fn consumer(
        &mut self,
        group: &mut Group,
        unclaimed: &mut BTreeMap<StreamId, (u64, u64)>,
        version: Version,
    ) -> Result<(), Error> {
        let name = self.string()?.to_vec();
        let seen_ms = self.u64()?;
        // Where it is not told, when it was seen is the best that is known.
        let active_ms = if version == Version::Third { self.u64()? } else { seen_ms };
        let consumer = group.create_consumer(&name, seen_ms).ok_or(CORRUPT)?;
        if let Some(consumer) = group.consumer_mut(consumer) {
            consumer.active_ms = Some(active_ms).filter(|&at| i64::try_from(at).is_ok());
        }
        for _ in 0..self.length()? {
            let id = self.raw_id()?;
            let (delivered_ms, deliveries) = unclaimed.remove(&id).ok_or(CORRUPT)?;
            group.assign(id, Pending { delivered_ms, deliveries, consumer });
        }
        Ok(())
    }

    fn stream_id(&mut self) -> Result<StreamId, Error> {
        Ok(StreamId::new(self.length()?, self.length()?))
    }

    fn raw_id(&mut self) -> Result<StreamId, Error> {
        raw_id(self.bytes(16)?).ok_or(CORRUPT)
    }
}

fn raw_id(bytes: &[u8]) -> Option<StreamId> {
    let (ms, seq) = bytes.split_first_chunk()?;
    Some(StreamId::new(u64::from_be_bytes(*ms), u64::from_be_bytes(seq.try_into().ok()?)))
}
