//! A run of entries in one packed sequence, in the coding of Redis' stream nodes.
//!
//! The sequence starts with the master entry, the fields of the first entry: `n field-1 .. field-n 0`. An entry is
//! `flags ms seq value-1 .. value-n pieces` if it has the master's fields, else
//! `flags ms seq n field-1 value-1 .. field-n value-n pieces`; its id is a difference to the node's, and `pieces` says how
//! many elements precede it in the entry, for walking backwards. How many entries there are, and how many of them are
//! deleted, stands before all this in Redis and beside it here.

use super::StreamId;
use super::entries::{Direction, Entry};
use crate::packed::{Coded, Packed, Walk};

/// The entry is deleted.
const DELETED: u8 = 1;
/// The entry's fields are the master's.
const SAME_FIELDS: u8 = 2;
/// A listpack's own bytes: its sizes before the elements, and the mark after them.
pub(super) const LISTPACK_FRAME: usize = 7;

/// A run of entries. All of them can be deleted, where trimming by id left an earlier tombstone in place.
#[derive(Clone, Debug)]
pub struct StreamNode {
    master_id: StreamId,
    items: Packed,
    /// Entries that are not deleted.
    live: u32,
    deleted: u32,
    /// Offset of an entry before which all are deleted.
    live_from: u32,
}

/// The start of an entry: what goes before its fields and values.
struct Head {
    flags: u8,
    id: StreamId,
    fields: usize,
    /// Elements after these and before the count of pieces.
    body: usize,
}

impl StreamNode {
    /// A node whose first entry, to be appended next, has this id and these fields (and values) in turn.
    pub(super) fn new(master_id: StreamId, pairs: &[&[u8]]) -> Self {
        let mut items = Packed::new();
        items.push_back_int((pairs.len() / 2) as i64);
        for pair in pairs.chunks_exact(2) {
            items.push_back(pair[0]);
        }
        items.push_back_int(0);
        let live_from = items.bytes_len() as u32;
        Self { master_id, items, live: 0, deleted: 0, live_from }
    }

    /// The id that the entries' ids are differences to: that of the first one ever in the node.
    #[inline]
    pub const fn master_id(&self) -> StreamId {
        self.master_id
    }

    /// Entries that are not deleted.
    #[inline]
    pub const fn live(&self) -> usize {
        self.live as usize
    }

    /// Entries, deleted ones included.
    #[inline]
    pub(super) const fn entries_ever(&self) -> u64 {
        self.live as u64 + self.deleted as u64
    }

    /// The id of the first entry that is not deleted.
    pub fn first_live_id(&self) -> Option<StreamId> {
        self.entries(Direction::Forward).next().map(|entry| entry.id())
    }

    /// Bytes that the node would take as a listpack of Redis.
    #[inline]
    pub fn listpack_len(&self) -> usize {
        let counts = Coded::int(self.live.into()).total() + Coded::int(self.deleted.into()).total();
        LISTPACK_FRAME + counts + self.items.bytes_len()
    }

    /// Elements that the node would have as a listpack of Redis.
    pub fn listpack_elements(&self) -> usize {
        self.items.len() + 2
    }

    /// Appends the node as a listpack of Redis, its frame included. O(bytes).
    pub fn write_listpack(&self, out: &mut Vec<u8>) {
        let mut counts = Packed::new();
        counts.push_back_int(self.live.into());
        counts.push_back_int(self.deleted.into());
        let elements = u16::try_from(self.listpack_elements()).unwrap_or(u16::MAX);
        out.extend_from_slice(&(self.listpack_len() as u32).to_le_bytes());
        out.extend_from_slice(&elements.to_le_bytes());
        out.extend_from_slice(counts.raw());
        out.extend_from_slice(self.items.raw());
        out.push(0xff);
    }

