//! Streams: entries in the order of their ids, and the groups that read them.
//!
//! Entries lie in packed nodes ([`StreamNode`]), the nodes in an ordered index. What fits into a node, and so what
//! approximate trimming removes, is decided as Redis does it.

mod entries;
mod group;
mod id;
mod node;
mod nodes;
#[cfg(test)]
mod tests;
mod trim;

use std::collections::BTreeMap;

pub use entries::{Direction, Entries, Entry as StreamEntry, Fields as StreamFields};
pub use group::{Claim, Consumer, ConsumerRef, Group, Pending, StreamView};
pub use id::{StreamId, StreamIdText};
pub use node::StreamNode;
pub use trim::{Trim, TrimTo};

use nodes::Nodes;

/// Up to what size entries are appended to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes of a node, as Redis' `stream-node-max-bytes`; 0 for as many as there can be.
    pub node_bytes: usize,
    /// Entries of a node, deleted ones included, as Redis' `stream-node-max-entries`; 0 for no limit.
    pub node_entries: u64,
}

impl StreamLimits {
    /// What Redis starts with.
    pub const DEFAULT: Self = Self { node_bytes: 4096, node_entries: 100 };

    fn node_bytes_max(self) -> usize {
        if self.node_bytes == 0 {
            Stream::ENTRY_BYTES_MAX
        } else {
            self.node_bytes.min(Stream::ENTRY_BYTES_MAX)
        }
    }
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Why an entry was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The id is not greater than the last one.
    IdTooSmall,
    /// The entry is larger than [`Stream::ENTRY_BYTES_MAX`].
    TooLarge,
}

/// What a stream knows of itself besides its entries and groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamMeta {
    /// The greatest id ever; new ones are greater.
    pub last_id: StreamId,
    /// The id of the first entry; the least id when there is none.
    pub first_id: StreamId,
    /// The greatest id that was deleted from among others.
    pub max_deleted_id: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
}

/// A stream. Appending is O(1), finding an entry O(log n), deleting one likewise.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    nodes: Nodes,
    len: usize,
    meta: StreamMeta,
    groups: BTreeMap<Box<[u8]>, Group>,
}

impl Stream {
    /// Most bytes of one entry's fields and values, and of a node.
    pub const ENTRY_BYTES_MAX: usize = 1 << 30;

    /// An empty stream; allocates nothing.
    pub const fn new() -> Self {
        const ZERO: StreamMeta = StreamMeta {
            last_id: StreamId::MIN,
            first_id: StreamId::MIN,
            max_deleted_id: StreamId::MIN,
            entries_added: 0,
        };
        Self { nodes: Nodes::new(), len: 0, meta: ZERO, groups: BTreeMap::new() }
    }

    /// A stream of these nodes, whose ids ascend, with the metadata given. Its groups are added with
    /// [`Stream::create_group`]. `None` if the nodes are not in order or hold entries beyond the last id.
    pub fn from_nodes(nodes: impl IntoIterator<Item = StreamNode>, meta: StreamMeta) -> Option<Self> {
        let mut stream = Self { meta, ..Self::new() };
        for node in nodes {
            if stream.nodes.last().is_some_and(|last| last.last_id() >= node.master_id()) {
                return None;
            }
            stream.len += node.live();
            stream.nodes.push(node);
        }
        let fits = stream.nodes.last().is_none_or(|node| node.last_id() <= meta.last_id);
        fits.then_some(stream)
    }

    /// The number of entries. O(1).
    #[inline]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether it has no entry. Such a stream stays a key.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What it knows of itself.
    #[inline]
    pub const fn meta(&self) -> &StreamMeta {
        &self.meta
    }

    /// The greatest id ever.
    #[inline]
    pub const fn last_id(&self) -> StreamId {
        self.meta.last_id
    }

    /// Sets what [`Stream::meta`] says but for the first id, which follows from the entries.
    pub fn set_meta(&mut self, meta: StreamMeta) {
        self.meta = StreamMeta { first_id: self.meta.first_id, ..meta };
    }

    /// Its nodes in order.
    pub fn nodes(&self) -> impl Iterator<Item = &StreamNode> {
        self.nodes.iter()
    }

