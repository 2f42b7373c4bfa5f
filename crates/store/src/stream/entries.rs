//! Entries of a stream as they are read.

use super::StreamId;
use super::node::NodeEntries;
use super::nodes::{Nodes, Place};
use crate::packed::{Element, Walk};

/// Which way a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the least id up.
    Forward,
    /// From the greatest id down.
    Backward,
}

/// An entry that is not deleted.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    id: StreamId,
    fields: usize,
    /// Where the fields' names are, if not beside the values.
    master: Option<Walk<'a>>,
    body: Walk<'a>,
}

impl<'a> Entry<'a> {
    #[inline]
    pub(super) fn new(id: StreamId, fields: usize, master: Option<Walk<'a>>, body: Walk<'a>) -> Self {
        Self { id, fields, master, body }
    }

    /// Its id.
    #[inline]
    pub const fn id(&self) -> StreamId {
        self.id
    }

    /// The number of its fields. A field can occur more than once.
    #[inline]
    pub const fn len(&self) -> usize {
        self.fields
    }

    /// Whether it has no field.
    pub const fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// Its fields and values, in the order in which they were given.
    #[inline]
    pub fn fields(&self) -> Fields<'a> {
        Fields { left: self.fields, master: self.master, body: self.body }
    }
}

/// Fields and values of an entry.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    left: usize,
    master: Option<Walk<'a>>,
    body: Walk<'a>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let field = match &mut self.master {
            Some(master) => master.next()?,
            None => self.body.next()?,
        };
        Some((field, self.body.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// The entries of a stream whose ids lie in a range, in one direction.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    nodes: &'a Nodes,
    place: Option<Place>,
    current: Option<NodeEntries<'a>>,
    first: StreamId,
    last: StreamId,
    direction: Direction,
    /// Whether an entry of the range was seen: from then on none lies before it.
    inside: bool,
}

impl<'a> Entries<'a> {
    /// The entries from `first` to `last`, both included.
    pub(super) fn new(nodes: &'a Nodes, first: StreamId, last: StreamId, direction: Direction) -> Self {
        let start = match direction {
            Direction::Forward => first,
            Direction::Backward => last,
        };
        let place = if first > last { None } else { nodes.seek(start, direction) };
        let current = place.and_then(|place| nodes.get(place)).map(|node| node.entries(direction));
        Self { nodes, place, current, first, last, direction, inside: false }
    }

    /// Goes on to the next node. Returns whether there is one.
    #[cold]
    fn turn(&mut self) -> bool {
        let Some(place) = self.place else { return false };
        self.place = match self.direction {
            Direction::Forward => self.nodes.after(place),
            Direction::Backward => self.nodes.before(place),
        };
        self.current =
            self.place.and_then(|place| self.nodes.get(place)).map(|node| node.entries(self.direction));
        self.current.is_some()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let Some(entry) = self.current.as_mut()?.next() else {
                if !self.turn() {
                    return None;
                }
                continue;
            };
            let (before, beyond) = match self.direction {
                Direction::Forward => (entry.id < self.first, entry.id > self.last),
                Direction::Backward => (entry.id > self.last, entry.id < self.first),
            };
            if beyond {
                self.current = None;
                return None;
            }
            if self.inside || !before {
                self.inside = true;
                return Some(entry);
            }
        }
    }
}
