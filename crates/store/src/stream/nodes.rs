//! The nodes of a stream in the order of their ids: the last one at hand, for appending, those before it in chunks.

use std::collections::VecDeque;
use std::mem::size_of;

use super::StreamId;
use super::entries::Direction;
use super::node::StreamNode;

/// Nodes of a chunk: few enough to move when one in the middle goes.
const CHUNK_LEN: usize = 256;

/// An ordered sequence of nodes. Appending and taking from the front are O(1), finding is O(log n).
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes {
    /// All nodes but the last. No chunk is empty.
    chunks: VecDeque<VecDeque<StreamNode>>,
    /// The last node; there is none only if there is no node at all.
    tail: Option<StreamNode>,
    len: usize,
}

/// Where a node is: its chunk and its index there. The chunk after all chunks is the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize, usize);

impl Nodes {
    pub(super) const fn new() -> Self {
        Self { chunks: VecDeque::new(), tail: None, len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn last(&self) -> Option<&StreamNode> {
        self.tail.as_ref()
    }

    #[inline]
    pub(super) fn last_mut(&mut self) -> Option<&mut StreamNode> {
        self.tail.as_mut()
    }

    pub(super) fn first(&self) -> Option<&StreamNode> {
        self.chunks.front().and_then(VecDeque::front).or(self.tail.as_ref())
    }

    pub(super) fn first_mut(&mut self) -> Option<&mut StreamNode> {
        self.chunks.front_mut().and_then(VecDeque::front_mut).or(self.tail.as_mut())
    }

    /// Appends a node with a greater id than all others. Returns it.
    pub(super) fn push(&mut self, node: StreamNode) -> &mut StreamNode {
        if let Some(full) = self.tail.take() {
            match self.chunks.back_mut() {
                Some(chunk) if chunk.len() < CHUNK_LEN => chunk.push_back(full),
                _ => self.chunks.push_back(VecDeque::from([full])),
            }
        }
        self.len += 1;
        self.tail.insert(node)
    }

    pub(super) fn pop_first(&mut self) -> Option<StreamNode> {
        let first = Place(0, 0);
        self.get(first).is_some().then(|| self.remove(first))?
    }

    /// Takes a node out.
    pub(super) fn remove(&mut self, place: Place) -> Option<StreamNode> {
        let removed = match self.chunks.get_mut(place.0) {
            Some(chunk) => {
                let removed = chunk.remove(place.1);
                self.drop_if_empty(place.0);
                removed
            }
            None => {
                let removed = self.tail.take();
                self.tail = self.chunks.back_mut().and_then(VecDeque::pop_back);
                self.drop_if_empty(self.chunks.len().saturating_sub(1));
                removed
            }
        };
        self.len -= usize::from(removed.is_some());
        removed
    }

    fn drop_if_empty(&mut self, chunk: usize) {
        if self.chunks.get(chunk).is_some_and(VecDeque::is_empty) {
            self.chunks.remove(chunk);
        }
    }

    #[inline]
    pub(super) fn get(&self, place: Place) -> Option<&StreamNode> {
        match self.chunks.get(place.0) {
            Some(chunk) => chunk.get(place.1),
            None => self.tail.as_ref(),
        }
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut StreamNode> {
        match self.chunks.get_mut(place.0) {
            Some(chunk) => chunk.get_mut(place.1),
            None => self.tail.as_mut(),
        }
    }

    pub(super) fn after(&self, place: Place) -> Option<Place> {
        let chunk = self.chunks.get(place.0)?;
        Some(if place.1 + 1 < chunk.len() { Place(place.0, place.1 + 1) } else { Place(place.0 + 1, 0) })
    }

    pub(super) fn before(&self, place: Place) -> Option<Place> {
        if place.1 > 0 {
            return Some(Place(place.0, place.1 - 1));
        }
        let chunk = place.0.checked_sub(1)?;
        Some(Place(chunk, self.chunks.get(chunk)?.len() - 1))
    }

    /// Where to begin reading at `id`: the last node that begins at it or before; going forward the first node, if all
    /// begin after it.
    pub(super) fn seek(&self, id: StreamId, direction: Direction) -> Option<Place> {
        let tail = self.tail.as_ref()?;
        if tail.master_id() <= id {
            return Some(Place(self.chunks.len(), 0));
        }
        let begins = |node: &StreamNode| node.master_id() <= id;
        let chunk = self.chunks.partition_point(|chunk| chunk.front().is_some_and(begins));
        let Some(chunk) = chunk.checked_sub(1) else {
            return (direction == Direction::Forward).then_some(Place(0, 0));
        };
        let index = self.chunks.get(chunk)?.partition_point(begins);
        Some(Place(chunk, index.saturating_sub(1)))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &StreamNode> {
        self.chunks.iter().flatten().chain(&self.tail)
    }

    /// Bytes on the heap: estimated from the first nodes and the last when there are many.
    pub(super) fn memory_bytes(&self) -> usize {
        const SAMPLE: usize = 8;
        let index: usize = self.chunks.capacity() * size_of::<VecDeque<StreamNode>>()
            + self.chunks.len() * CHUNK_LEN.min(self.len) * size_of::<StreamNode>();
        let before_last = self.len.saturating_sub(1);
        let sampled = before_last.min(SAMPLE);
        let bytes: usize = self.iter().take(sampled).map(StreamNode::memory_bytes).sum();
        let last = self.last().map_or(0, StreamNode::memory_bytes);
        index + last + (bytes * before_last).checked_div(sampled).unwrap_or(0)
    }
}
