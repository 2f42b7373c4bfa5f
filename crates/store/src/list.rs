//! Lists: a sequence of packed nodes of some kilobytes each. A short list is one node and nothing else.

mod chain;
mod iter;
mod node;
#[cfg(test)]
mod tests;

use chain::Chain;
pub use iter::Iter;
use node::{Node, NodeRef};

use crate::form::{Form, FormMut, FormRef};
use crate::packed::{Coded, Element, Packed};

/// How large the nodes of a list may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimits {
    /// As Redis' `list-max-listpack-size`: -1 to -5 are 4, 8, 16, 32 and 64 KiB a node; a positive number is that many
    /// elements, within 8 KiB.
    pub max_listpack_size: i32,
}

impl Default for ListLimits {
    fn default() -> Self {
        Self { max_listpack_size: -2 }
    }
}

impl ListLimits {
    /// The limits that a value of Redis' `list-max-listpack-size` stands for.
    pub const fn from_setting(max_listpack_size: i32) -> Self {
        Self { max_listpack_size }
    }

    /// Bytes that a node may have. A longer element gets a node of its own.
    pub fn node_bytes(self) -> usize {
        match self.max_listpack_size {
            0.. | -2 => 8 << 10,
            -1 => 4 << 10,
            -3 => 16 << 10,
            -4 => 32 << 10,
            _ => 64 << 10,
        }
    }

    /// Elements that a node may have.
    pub fn node_len(self) -> usize {
        match self.max_listpack_size {
            ..0 => usize::MAX,
            len => len.max(1) as usize,
        }
    }

    fn allow(self, bytes: usize, len: usize) -> bool {
        bytes <= self.node_bytes() && len <= self.node_len()
    }
}

/// One of the two ends of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Index 0.
    Front,
    /// The last index.
    Back,
}

