//! What commands do with a whole database rather than with single keys.

use super::{Keyspace, Shard, Shards};
use crate::cursor::Cursor;
use crate::effects::EventClass;
use crate::rng::Rng;
use moonshard_store::Entry;

impl Keyspace<'_> {
    /// Keys of the selected database in the locked shards, those included that are due but were not looked at.
    pub fn len(&self) -> usize {
        let db = self.view.db;
        match &self.shards {
            Shards::None => 0,
            Shards::One(shard) => shard.databases[db].len(),
            Shards::Many(shards) => shards.iter().flatten().map(|shard| shard.databases[db].len()).sum(),
        }
    }

    /// Whether the selected database has no key in the locked shards.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Visits every key of the selected database in the locked shards, but for those that are due. O(n).
    pub fn each_entry(&mut self, mut visit: impl FnMut(&Entry)) {
        let (db, due_ms) = (self.view.db, self.due_ms());
        for shard in self.each_shard() {
            let alive = |entry: &&Entry| !is_due(entry, due_ms);
            shard.databases[db].table.iter().filter(alive).for_each(&mut visit);
        }
    }

    /// Draws a key of the locked shards uniformly and shows it to `visit`. Keys that are due go on the way. Returns
    /// whether there was one. O(shards).
    pub fn random_key(&mut self, rng: &mut Rng, visit: impl FnOnce(&[u8])) -> bool {
        let (db, due_ms, lazy) = (self.view.db, self.due_ms(), self.settings.lazy_expire);
        loop {
            let total = self.len();
            if total == 0 {
                return false;
            }
            let mut at = rng.below(total as u64) as usize;
            let holds_it = |shard: &&mut Shard| {
                let len = shard.databases[db].len();
                let here = at < len;
                at = at.wrapping_sub(if here { 0 } else { len });
                here
            };
            let Some(shard) = self.each_shard().find(holds_it) else { return false };
            let Some(entry) = shard.databases[db].table.random(|| rng.next()) else { return false };
            if !is_due(entry, due_ms) {
                visit(entry.key());
                return true;
            }
            let key = entry.key().to_vec();
            shard.expire(db, shard.databases[db].table.hash(&key), &key, lazy);
        }
    }

    /// The place that a client's cursor means.
    pub fn cursor(&self, number: u64) -> Cursor {
        let shards = match &self.shards {
            Shards::One(shard) => shard.shards(),
            Shards::Many(shards) => shards.len(),
            Shards::None => unreachable!("an iteration without a shard"),
        };
        Cursor::decode(number, shards)
    }

    /// Whether the shard with this index is locked.
    pub fn holds(&self, index: usize) -> bool {
        match &self.shards {
            Shards::None => false,
            Shards::One(shard) => shard.index == index,
            Shards::Many(shards) => shards.get(index).is_some_and(Option::is_some),
        }
    }

    /// Goes on with an iteration over the selected database: visits the `wanted` keys of one bucket at `cursor`, whose
    /// shard is locked; those of them that are due are deleted instead. Returns where to go on, and how many keys there
    /// were, wanted or not. O(1) but for the deletions.
    pub fn scan(
        &mut self,
        cursor: Cursor,
        wanted: impl Fn(&Entry) -> bool,
        mut visit: impl FnMut(&[u8]),
    ) -> (Cursor, usize) {
        let (db, due_ms, lazy) = (self.view.db, self.due_ms(), self.settings.lazy_expire);
        let Some(shard) = self.each_shard().find(|shard| shard.index == cursor.shard) else {
            unreachable!("an iteration in a shard that is not locked")
        };
        let (mut seen, mut due) = (0, Vec::new());
        let table = &shard.databases[db].table;
        let position = table.scan(cursor.position, |entry| {
            seen += 1;
            if !wanted(entry) {
                return;
            }
            if is_due(entry, due_ms) {
                due.push(entry.key().to_vec());
            } else {
                visit(entry.key());
            }
        });
        for key in due {
            shard.expire(db, shard.databases[db].table.hash(&key), &key, lazy);
        }
        let next = if position == 0 { cursor.next_shard() } else { cursor.at(position) };
        (next, seen)
    }

    /// Empties a database in the locked shards; see [`Shard::flush`].
    pub fn flush(&mut self, db: usize, lazy: bool) {
        for shard in self.each_shard() {
            let removed = shard.flush(db, lazy);
            if removed > 0 {
                shard.effects.changed(EventClass::DATABASE, "flushdb", db, b"");
            } else if shard.effects.audience.hears_events() {
                // No change, but a client may rely on a key not to be there.
                shard.effects.note(EventClass::DATABASE, "flushdb", db, b"");
            }
        }
    }

    /// Lets two databases change places in the locked shards.
    pub fn swap(&mut self, one: usize, other: usize) {
        for shard in self.each_shard() {
            shard.databases.swap(one, other);
            if let Some(snapshot) = &mut shard.snapshot {
                snapshot.swap(one, other);
            }
            shard.effects.changed(EventClass::DATABASE, "swapdb", one, b"");
            shard.effects.changed(EventClass::DATABASE, "swapdb", other, b"");
        }
    }

    /// The time up to which keys are due; none ever is at 0.
    fn due_ms(&self) -> u64 {
        if self.deletes_due() { self.view.now_ms } else { 0 }
    }
}

fn is_due(entry: &Entry, due_ms: u64) -> bool {
    due_ms > 0 && entry.expiry_ms().is_some_and(|at| at <= due_ms)
}
