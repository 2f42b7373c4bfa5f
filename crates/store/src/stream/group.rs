//! Consumer groups: how far a group has read, and which entries wait for whose acknowledgement.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::size_of;

use super::{Direction, Entries, Nodes, Stream, StreamEntry, StreamId, StreamMeta};

/// A consumer of a group, until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerRef(u32);

/// An entry that was delivered and not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it was delivered last: Unix time in milliseconds.
    pub delivered_ms: u64,
    /// How often it was delivered.
    pub deliveries: u64,
    /// To whom it was delivered last.
    pub consumer: ConsumerRef,
}

/// A member of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last asked for something: Unix time in milliseconds.
    pub seen_ms: u64,
    /// When it last got something, if it ever did: Unix time in milliseconds.
    pub active_ms: Option<u64>,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many entries wait for its acknowledgement.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The entries that wait for its acknowledgement, from `first` to `last`, both included.
    pub fn pending(&self, first: StreamId, last: StreamId) -> impl Iterator<Item = StreamId> {
        let range = (first <= last).then(|| self.pending.range(first..=last).copied());
        range.into_iter().flatten()
    }
}

/// How an entry changes hands.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// Who gets it.
    pub consumer: ConsumerRef,
    /// When it counts as delivered: Unix time in milliseconds.
    pub delivered_ms: u64,
    /// How often it counts as delivered, if that is said.
    pub deliveries: Option<u64>,
    /// Whether the claim counts as a delivery, if nothing else is said.
    pub counts: bool,
}

/// A group of consumers that share a stream's entries.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The last entry that was delivered.
    pub last_id: StreamId,
    /// How many of the entries ever added the group has read, if that is known.
    pub entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Pending>,
    names: BTreeMap<Box<[u8]>, ConsumerRef>,
    /// By [`ConsumerRef`]; there are gaps where consumers were removed.
    consumers: Vec<Option<Consumer>>,
}

impl Group {
    fn new(last_id: StreamId, entries_read: Option<u64>) -> Self {
        Self { last_id, entries_read, ..Self::default() }
    }

    /// The consumer of this name. O(log consumers).
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerRef> {
        self.names.get(name).copied()
    }

    /// A consumer that is there.
    pub fn consumer(&self, consumer: ConsumerRef) -> Option<&Consumer> {
        self.consumers.get(consumer.0 as usize)?.as_ref()
    }

    /// A consumer that is there, to change its times.
    pub fn consumer_mut(&mut self, consumer: ConsumerRef) -> Option<&mut Consumer> {
        self.consumers.get_mut(consumer.0 as usize)?.as_mut()
    }

    /// The name of a consumer; empty when it is gone.
    pub fn consumer_name(&self, consumer: ConsumerRef) -> &[u8] {
        self.consumer(consumer).map_or(&[], Consumer::name)
    }

    /// The consumers, by name.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.names.values().filter_map(|&consumer| self.consumer(consumer))
    }

    /// How many consumers there are.
    pub fn consumers_len(&self) -> usize {
        self.names.len()
    }

    /// Adds a consumer that was seen at this time; `None` if there is one of this name.
    pub fn create_consumer(&mut self, name: &[u8], seen_ms: u64) -> Option<ConsumerRef> {
        if self.names.contains_key(name) {
            return None;
        }
        let index = match self.consumers.iter().position(Option::is_none) {
            Some(gap) => gap,
            None => {
                self.consumers.push(None);
                self.consumers.len() - 1
            }
        };
        let consumer = ConsumerRef(u32::try_from(index).ok()?);
        self.consumers[index] =
            Some(Consumer { name: name.into(), seen_ms, active_ms: None, pending: BTreeSet::new() });
        self.names.insert(name.into(), consumer);
        Some(consumer)
    }

    /// Removes a consumer, and with it what waited for its acknowledgement: how much that was. `None` if there is no
    /// such consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let consumer = self.names.remove(name)?;
        let gone = self.consumers.get_mut(consumer.0 as usize)?.take()?;
        for id in &gone.pending {
            self.pending.remove(id);
        }
        Some(gone.pending.len())
    }

    /// How many entries wait for an acknowledgement.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The entries that wait for an acknowledgement, from `first` to `last`, both included.
    pub fn pending(
        &self,
        first: StreamId,
        last: StreamId,
    ) -> impl DoubleEndedIterator<Item = (StreamId, &Pending)> {
        let range = (first <= last).then(|| self.pending.range(first..=last));
        range.into_iter().flatten().map(|(&id, pending)| (id, pending))
    }

    /// What is known of an entry that waits for its acknowledgement. O(log pending).
    pub fn find_pending(&self, id: StreamId) -> Option<&Pending> {
        self.pending.get(&id)
    }

    /// Delivers an entry to a consumer for the first time. If it was pending already, which a group that was set back
    /// brings about, it changes hands.
    pub fn deliver(&mut self, id: StreamId, consumer: ConsumerRef, now_ms: u64) {
        self.assign(id, Pending { delivered_ms: now_ms, deliveries: 1, consumer });
        if let Some(consumer) = self.consumer_mut(consumer) {
            consumer.active_ms = Some(now_ms);
        }
    }

    /// Makes an entry pending as given, whether or not it was. A consumer that is not there gets nothing. Returns
    /// whether it is. O(log pending).
    pub fn assign(&mut self, id: StreamId, pending: Pending) -> bool {
        let Some(Some(owner)) = self.consumers.get_mut(pending.consumer.0 as usize) else { return false };
        owner.pending.insert(id);
        if let Some(before) = self.pending.insert(id, pending)
            && before.consumer != pending.consumer
            && let Some(former) = self.consumer_mut(before.consumer)
        {
            former.pending.remove(&id);
        }
        true
    }

    /// Counts one more delivery, at this time, of an entry to its own consumer.
    pub fn redeliver(&mut self, id: StreamId, now_ms: u64) {
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.delivered_ms = now_ms;
            pending.deliveries += 1;
        }
    }

    /// Gives an entry to a consumer, whether it was pending or not. Returns what is known of it then.
    pub fn claim(&mut self, id: StreamId, claim: &Claim, now_ms: u64) -> Pending {
        // An entry that was not pending counts as delivered once.
        let before = self.pending.get(&id).map_or(1, |pending| pending.deliveries);
        let deliveries = claim.deliveries.unwrap_or(before.saturating_add(claim.counts.into()));
        let pending = Pending { delivered_ms: claim.delivered_ms, deliveries, consumer: claim.consumer };
        self.assign(id, pending);
        if let Some(consumer) = self.consumer_mut(claim.consumer) {
            consumer.active_ms = Some(now_ms);
        }
        pending
    }

    /// Takes an entry off the pending ones. Returns whether it was one. O(log pending).
    pub fn acknowledge(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else { return false };
        if let Some(consumer) = self.consumer_mut(pending.consumer) {
            consumer.pending.remove(&id);
        }
        true
    }

    /// Its memory on the heap, in bytes; the trees' share is estimated.
    pub(super) fn memory_bytes(&self) -> usize {
        // Every pending entry is in two trees, whose nodes are two thirds full.
        const PENDING_BYTES: usize = (2 * size_of::<StreamId>() + size_of::<Pending>()) * 3 / 2;
        let consumers = self.consumers.capacity() * size_of::<Option<Consumer>>();
        let names: usize = self.consumers().map(|consumer| 2 * consumer.name.len() + 40).sum();
        self.pending.len() * PENDING_BYTES + consumers + names
    }
}