    /// Reads a node from the elements of a listpack of Redis, without its frame. They may come from anywhere: `None`
    /// if they are no node. O(bytes).
    pub fn from_listpack(master_id: StreamId, elements: &[u8]) -> Option<Self> {
        let mut items = Packed::from_raw(elements)?;
        let count = |index| items.get(index).and_then(|element| u32::try_from(element.as_int()?).ok());
        let (live, deleted) = (count(0)?, count(1)?);
        items.remove_range(0, 2);
        let mut node = Self { master_id, items, live, deleted, live_from: 0 };
        let mut walk = node.items.walk_from(0);
        let fields = walk.next().and_then(|element| usize::try_from(element.as_int()?).ok())?;
        walk.skip(fields.min(node.items.len()));
        if walk.next()?.as_int()? != 0 {
            return None;
        }
        let live_from = walk.offset();
        node.live_from = u32::try_from(live_from).ok()?;
        node.is_sound(live_from, fields).then_some(node)
    }

    /// Whether what follows the master entry are entries in ascending order, as many as were counted.
    fn is_sound(&self, start: usize, master_fields: usize) -> bool {
        let (mut live, mut deleted, mut last) = (0u64, 0u64, None);
        let mut walk = self.items.walk_from(start);
        while !walk.is_at_end() {
            let mut number = || walk.next().and_then(|element| element.as_int());
            let (Some(flags @ 0..=3), Some(ms), Some(seq)) = (number(), number(), number()) else {
                return false;
            };
            let same = flags & i64::from(SAME_FIELDS) != 0;
            let own = if same { Some(master_fields) } else { number().and_then(|n| usize::try_from(n).ok()) };
            let Some(fields) = own.filter(|&n| n <= self.items.len()) else { return false };
            let id = self.master_id.at_delta(ms, seq);
            if id < self.master_id || last.is_some_and(|last| id <= last) {
                return false;
            }
            last = Some(id);
            let pieces = if same { fields + 3 } else { fields * 2 + 4 };
            walk.skip(if same { fields } else { fields * 2 });
            if walk.next().and_then(|element| element.as_int()) != Some(pieces as i64) {
                return false;
            }
            *(if flags & i64::from(DELETED) != 0 { &mut deleted } else { &mut live }) += 1;
        }
        live + deleted > 0 && (live, deleted) == (self.live.into(), self.deleted.into())
    }

    /// Bytes of the node on the heap.
    pub(super) fn memory_bytes(&self) -> usize {
        self.items.memory_bytes()
    }

    /// Whether the fields of `pairs` are the master's.
    fn has_fields(&self, pairs: &[&[u8]]) -> bool {
        let mut walk = self.items.walk_from(0);
        let count = walk.next().and_then(|element| element.as_int());
        count == Some((pairs.len() / 2) as i64)
            && pairs.chunks_exact(2).all(|pair| walk.next().is_some_and(|field| field.is(pair[0])))
    }

    /// Appends an entry of these fields and values in turn; `id` is greater than all in the node.
    pub(super) fn append(&mut self, id: StreamId, pairs: &[&[u8]]) {
        let same = self.live == 0 && self.deleted == 0 || self.has_fields(pairs);
        let (ms, seq) = id.delta(self.master_id);
        let items = &mut self.items;
        items.push_back_int(if same { SAME_FIELDS.into() } else { 0 });
        items.push_back_int(ms);
        items.push_back_int(seq);
        if same {
            pairs.iter().skip(1).step_by(2).for_each(|value| items.push_back(value));
            items.push_back_int((pairs.len() / 2 + 3) as i64);
        } else {
            items.push_back_int((pairs.len() / 2) as i64);
            pairs.iter().for_each(|part| items.push_back(part));
            items.push_back_int((pairs.len() + 4) as i64);
        }
        self.live += 1;
    }

    /// How many fields the master entry has, and where they start.
    fn master_fields(&self) -> (usize, Walk<'_>) {
        let mut walk = self.items.walk_from(0);
        let count = walk.next().and_then(|element| element.as_int()).unwrap_or(0);
        (count as usize, walk)
    }

    /// Reads the start of the entry at `walk`, which then is at its fields and values.
    #[inline]
    fn head(&self, walk: &mut Walk<'_>, master_fields: usize) -> Option<Head> {
        let flags = walk.next()?.as_int()? as u8;
        let (ms, seq) = (walk.next()?.as_int()?, walk.next()?.as_int()?);
        let id = self.master_id.at_delta(ms, seq);
        if flags & SAME_FIELDS != 0 {
            return Some(Head { flags, id, fields: master_fields, body: master_fields });
        }
        let fields = walk.next()?.as_int()? as usize;
        Some(Head { flags, id, fields, body: fields * 2 })
    }

