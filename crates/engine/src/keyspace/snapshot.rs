//! A snapshot: the shard's keys as they were at one moment, written out while commands go on changing them.
//!
//! The server begins one on all shards with all of them locked, and lets each write a slice now and then
//! ([`Shard::snapshot_slice`]). Whatever is about to be changed and was not written yet is written first
//! ([`Shard::preserve`]). So nothing is copied but into the snapshot itself, and each key goes into it once.

use super::{AccessClock, Shard};
use moonshard_rdb::{Opcode, Writer};
use moonshard_store::{Entry, Table};

/// What a shard has written of a snapshot, and what it has still to write.
#[derive(Debug)]
pub struct Snapshot {
    writer: Writer,
    /// The database of what the writer wrote last; `None` at the begin of a piece, which has to stand for itself.
    selected: Option<usize>,
    /// Which database each was when the snapshot began; `None` for one that is younger.
    origins: Vec<Option<usize>>,
    /// Where the walk goes on: the database, and the cursor in it.
    position: (usize, u64),
    /// Databases that were emptied since, with what was not written of them.
    emptied: Vec<(usize, Table<Entry>)>,
    /// Keys written and not taken.
    keys: u64,
    /// Tells how long keys were idle or how often they were used, if that is to be written.
    clock: Option<AccessClock>,
}

impl Snapshot {
    fn new(databases: usize, compress: bool, clock: Option<AccessClock>) -> Self {
        Self {
            writer: Writer::new(compress),
            selected: None,
            origins: (0..databases).map(Some).collect(),
            position: (0, 0),
            emptied: Vec::new(),
            keys: 0,
            clock,
        }
    }

    fn save(&mut self, db: usize, entry: &Entry) {
        if self.selected != Some(db) {
            self.selected = Some(db);
            self.writer.byte(Opcode::SelectDb as u8);
            self.writer.length(db as u64);
        }
        if let Some(at_ms) = entry.expiry_ms() {
            self.writer.byte(Opcode::ExpiryMs as u8);
            self.writer.u64(at_ms);
        }
        match &self.clock {
            Some(clock) if clock.is_lfu() => {
                self.writer.byte(Opcode::Freq as u8);
                self.writer.byte(clock.frequency(entry.access()) as u8);
            }
            Some(clock) => {
                self.writer.byte(Opcode::Idle as u8);
                self.writer.length(clock.idle_seconds(entry.access()));
            }
            None => {}
        }
        let value = entry.value();
        self.writer.value_type(value);
        self.writer.string(entry.key());
        self.writer.value(value);
        self.keys += 1;
    }

    /// Bytes written and not taken.
    pub fn pending(&self) -> usize {
        self.writer.written().len()
    }

    /// Takes what was written, a piece of a file that may be followed by any other, with the number of keys in it, and
    /// leaves `next` for more.
    pub fn take(&mut self, next: Vec<u8>) -> (Vec<u8>, u64) {
        self.selected = None;
        (self.writer.replace(next), std::mem::take(&mut self.keys))
    }

    /// Two databases change places.
    pub(super) fn swap(&mut self, one: usize, other: usize) {
        self.origins.swap(one, other);
        // The one that comes to the front may not be written, the other only in part; what is written is passed over.
        self.position = (self.position.0.min(one).min(other), 0);
    }
}

impl Shard {
    /// Begins a snapshot of the keys as they are now, with long strings compressed or not, and with what a clock says of
    /// the keys' use. O(segments of the tables). One that was going on is given up.
    pub fn begin_snapshot(&mut self, compress: bool, clock: Option<AccessClock>) {
        for database in &mut self.databases {
            database.table.begin_walk();
        }
        self.snapshot = Some(Box::new(Snapshot::new(self.databases.len(), compress, clock)));
    }

    /// All keys as they are now, as a snapshot has them; one that is going on is not touched. O(n).
    pub fn image(&self, compress: bool, clock: Option<AccessClock>) -> Vec<u8> {
        let mut snapshot = Snapshot::new(self.databases.len(), compress, clock);
        for (db, database) in self.databases.iter().enumerate() {
            database.table.iter().for_each(|entry| snapshot.save(db, entry));
        }
        snapshot.take(Vec::new()).0
    }

    /// Writes more of the snapshot until about `bytes` are there to be taken, one key at least, and returns whether that
    /// was the last. The longest step between two looks at the limit is a key, or the keys of a database that has no more
    /// than some 200.
    pub fn snapshot_slice(&mut self, bytes: usize) -> bool {
        let Self { databases, snapshot: Some(snapshot), .. } = self else { return true };
        // What was written ahead counts, but the walk has to come to its end as well.
        let limit = bytes.max(snapshot.pending() + 1);
        while let Some((db, mut table)) = snapshot.emptied.pop() {
            let mut cursor = Some(0);
            while let Some(at) = cursor {
                if snapshot.pending() > limit {
                    snapshot.emptied.push((db, table));
                    return false;
                }
                cursor = table.walk(at, |entry| {
                    snapshot.save(db, entry);
                    snapshot.pending() <= limit
                });
            }
        }
        while let Some(database) = databases.get_mut(snapshot.position.0) {
            if snapshot.pending() > limit {
                return false;
            }
            let (db, at) = snapshot.position;
            let origin = snapshot.origins[db];
            let next = origin.and_then(|origin| {
                database.table.walk(at, |entry| {
                    snapshot.save(origin, entry);
                    snapshot.pending() <= limit
                })
            });
            snapshot.position = next.map_or((db + 1, 0), |cursor| (db, cursor));
        }
        true
    }