/// A stream without its groups: what is read while a group changes.
#[derive(Clone, Copy, Debug)]
pub struct StreamView<'a> {
    nodes: &'a Nodes,
    len: usize,
    meta: &'a StreamMeta,
}

impl<'a> StreamView<'a> {
    /// The entries from `first` to `last`, both included.
    #[inline]
    pub fn range(&self, first: StreamId, last: StreamId, direction: Direction) -> Entries<'a> {
        Entries::new(self.nodes, first, last, direction)
    }

    /// The entry with this id.
    pub fn get(&self, id: StreamId) -> Option<StreamEntry<'a>> {
        self.range(id, id, Direction::Forward).next()
    }

    /// Whether entries may have been deleted from `start` on.
    fn has_gaps_from(&self, start: StreamId) -> bool {
        let deleted = self.meta.max_deleted_id;
        self.len > 0 && deleted != StreamId::MIN && self.meta.first_id <= deleted && start <= deleted
    }

    /// How many of the entries ever added have ids up to `id`, where that can be told without counting them.
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        let StreamMeta { last_id, first_id, max_deleted_id, entries_added } = *self.meta;
        if entries_added == 0 {
            return Some(0);
        }
        if id == last_id || self.len == 0 && id < last_id {
            return Some(entries_added);
        }
        if id > last_id || max_deleted_id != StreamId::MIN && max_deleted_id >= first_id {
            return None;
        }
        let before_first = entries_added.wrapping_sub(self.len as u64);
        match id.cmp(&first_id) {
            std::cmp::Ordering::Less => Some(before_first),
            std::cmp::Ordering::Equal => Some(before_first.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Notes that `group` reads the entry with this id, which is beyond its last one.
    pub fn advance(&self, group: &mut Group, id: StreamId) {
        match group.entries_read {
            Some(read) if !self.has_gaps_from(id) => group.entries_read = Some(read.wrapping_add(1)),
            _ if self.meta.entries_added > 0 => group.entries_read = self.entries_up_to(id),
            _ => {}
        }
        group.last_id = id;
    }

    /// How many entries `group` has still to read, if that can be told.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        let added = self.meta.entries_added;
        if added == 0 {
            return Some(0);
        }
        let read = match group.entries_read {
            Some(read) if !self.has_gaps_from(group.last_id) => Some(read),
            _ => self.entries_up_to(group.last_id),
        };
        read.map(|read| added.wrapping_sub(read) as i64)
    }
}

impl Stream {
    /// The stream without its groups.
    pub fn view(&self) -> StreamView<'_> {
        StreamView { nodes: &self.nodes, len: self.len, meta: &self.meta }
    }

    /// A group, to change, and the rest of the stream to read meanwhile. O(log groups).
    pub fn with_group(&mut self, name: &[u8]) -> Option<(StreamView<'_>, &mut Group)> {
        let view = StreamView { nodes: &self.nodes, len: self.len, meta: &self.meta };
        let group = self.groups.get_mut(name)?;
        Some((view, group))
    }

    /// A group. O(log groups).
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&**name, group))
    }

    /// How many groups there are.
    pub fn groups_len(&self) -> usize {
        self.groups.len()
    }

    /// Adds a group that has read up to `last_id`; `None` if there is one of this name.
    pub fn create_group(
        &mut self,
        name: &[u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> Option<&mut Group> {
        use std::collections::btree_map::Entry;
        match self.groups.entry(name.into()) {
            Entry::Vacant(vacant) => Some(vacant.insert(Group::new(last_id, entries_read))),
            Entry::Occupied(_) => None,
        }
    }

    /// Removes a group. Returns whether it was there.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        self.groups.remove(name).is_some()
    }
}