/// A node of a list.
#[derive(Clone, Copy, Debug)]
pub enum ListNode<'a> {
    /// Elements in one packed sequence.
    Packed(&'a Packed),
    /// One element that is too long for that.
    Plain(&'a [u8]),
}

/// A list of byte strings. Pushing and popping are O(1) amortised, finding an index skips whole nodes.
pub struct List(Form<Packed, Chain>);

impl Clone for List {
    fn clone(&self) -> Self {
        Self(match self.0.get() {
            FormRef::Small(packed) => Form::small(packed.clone()),
            FormRef::Large(chain) => Form::large(Box::new(chain.clone())),
        })
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    /// Where its memory begins, if it has any: what is worth prefetching.
    #[inline]
    pub(crate) fn address(&self) -> *const u8 {
        self.0.address()
    }

    /// An empty list; allocates nothing.
    pub const fn new() -> Self {
        Self(Form::small(Packed::new()))
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self.0.get() {
            FormRef::Small(packed) => packed.len(),
            FormRef::Large(chain) => chain.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What Redis 7.0 calls this encoding.
    pub fn encoding_name(&self) -> &'static str {
        "quicklist"
    }

    /// Whether the list is a single packed node, which later versions of Redis call a listpack.
    pub fn is_single_node(&self) -> bool {
        matches!(self.0.get(), FormRef::Small(_))
    }

    /// Number of nodes.
    pub fn node_count(&self) -> usize {
        match self.0.get() {
            FormRef::Small(_) => 1,
            FormRef::Large(chain) => chain.nodes().len(),
        }
    }

    /// The nodes in order, none of them empty.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = ListNode<'_>> {
        let count = if self.is_empty() { 0 } else { self.node_count() };
        (0..count).map(|at| match self.node(at) {
            Some(NodeRef::Packed(packed)) => ListNode::Packed(packed),
            Some(NodeRef::Plain(bytes)) => ListNode::Plain(bytes),
            None => ListNode::Plain(b""),
        })
    }

    fn node(&self, index: usize) -> Option<NodeRef<'_>> {
        match self.0.get() {
            FormRef::Small(packed) => (index == 0).then_some(NodeRef::Packed(packed)),
            FormRef::Large(chain) => chain.nodes().get(index).map(Node::view),
        }
    }

    /// The node that holds `index`, and the index in there. The node does not exist if `index` is the length.
    fn locate(&self, index: usize) -> (usize, usize) {
        match self.0.get() {
            FormRef::Small(packed) => {
                if index < packed.len() {
                    (0, index)
                } else {
                    (1, 0)
                }
            }
            FormRef::Large(chain) => chain.locate(index),
        }
    }

    /// Bytes of all allocations, the handle left out. Of a long list some nodes are sampled.
    pub fn memory_bytes(&self) -> usize {
        match self.0.get() {
            FormRef::Small(packed) => packed.memory_bytes(),
            FormRef::Large(chain) => chain.memory_bytes(),
        }
    }

    fn chain(&mut self) -> &mut Chain {
        if let FormMut::Small(packed) = self.0.get_mut() {
            let packed = std::mem::take(packed);
            self.0 = Form::large(Box::new(Chain::new(packed)));
        }
        match self.0.get_mut() {
            FormMut::Large(chain) => chain,
            FormMut::Small(_) => unreachable!("made a chain just above"),
        }
    }

    /// Becomes a single node again when a chain has shrunk well below one node's bound.
    fn settle(&mut self, limits: ListLimits) {
        let single = match self.0.get_mut() {
            FormMut::Large(chain) => chain.take_single(limits),
            FormMut::Small(_) => None,
        };
        if let Some(packed) = single {
            self.0 = Form::small(packed);
        }
    }

    /// Adds an element at an end.
    pub fn push(&mut self, end: End, value: &[u8], limits: ListLimits) {
        self.push_element(end, Element::Bytes(value), limits);
    }

    /// Adds an element, as it came out of another collection, at an end.
    pub fn push_element(&mut self, end: End, element: Element<'_>, limits: ListLimits) {
        match self.0.get_mut() {
            FormMut::Small(packed) if node::fits(packed, element, limits) => node::push(packed, end, element),
            _ => self.chain().push(end, element, limits),
        }
    }

    /// Adds an element before the first.
    pub fn push_front(&mut self, value: &[u8], limits: ListLimits) {
        self.push(End::Front, value, limits);
    }

    /// Adds an element after the last.
    pub fn push_back(&mut self, value: &[u8], limits: ListLimits) {
        self.push(End::Back, value, limits);
    }

    /// The element at an end.
    pub fn peek(&self, end: End) -> Option<Element<'_>> {
        match end {
            End::Front => self.front(),
            End::Back => self.back(),
        }
    }

    /// The first element.
    pub fn front(&self) -> Option<Element<'_>> {
        self.node(0)?.front()
    }

    /// The last element.
    pub fn back(&self) -> Option<Element<'_>> {
        self.node(self.node_count().checked_sub(1)?)?.back()
    }

    /// Takes the element at an end off and shows it to `read`, without copying it.
    pub fn pop<R>(&mut self, end: End, limits: ListLimits, read: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        let result = read(self.peek(end)?);
        match self.0.get_mut() {
            FormMut::Small(packed) => match end {
                End::Front => packed.drop_front(),
                End::Back => packed.drop_back(),
            },
            FormMut::Large(chain) => {
                chain.drop_end(end);
                self.settle(limits);
            }
        }
        Some(result)
    }

    /// Takes the first element off, as a copy.
    pub fn pop_front(&mut self, limits: ListLimits) -> Option<Vec<u8>> {
        self.pop(End::Front, limits, |element| element.to_vec())
    }

    /// Takes the last element off, as a copy.
    pub fn pop_back(&mut self, limits: ListLimits) -> Option<Vec<u8>> {
        self.pop(End::Back, limits, |element| element.to_vec())
    }

    /// Moves one element to an end of another list; false if there is none.
    pub fn move_to(&mut self, from: End, other: &mut List, to: End, limits: ListLimits) -> bool {
        self.pop(from, limits, |element| other.push_element(to, element, limits)).is_some()
    }

    /// Moves one element from an end to the other or back to the same; false if there is none.
    pub fn rotate(&mut self, from: End, to: End, limits: ListLimits) -> bool {
        if from == to {
            return !self.is_empty();
        }
        match self.pop(from, limits, |element| element.to_vec()) {
            Some(value) => self.push(to, &value, limits),
            None => return false,
        }
        true
    }

    /// The element with this index. O(nodes), and a walk within one.
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        let (node, offset) = self.locate(index);
        self.node(node)?.get(offset)
    }

    /// Replaces the element with this index; false if there is none.
    pub fn set(&mut self, index: usize, value: &[u8], limits: ListLimits) -> bool {
        if index >= self.len() {
            return false;
        }
        if let FormMut::Small(packed) = self.0.get_mut()
            && node::replace(packed, index, value, limits)
        {
            return true;
        }
        self.chain().set(index, value, limits);
        self.settle(limits);
        true
    }

    /// Inserts an element so that it gets this index; false, and nothing done, beyond the length.
    pub fn insert(&mut self, index: usize, value: &[u8], limits: ListLimits) -> bool {
        if index > self.len() {
            return false;
        }
        let element = Element::Bytes(value);
        match self.0.get_mut() {
            FormMut::Small(packed) if node::fits(packed, element, limits) => packed.insert(index, element),
            _ => self.chain().insert(index, element, limits),
        }
        true
    }

    /// Inserts an element before the first one equal to `pivot`; false if there is none. O(n).
    pub fn insert_before(&mut self, pivot: &[u8], value: &[u8], limits: ListLimits) -> bool {
        self.position(pivot).is_some_and(|index| self.insert(index, value, limits))
    }

    /// Inserts an element after the first one equal to `pivot`; false if there is none. O(n).
    pub fn insert_after(&mut self, pivot: &[u8], value: &[u8], limits: ListLimits) -> bool {
        self.position(pivot).is_some_and(|index| self.insert(index + 1, value, limits))
    }

    fn position(&self, value: &[u8]) -> Option<usize> {
        let value = node::canonical(value);
        self.iter().position(|element| node::same(element, value))
    }

    /// Shows the indexes of elements equal to `value` to `found`. A `rank` of n starts with the n-th match, a negative
    /// one likewise from the end; at most `count` matches and at most `compare_max` comparisons, 0 being no bound.
    pub fn positions(
        &self,
        value: &[u8],
        rank: i64,
        count: usize,
        compare_max: usize,
        mut found: impl FnMut(usize),
    ) {
        let unbounded = |bound: usize| if bound == 0 { usize::MAX } else { bound };
        let value = node::canonical(value);
        let skip = usize::try_from(rank.unsigned_abs()).unwrap_or(usize::MAX).saturating_sub(1);
        let mut matches = |elements: &mut dyn Iterator<Item = (usize, Element<'_>)>| {
            elements
                .take(unbounded(compare_max))
                .filter(|&(_, element)| node::same(element, value))
                .skip(skip)
                .take(unbounded(count))
                .for_each(|(index, _)| found(index));
        };
        if rank < 0 {
            matches(&mut self.iter().enumerate().rev());
        } else {
            matches(&mut self.iter().enumerate());
        }
    }

    /// Removes elements equal to `value`: the first `count`, the last `-count`, or all for 0. Returns how many. O(n).
    pub fn remove(&mut self, count: i64, value: &[u8], limits: ListLimits) -> usize {
        let limit = match count {
            0 => usize::MAX,
            count => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
        };
        let end = if count < 0 { End::Back } else { End::Front };
        match self.0.get_mut() {
            FormMut::Small(packed) => node::remove_equal(packed, value, end, limit),
            FormMut::Large(chain) => {
                let removed = chain.remove_equal(value, end, limit, limits);
                self.settle(limits);
                removed
            }
        }
    }

    /// Removes `count` elements from `index` on, as far as they exist.
    pub fn remove_range(&mut self, index: usize, count: usize, limits: ListLimits) {
        let index = index.min(self.len());
        let count = count.min(self.len() - index);
        match self.0.get_mut() {
            _ if count == 0 => {}
            FormMut::Small(packed) => packed.remove_range(index, count),
            FormMut::Large(chain) => {
                chain.remove_range(index, count, limits);
                self.settle(limits);
            }
        }
    }

    /// Keeps only the elements from `start` to `stop`, both included; negative ones count from the end, -1 being the
    /// last.
    pub fn trim(&mut self, start: i64, stop: i64, limits: ListLimits) {
        let (from, to) = self.bounds(start, stop);
        self.remove_range(to, usize::MAX, limits);
        self.remove_range(0, from, limits);
    }

    /// The elements from `start` to `stop`, both included, from either end; negative ones count from the end.
    pub fn range(&self, start: i64, stop: i64) -> Iter<'_> {
        let (from, to) = self.bounds(start, stop);
        Iter::new(self, from, to)
    }

    /// Indexes as Redis takes them to a half-open range, empty as `0..0`.
    fn bounds(&self, start: i64, stop: i64) -> (usize, usize) {
        let len = self.len() as i64;
        let absolute = |index: i64| if index < 0 { index.saturating_add(len) } else { index };
        let (start, stop) = (absolute(start).max(0), absolute(stop).min(len - 1));
        if start > stop { (0, 0) } else { (start as usize, stop as usize + 1) }
    }

    /// All elements, from either end.
    pub fn iter(&self) -> Iter<'_> {
        Iter::new(self, 0, self.len())
    }

    /// The elements from `index` on, from either end.
    pub fn iter_from(&self, index: usize) -> Iter<'_> {
        Iter::new(self, index.min(self.len()), self.len())
    }
}