    /// Ends the snapshot, whether all of it was written or not. O(segments of the tables) if not.
    pub fn end_snapshot(&mut self) -> Option<Box<Snapshot>> {
        let snapshot = self.snapshot.take()?;
        if snapshot.position.0 < self.databases.len() {
            self.databases.iter_mut().for_each(|database| database.table.end_walk());
        }
        Some(snapshot)
    }

    /// Bytes that were written of the snapshot and not taken; 0 when none is going on.
    #[inline]
    pub fn snapshot_pending(&self) -> usize {
        self.snapshot.as_ref().map_or(0, |snapshot| snapshot.pending())
    }

    /// Writes the entry of a key that is about to be changed, if a snapshot is going on that still needs it.
    #[inline]
    pub(crate) fn preserve(&mut self, db: usize, hash: u64, key: &[u8]) {
        if self.snapshot.is_some() {
            self.write_before(db, hash, key);
        }
    }

    #[cold]
    fn write_before(&mut self, db: usize, hash: u64, key: &[u8]) {
        let Self { databases, snapshot: Some(snapshot), .. } = self else { return };
        let Some(origin) = snapshot.origins[db] else { return };
        databases[db].table.walk_before(hash, key, |entry| snapshot.save(origin, entry));
    }

    /// Keeps a database that is about to be emptied for the snapshot, if one is going on; gives it back if not.
    pub(super) fn keep_emptied(&mut self, db: usize, table: Table<Entry>) -> Option<Table<Entry>> {
        let Some(snapshot) = &mut self.snapshot else { return Some(table) };
        let Some(origin) = snapshot.origins[db].take() else { return Some(table) };
        snapshot.emptied.push((origin, table));
        None
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Engine;
    use moonshard_rdb::{Limits, Opcode, Reader, ValueType};
    use std::collections::BTreeMap;

    type Content = BTreeMap<(u64, Vec<u8>), (Option<u64>, String)>;

    /// What the pieces of a snapshot say.
    fn read(bytes: &[u8], limits: Limits) -> Content {
        let mut reader = Reader::new(bytes);
        let (mut content, mut db, mut expiry) = (Content::new(), None, None);
        while let Ok(byte) = reader.byte() {
            match Opcode::of(byte) {
                Some(Opcode::SelectDb) => db = Some(reader.length().unwrap()),
                Some(Opcode::ExpiryMs) => expiry = Some(reader.u64().unwrap()),
                _ => {
                    let key = reader.string().unwrap().to_vec();
                    let value = reader.value(ValueType::of(byte).unwrap(), &limits).unwrap();
                    let value = format!("{value:?}");
                    let before = content.insert((db.unwrap(), key.clone()), (expiry.take(), value));
                    assert!(before.is_none(), "{} is there twice", String::from_utf8_lossy(&key));
                }
            }
        }
        content
    }

    /// The content as a snapshot says it that nothing disturbs.
    fn at_once(engine: &mut Engine) -> Content {
        let limits = engine.settings.restore_limits();
        let shard = &mut engine.shards[0];
        read(&shard.image(false, None), limits)
    }

    #[test]
    fn a_snapshot_is_of_the_moment_in_which_it_began() {
        let mut engine = Engine::new(1);
        let mut random = crate::Rng::new(7);
        for round in 0..40 {
            for number in 0..if round % 4 == 0 { 9_000 } else { 0 } {
                engine.db = number % 3;
                engine.run(&["SET", &format!("key:{}", number / 3), "old"]);
            }
            let expected = at_once(&mut engine);
            engine.shards[0].begin_snapshot(round % 2 == 0, None);
            let (mut bytes, mut done) = (Vec::new(), false);
            while !done {
                for _ in 0..random.below(100) {
                    change(&mut engine, &mut random);
                }
                let shard = &mut engine.shards[0];
                done = shard.snapshot_slice(random.below(3_000) as usize);
                bytes.extend(shard.snapshot.as_mut().unwrap().take(Vec::new()).0);
            }
            engine.shards[0].end_snapshot();
            let seen = read(&bytes, engine.settings.restore_limits());
            assert!(seen == expected, "round {round}: {} keys seen of {}", seen.len(), expected.len());
        }
    }

    fn change(engine: &mut Engine, random: &mut crate::Rng) {
        engine.db = random.below(3) as usize;
        engine.now_ms += 1;
        let key = format!("key:{}", random.below(3_000));
        let other = format!("key:{}", random.below(3_000));
        let number = random.below(1_000).to_string();
        let call: &[&str] = match random.below(1_000) {
            0 if random.below(5) == 0 => &["FLUSHDB"],
            1 if random.below(5) == 0 => &["SWAPDB", "0", "2"],
            0..200 => &["SET", &key, &number],
            200..300 => &["DEL", &key],
            300..400 => &["RPUSH", &key, &number, "x"],
            400..450 => &["HSET", &key, &number, "value"],
            450..500 => &["SADD", &key, &number, "member"],
            500..550 => &["ZADD", &key, &number, "member"],
            550..600 => &["APPEND", &key, &number],
            600..650 => &["PEXPIRE", &key, &number],
            650..700 => &["RENAME", &key, &other],
            700..750 => &["COPY", &key, &other, "REPLACE"],
            750..800 => &["MOVE", &key, "1"],
            800..850 => &["LPOP", &key],
            850..900 => &["HPEXPIRE", &key, "50", "FIELDS", "1", &number],
            900..950 => &["SETBIT", &key, &number, "1"],
            _ => &["XADD", &key, "*", "field", &number],
        };
        engine.run(call);
    }
}
