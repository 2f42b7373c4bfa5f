//! Walking a list in either direction from any index.

use super::node::NodeIter;
use super::{Element, List};

/// Elements of a part of a list, from either end. Finding the first one of a direction is O(nodes), every other O(1).
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    list: &'a List,
    /// Indexes not given out yet: `from..to`. The cursors below never need to know of each other.
    from: usize,
    to: usize,
    front: Option<(usize, NodeIter<'a>)>,
    back: Option<(usize, NodeIter<'a>)>,
}

impl<'a> Iter<'a> {
    pub(super) fn new(list: &'a List, from: usize, to: usize) -> Self {
        Self { list, from, to, front: None, back: None }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        if self.from == self.to {
            return None;
        }
        let (node, elements) = match &mut self.front {
            Some(cursor) => cursor,
            None => {
                let (node, offset) = self.list.locate(self.from);
                self.front.insert((node, self.list.node(node)?.iter_from(offset)))
            }
        };
        self.from += 1;
        loop {
            if let Some(element) = elements.next() {
                return Some(element);
            }
            *node += 1;
            *elements = self.list.node(*node)?.iter_from(0);
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.to - self.from, Some(self.to - self.from))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.from == self.to {
            return None;
        }
        self.to -= 1;
        let (node, elements) = match &mut self.back {
            Some(cursor) => cursor,
            None => {
                let (node, offset) = self.list.locate(self.to);
                self.back.insert((node, self.list.node(node)?.iter_through(offset)))
            }
        };
        loop {
            if let Some(element) = elements.next_back() {
                return Some(element);
            }
            *node = node.checked_sub(1)?;
            *elements = self.list.node(*node)?.iter_through(usize::MAX);
        }
    }
}

impl ExactSizeIterator for Iter<'_> {}
