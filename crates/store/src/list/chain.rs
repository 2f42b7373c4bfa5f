//! The nodes of a list that has outgrown a single one.

use std::collections::VecDeque;
use std::mem::size_of;

use super::node::{self, Node};
use super::{Element, End, ListLimits, Packed};

/// Nodes looked at for an estimate of memory.
const SAMPLES: usize = 16;

/// A sequence of nodes, none of them empty.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    nodes: VecDeque<Node>,
    /// Elements of all nodes.
    len: usize,
}

impl Chain {
    pub(super) fn new(first: Packed) -> Self {
        let len = first.len();
        let nodes = if first.is_empty() { VecDeque::new() } else { VecDeque::from([Node::Packed(first)]) };
        Self { nodes, len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn nodes(&self) -> &VecDeque<Node> {
        &self.nodes
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let own = size_of::<Self>() + self.nodes.capacity() * size_of::<Node>();
        let count = self.nodes.len();
        let step = count.div_ceil(SAMPLES).max(1);
        let sampled: usize = self.nodes.iter().step_by(step).map(Node::memory_bytes).sum();
        own + sampled * count / count.div_ceil(step).max(1)
    }

    /// The only node, if there is one and it is small enough that it will not be too large again soon.
    pub(super) fn take_single(&mut self, limits: ListLimits) -> Option<Packed> {
        let single = self.nodes.len() <= 1;
        match self.nodes.front_mut() {
            None => Some(Packed::new()),
            Some(Node::Packed(packed)) if single && packed.bytes_len() <= limits.node_bytes() / 2 => {
                Some(std::mem::take(packed))
            }
            Some(_) => None,
        }
    }

    /// The node that holds `index` and the index in there, counted from the nearer end; one past the last node if
    /// there is no such index.
    pub(super) fn locate(&self, index: usize) -> (usize, usize) {
        if index >= self.len {
            return (self.nodes.len(), 0);
        }
        let (mut rest, mut after) = (index, self.len - index);
        if index <= self.len / 2 {
            for (at, node) in self.nodes.iter().enumerate() {
                match rest.checked_sub(node.len()) {
                    Some(less) => rest = less,
                    None => return (at, rest),
                }
            }
        } else {
            for (at, node) in self.nodes.iter().enumerate().rev() {
                match after.checked_sub(node.len()) {
                    Some(0) => return (at, 0),
                    Some(less) => after = less,
                    None => return (at, node.len() - after),
                }
            }
        }
        (self.nodes.len(), 0)
    }

    pub(super) fn push(&mut self, end: End, element: Element<'_>, limits: ListLimits) {
        self.len += 1;
        let outer = match end {
            End::Front => self.nodes.front_mut(),
            End::Back => self.nodes.back_mut(),
        };
        if let Some(packed) = outer.and_then(|outer| outer.with_room(element, limits)) {
            return node::push(packed, end, element);
        }
        let new = Node::new(element, limits);
        match end {
            End::Front => self.nodes.push_front(new),
            End::Back => self.nodes.push_back(new),
        }
    }

    /// Removes the element at an end; there must be one.
    pub(super) fn drop_end(&mut self, end: End) {
        let outer = match end {
            End::Front => self.nodes.front_mut(),
            End::Back => self.nodes.back_mut(),
        };
        let Some(outer) = outer else { return };
        self.len -= 1;
        match (outer, end) {
            (Node::Packed(packed), End::Front) if packed.len() > 1 => packed.drop_front(),
            (Node::Packed(packed), End::Back) if packed.len() > 1 => packed.drop_back(),
            (_, End::Front) => drop(self.nodes.pop_front()),
            (_, End::Back) => drop(self.nodes.pop_back()),
        }
    }

    pub(super) fn set(&mut self, index: usize, value: &[u8], limits: ListLimits) {
        let (at, offset) = self.locate(index);
        let replaced = match self.nodes.get_mut(at) {
            Some(Node::Packed(packed)) => node::replace(packed, offset, value, limits),
            Some(Node::Plain(bytes)) if node::is_plain(Element::Bytes(value), limits) => {
                *bytes = value.into();
                true
            }
            _ => false,
        };
        if replaced {
            return;
        }
        self.remove_range(index, 1, limits);
        self.insert(index, Element::Bytes(value), limits);
    }

    /// Inserts an element so that it gets this index, at most the length.
    pub(super) fn insert(&mut self, index: usize, element: Element<'_>, limits: ListLimits) {
        if index == 0 {
            return self.push(End::Front, element, limits);
        }
        if index >= self.len {
            return self.push(End::Back, element, limits);
        }
        let (at, offset) = self.locate(index);
        self.len += 1;
        if let Some(packed) = self.nodes[at].with_room(element, limits) {
            return packed.insert(offset, element);
        }
        if offset == 0 {
            // `at` is not the first node, or the index would be 0.
            match self.nodes[at - 1].with_room(element, limits) {
                Some(packed) => packed.push_back_element(element),
                None => self.nodes.insert(at, Node::new(element, limits)),
            }
            return;
        }
        self.split(at, offset);
        if let Some(packed) = self.nodes[at].with_room(element, limits) {
            packed.push_back_element(element);
        } else if let Some(packed) = self.nodes[at + 1].with_room(element, limits) {
            packed.push_front_element(element);
        } else {
            self.nodes.insert(at + 1, Node::new(element, limits));
        }
    }

    /// Cuts a packed node in two before the element with this index.
    fn split(&mut self, at: usize, offset: usize) {
        if let Node::Packed(packed) = &mut self.nodes[at] {
            let right = packed.split_off(offset);
            self.nodes.insert(at + 1, Node::Packed(right));
        }
    }

    /// Removes `count` elements from `index` on; all must exist.
    pub(super) fn remove_range(&mut self, index: usize, count: usize, limits: ListLimits) {
        let (mut at, offset) = self.locate(index);
        let mut rest = count;
        self.len -= count;
        if offset > 0
            && let Node::Packed(packed) = &mut self.nodes[at]
        {
            let here = rest.min(packed.len() - offset);
            packed.remove_range(offset, here);
            rest -= here;
            at += 1;
        }
        let first = at;
        while let Some(node) = self.nodes.get(at).filter(|node| node.len() <= rest) {
            rest -= node.len();
            at += 1;
        }
        self.nodes.drain(first..at);
        if let Some(Node::Packed(packed)) = self.nodes.get_mut(first) {
            packed.remove_range(0, rest);
        }
        self.merge(first, limits);
        if first > 0 {
            self.merge(first - 1, limits);
        }
    }

    /// Joins a node and the next one if they fit in one.
    fn merge(&mut self, at: usize, limits: ListLimits) {
        let Some(next) = self.nodes.get_mut(at + 1) else { return };
        let next = std::mem::replace(next, Node::Plain(Box::default()));
        if self.nodes[at].absorb(&next, limits) {
            self.nodes.remove(at + 1);
        } else {
            self.nodes[at + 1] = next;
        }
    }

    /// Removes up to `limit` elements equal to `value`, beginning at `end`.
    pub(super) fn remove_equal(&mut self, value: &[u8], end: End, limit: usize, limits: ListLimits) -> usize {
        let mut rest = limit;
        let count = self.nodes.len();
        for step in 0..count {
            if rest == 0 {
                break;
            }
            let at = if end == End::Front { step } else { count - 1 - step };
            rest -= match &mut self.nodes[at] {
                Node::Packed(packed) => node::remove_equal(packed, value, end, rest),
                plain @ Node::Plain(_) => {
                    let equal = matches!(plain, Node::Plain(bytes) if **bytes == *value);
                    if equal {
                        *plain = Node::Packed(Packed::new());
                    }
                    usize::from(equal)
                }
            };
        }
        let removed = limit - rest;
        self.len -= removed;
        if removed > 0 {
            self.compact(limits);
        }
        removed
    }

    /// Drops empty nodes and joins small neighbours.
    fn compact(&mut self, limits: ListLimits) {
        let mut kept: VecDeque<Node> = VecDeque::with_capacity(self.nodes.len());
        for node in self.nodes.drain(..).filter(|node| node.len() > 0) {
            let joined = kept.back_mut().is_some_and(|last| last.absorb(&node, limits));
            if !joined {
                kept.push_back(node);
            }
        }
        kept.shrink_to_fit();
        self.nodes = kept;
    }
}