    /// The number of its nodes. O(1).
    pub const fn nodes_len(&self) -> usize {
        self.nodes.len()
    }

    /// Appends an entry of these fields and values in turn (an even number of them, two at least). O(1) and without an
    /// allocation but for the entry's own bytes.
    ///
    /// # Errors
    /// When the id is not greater than the last one, or the entry is too large.
    pub fn append(&mut self, id: StreamId, pairs: &[&[u8]], limits: StreamLimits) -> Result<(), AppendError> {
        debug_assert!(pairs.len().is_multiple_of(2));
        if id <= self.meta.last_id {
            return Err(AppendError::IdTooSmall);
        }
        let bytes: usize = pairs.iter().map(|part| part.len()).sum();
        if bytes > Self::ENTRY_BYTES_MAX {
            return Err(AppendError::TooLarge);
        }
        let fits = |node: &&mut StreamNode| {
            node.listpack_len() + bytes < limits.node_bytes_max()
                && (limits.node_entries == 0 || node.entries_ever() < limits.node_entries)
        };
        match self.nodes.last_mut().filter(fits) {
            Some(node) => node.append(id, pairs),
            None => self.nodes.push(StreamNode::new(id, pairs)).append(id, pairs),
        }
        self.len += 1;
        self.meta.entries_added += 1;
        self.meta.last_id = id;
        if self.len == 1 {
            self.meta.first_id = id;
        }
        Ok(())
    }

    /// The entries from `first` to `last`, both included. O(log n) and a node's worth of steps to begin with.
    #[inline]
    pub fn range(&self, first: StreamId, last: StreamId, direction: Direction) -> Entries<'_> {
        Entries::new(&self.nodes, first, last, direction)
    }

    /// All entries in order.
    pub fn iter(&self) -> Entries<'_> {
        self.range(StreamId::MIN, StreamId::MAX, Direction::Forward)
    }

    /// The entry with this id.
    pub fn get(&self, id: StreamId) -> Option<StreamEntry<'_>> {
        self.range(id, id, Direction::Forward).next()
    }

    /// The id of the last entry that is there.
    pub fn last_entry_id(&self) -> Option<StreamId> {
        self.range(StreamId::MIN, StreamId::MAX, Direction::Backward).next().map(|entry| entry.id())
    }

    /// The id of the first entry in the first node, deleted or not; the greatest id when there is none.
    pub fn first_id_ever_kept(&self) -> StreamId {
        self.nodes.first().map_or(StreamId::MAX, StreamNode::first_id)
    }

    /// Deletes these entries. Returns how many of them were there. O(log n) and a node's worth of steps each.
    pub fn delete(&mut self, ids: &[StreamId]) -> usize {
        let (mut deleted, mut first_went) = (0, false);
        for &id in ids {
            if !self.delete_one(id) {
                continue;
            }
            first_went |= id == self.meta.first_id;
            self.meta.max_deleted_id = self.meta.max_deleted_id.max(id);
            deleted += 1;
        }
        if first_went || self.len == 0 && deleted > 0 {
            self.find_first_id();
        }
        deleted
    }

    fn delete_one(&mut self, id: StreamId) -> bool {
        let Some(place) = self.nodes.seek(id, Direction::Backward) else { return false };
        let Some(node) = self.nodes.get_mut(place) else { return false };
        if !node.delete(id) {
            return false;
        }
        if node.live() == 0 {
            self.nodes.remove(place);
        }
        self.len -= 1;
        true
    }

    fn find_first_id(&mut self) {
        let first = self.iter().next().map(|entry| entry.id());
        self.meta.first_id = first.unwrap_or(StreamId::MIN);
    }

    /// Its encoding, as OBJECT ENCODING names it.
    pub const fn encoding_name(&self) -> &'static str {
        "stream"
    }

    /// Its memory on the heap, in bytes; many nodes and pending entries are estimated. O(groups + consumers).
    pub fn memory_bytes(&self) -> usize {
        let groups = self.groups.iter();
        self.nodes.memory_bytes()
            + groups.map(|(name, group)| name.len() + group.memory_bytes()).sum::<usize>()
    }
}
