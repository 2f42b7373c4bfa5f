//! Fields of hashes that expire: which hashes have any, by their first deadline, and how due fields go.
//!
//! A database knows each hash with deadlines by one of them, which is not after its first: a field that is written or
//! removed leaves the note as it is, and who comes when it falls due sets it right. So commands on fields need not know
//! of it, and only what sets a deadline says so ([`Keyspace::note_deadlines`]).

use super::{Database, Keyspace, Shard};
use crate::effects::EventClass;
use moonshard_store::{Collection, Entry, Hash};
use std::collections::BTreeSet;

/// The hashes of a database that have fields with deadlines.
#[derive(Debug)]
pub(crate) struct FieldSchedule {
    hashes: BTreeSet<(u64, Box<[u8]>)>,
    /// The first deadline noted, so that whether anything is due costs one comparison.
    first_ms: u64,
}

impl FieldSchedule {
    pub(crate) const fn new() -> Self {
        Self { hashes: BTreeSet::new(), first_ms: u64::MAX }
    }

    /// Whether some hash may have due fields.
    #[inline]
    pub(crate) const fn is_due(&self, now_ms: u64) -> bool {
        self.first_ms <= now_ms
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    fn add(&mut self, at_ms: u64, key: &[u8]) {
        self.hashes.insert((at_ms, key.into()));
        self.first_ms = self.first_ms.min(at_ms);
    }

    fn remove(&mut self, at_ms: u64, key: &[u8]) {
        self.hashes.remove(&(at_ms, key.into()));
        self.first_ms = self.hashes.first().map_or(u64::MAX, |(at, _)| *at);
    }

    /// The key whose note falls due first.
    fn first_key(&self) -> Option<Box<[u8]>> {
        self.hashes.first().map(|(_, key)| key.clone())
    }
}

/// Whether the entry is a hash with deadlines.
pub(super) fn has_deadlines(entry: &Entry) -> bool {
    matches!(entry.collection(), Some(Collection::Hash(fields)) if fields.expiring_len() > 0)
}

fn hash_in(collection: &mut Collection) -> Option<&mut Hash> {
    if let Collection::Hash(hash) = collection { Some(hash) } else { None }
}

impl Database {
    /// Hashes that have or had fields with deadlines.
    pub fn hashes_with_deadlines(&self) -> usize {
        self.field_schedule.len()
    }

    /// Notes the first deadline of the hash at `key` in place of what was noted of it. O(log n).
    pub(crate) fn note_deadlines(&mut self, hash: u64, key: &[u8]) {
        let Some(entry) = self.table.get_mut(hash, key) else { return };
        let Some(fields) = entry.collection_mut().and_then(hash_in) else { return };
        let (before, now) = (fields.scheduled(), fields.earliest_deadline());
        if before == now {
            return;
        }
        fields.schedule(now);
        if let Some(at) = before {
            self.field_schedule.remove(at, key);
        }
        if let Some(at) = now {
            self.field_schedule.add(at, key);
        }
    }

    /// Forgets a value that is no longer at `key`.
    #[inline]
    pub(crate) fn forget_deadlines(schedule: &mut FieldSchedule, key: &[u8], value: Option<&mut Collection>) {
        if schedule.is_empty() {
            return;
        }
        if let Some(fields) = value.and_then(hash_in)
            && let Some(at) = fields.scheduled()
        {
            fields.schedule(None);
            schedule.remove(at, key);
        }
    }
}

impl Shard {
    /// Removes at most `limit` due fields of the hash at `key`, and the key with the last of them, and tells it. Returns
    /// how many went.
    #[cold]
    pub(crate) fn expire_fields(
        &mut self,
        db: usize,
        key: &[u8],
        now_ms: u64,
        limit: usize,
        lazy: bool,
    ) -> usize {
        let hash = self.databases[db].table.hash(key);
        self.preserve(db, hash, key);
        let database = &mut self.databases[db];
        let entry = database.table.get_mut(hash, key);
        let Some(fields) = entry.and_then(Entry::collection_mut).and_then(hash_in) else { return 0 };
        let replayed = self.effects.audience.hears_commands();
        let mut gone: Vec<Box<[u8]>> = Vec::new();
        let removed = fields.remove_due(now_ms, limit, |field| {
            if replayed {
                gone.push(field.into());
            }
        });
        let drained = fields.is_empty();
        database.note_deadlines(hash, key);
        if removed == 0 {
            return 0;
        }
        self.stats.expired_fields += removed as u64;
        if replayed {
            let args: Vec<&[u8]> =
                [&b"HDEL"[..], key].into_iter().chain(gone.iter().map(|field| &**field)).collect();
            self.effects.replay_besides(db, &args);
        }
        self.effects.expiries += 1;
        self.effects.changed(EventClass::HASH, "hexpired", db, key);
        if drained {
            self.discard(db, hash, key, lazy);
            self.effects.expiries += 1;
            self.effects.changed(EventClass::GENERIC, "del", db, key);
        }
        removed
    }

    /// Removes at most `budget` due fields of a database. Returns how many went, and whether some are left.
    pub(crate) fn expire_fields_of(
        &mut self,
        db: usize,
        now_ms: u64,
        budget: usize,
        lazy: bool,
    ) -> (usize, bool) {
        let mut removed = 0;
        while self.databases[db].field_schedule.is_due(now_ms) {
            if removed >= budget {
                return (removed, true);
            }
            let Some(key) = self.databases[db].field_schedule.first_key() else { break };
            removed += self.expire_fields(db, &key, now_ms, budget - removed, lazy);
        }
        (removed, false)
    }
}

impl Keyspace<'_> {
    /// Takes note of the deadlines of the hash at `key`, whenever one was set.
    pub fn note_deadlines(&mut self, key: &[u8]) {
        let db = self.view.db;
        let database = &mut self.shard(key).databases[db];
        let hash = database.table.hash(key);
        database.note_deadlines(hash, key);
    }
}