    /// A walk over the node's entries, from its first or from its last one on.
    pub(super) fn entries(&self, direction: Direction) -> NodeEntries<'_> {
        let (master_fields, master) = self.master_fields();
        let walk = match direction {
            Direction::Forward => self.items.walk_from(self.live_from as usize),
            Direction::Backward => self.items.walk_from_end(),
        };
        NodeEntries { node: self, master, master_fields, walk, direction }
    }

    /// The id of the last entry, deleted or not.
    pub(super) fn last_id(&self) -> StreamId {
        let mut walk = self.items.walk_from_end();
        let pieces = walk.prev().and_then(|element| element.as_int()).unwrap_or(0);
        walk.skip_back(pieces as usize);
        self.head(&mut walk, 0).map_or(self.master_id, |head| head.id)
    }

    /// The id of the first entry, deleted or not.
    pub(super) fn first_id(&self) -> StreamId {
        let (count, mut walk) = self.master_fields();
        walk.skip(count + 1);
        self.head(&mut walk, count).map_or(self.master_id, |head| head.id)
    }

    /// Marks entries as deleted, from the first one on, as long as `goes` says so of their ids. Returns how many of
    /// those were not deleted before.
    pub(super) fn delete_while(&mut self, mut goes: impl FnMut(StreamId) -> bool) -> usize {
        let mut removed = 0;
        let (master_fields, _) = self.master_fields();
        let mut at = self.live_from as usize;
        while at < self.items.bytes_len() {
            let mut walk = self.items.walk_from(at);
            let Some(head) = self.head(&mut walk, master_fields) else { break };
            walk.skip(head.body + 1);
            let next = walk.offset();
            if head.flags & DELETED == 0 {
                if !goes(head.id) {
                    break;
                }
                self.items.set_small(at, head.flags | DELETED);
                removed += 1;
            }
            at = next;
        }
        self.live_from = at as u32;
        self.live -= removed as u32;
        self.deleted += removed as u32;
        removed
    }

    /// Marks the entry with this id as deleted. Returns whether it was there. The caller drops a node that has none left.
    pub(super) fn delete(&mut self, id: StreamId) -> bool {
        let (master_fields, _) = self.master_fields();
        let mut walk = self.items.walk_from(self.live_from as usize);
        while !walk.is_at_end() {
            let at = walk.offset();
            let Some(head) = self.head(&mut walk, master_fields) else { return false };
            if head.id > id {
                return false;
            }
            if head.id == id {
                let found = head.flags & DELETED == 0;
                if found {
                    self.items.set_small(at, head.flags | DELETED);
                    self.live -= 1;
                    self.deleted += 1;
                }
                return found;
            }
            walk.skip(head.body + 1);
        }
        false
    }
}

/// Entries of a node that are not deleted, in one direction.
#[derive(Clone, Debug)]
pub(super) struct NodeEntries<'a> {
    node: &'a StreamNode,
    master: Walk<'a>,
    master_fields: usize,
    walk: Walk<'a>,
    direction: Direction,
}

impl<'a> NodeEntries<'a> {
    /// The entry at `walk`, which then is behind it.
    #[inline]
    fn read(&self, walk: &mut Walk<'a>) -> Option<(bool, Entry<'a>)> {
        let head = self.node.head(walk, self.master_fields)?;
        let master = (head.flags & SAME_FIELDS != 0).then_some(self.master);
        let entry = Entry::new(head.id, head.fields, master, *walk);
        walk.skip(head.body + 1);
        Some((head.flags & DELETED != 0, entry))
    }
}

impl<'a> Iterator for NodeEntries<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (deleted, entry) = match self.direction {
                Direction::Forward => {
                    let mut walk = self.walk;
                    let read = self.read(&mut walk)?;
                    self.walk = walk;
                    read
                }
                Direction::Backward => {
                    let pieces = self.walk.prev()?.as_int()?;
                    // The master entry ends with a zero.
                    if pieces <= 0 || !self.walk.skip_back(pieces as usize) {
                        return None;
                    }
                    let mut walk = self.walk;
                    self.read(&mut walk)?
                }
            };
            if !deleted {
                return Some(entry);
            }
        }
    }
}
