//! What a command sees of the keyspace: the selected database, over the shards it has locked, at one moment.

use super::field_expiry::has_deadlines;
use super::{AccessClock, Database, Garbage, Kind, Shard, Use, count_in_slot};
use crate::effects::{EventClass, deletion};
use crate::error::Error;
use crate::rng::Rng;
use crate::settings::Settings;
use crate::slot::{shard_of_slot, slot};
use moonshard_store::number::parse_i64;
use moonshard_store::{Collection, Entry, Slot, Value, ValueRef};

/// The shards that a command has locked.
#[derive(Debug)]
pub enum Shards<'a> {
    /// None: a command without keys.
    None,
    /// The one that all its keys are in.
    One(&'a mut Shard),
    /// Several: those of all shards that are locked, each in its place. A key is found by its slot.
    Many(&'a mut [Option<&'a mut Shard>]),
}

/// What happens to a key that is due when a command looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiryMode {
    /// It is deleted, and the deletion told.
    DeleteWhenDue,
    /// It is seen as it is: the log's replay and a primary's stream delete it themselves.
    Ignore,
}

/// What a write does to a key's expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Takes it away.
    Clear,
    /// Leaves it.
    Keep,
    /// Sets it to this Unix time in milliseconds.
    At(u64),
}

/// What a command sees of any keyspace: the database, the moment, and how uses of keys are dated. It is the same for all
/// commands of a batch.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub(super) db: usize,
    pub(super) now_ms: u64,
    clock: AccessClock,
    /// Microseconds beyond `now_ms`.
    micros: u16,
    mode: ExpiryMode,
    touch: bool,
}

impl View {
    /// Database `db`, at Unix time `now_ms`.
    pub const fn new(db: usize, now_ms: u64, settings: &Settings) -> Self {
        let clock = AccessClock::new(now_ms, settings);
        Self { db, now_ms, clock, micros: 0, mode: ExpiryMode::DeleteWhenDue, touch: true }
    }

    /// Unix time in milliseconds.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// With keys that are due treated as `mode` says.
    pub const fn expiry_mode(mut self, mode: ExpiryMode) -> Self {
        self.mode = mode;
        self
    }

    /// So many microseconds later than the millisecond given, which only TIME tells.
    pub const fn at_micros(mut self, micros: u16) -> Self {
        self.micros = micros;
        self
    }

    /// Whether reads count as uses of a key (`CLIENT NO-TOUCH`).
    pub const fn touching(mut self, touch: bool) -> Self {
        self.touch = touch;
        self
    }
}

/// A command's view of the keyspace. See the [module](self).
#[derive(Debug)]
pub struct Keyspace<'a> {
    pub(super) shards: Shards<'a>,
    pub(super) view: View,
    known: KnownKey,
    pub(super) settings: &'a Settings,
}

/// A key whose hash was worked out before the command began. It is known by where its bytes are: the arguments of a command
/// stay where they are for as long as it runs.
#[derive(Clone, Copy, Debug)]
struct KnownKey {
    address: usize,
    len: usize,
    hash: u64,
}

impl KnownKey {
    /// No key is at address 0.
    const NONE: Self = Self { address: 0, len: 0, hash: 0 };

    #[inline]
    fn is_of(self, key: &[u8]) -> bool {
        key.as_ptr().addr() == self.address && key.len() == self.len
    }
}

/// Values with more elements than this are dropped off the request path.
const LAZY_FREE_LEN: usize = 64;

impl<'a> Keyspace<'a> {
    /// `shards` with database `db` selected, at Unix time `now_ms`.
    pub const fn new(shards: Shards<'a>, db: usize, now_ms: u64, settings: &'a Settings) -> Self {
        Self::with_view(shards, View::new(db, now_ms, settings), settings)
    }

    /// `shards` as `view` shows them.
    #[inline]
    pub const fn with_view(shards: Shards<'a>, view: View, settings: &'a Settings) -> Self {
        Self { shards, view, known: KnownKey::NONE, settings }
    }

    /// With the hash of the key at this very place, an argument of the command, worked out before.
    #[inline]
    pub fn knowing(mut self, key: Option<&[u8]>, hash: u64) -> Self {
        if let Some(key) = key {
            self.known = KnownKey { address: key.as_ptr().addr(), len: key.len(), hash };
        }
        self
    }

    /// The moment at which the command runs: Unix time in milliseconds.
    pub const fn now_ms(&self) -> u64 {
        self.view.now_ms
    }

    /// The moment at which the command runs: Unix time in microseconds.
    pub const fn now_micros(&self) -> u64 {
        self.view.now_ms * 1000 + self.view.micros as u64
    }

    /// Moves on to a later moment, Unix time in milliseconds and microseconds beyond it: for a script that waited.
    pub const fn advance(&mut self, now_ms: u64, micros: u16) {
        self.view.now_ms = now_ms;
        self.view.micros = micros;
    }

    /// The selected database.
    pub const fn db(&self) -> usize {
        self.view.db
    }

    /// Selects another database, which exists.
    pub const fn select(&mut self, db: usize) {
        self.view.db = db;
    }

    /// How uses of keys are dated and counted.
    pub const fn clock(&self) -> &AccessClock {
        &self.view.clock
    }

    /// Whether `key`'s shard is locked.
    pub fn reaches(&self, key: &[u8]) -> bool {
        match &self.shards {
            Shards::None => false,
            Shards::One(_) => true,
            Shards::Many(shards) => shards[shard_of_slot(slot(key), shards.len())].is_some(),
        }
    }

    /// The shards that are locked, in ascending order.
    pub fn each_shard(&mut self) -> impl Iterator<Item = &mut Shard> {
        let (one, many) = match &mut self.shards {
            Shards::None => (None, None),
            Shards::One(shard) => (Some(&mut **shard), None),
            Shards::Many(shards) => (None, Some(shards.iter_mut().filter_map(Option::as_deref_mut))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// The shard of `key`. Commands lock the shards of all their keys before they run.
    #[inline]
    pub(super) fn shard(&mut self, key: &[u8]) -> &mut Shard {
        match &mut self.shards {
            Shards::One(shard) => shard,
            Shards::Many(shards) => Self::shard_of_many(shards, key),
            Shards::None => unreachable!("a command without keys touched a key"),
        }
    }

    #[inline(never)]
    fn shard_of_many<'s>(shards: &'s mut [Option<&'a mut Shard>], key: &[u8]) -> &'s mut Shard {
        match &mut shards[shard_of_slot(slot(key), shards.len())] {
            Some(shard) => shard,
            None => unreachable!("a command touched a key of a shard that it had not locked"),
        }
    }

    fn shard_ref(&self, key: &[u8]) -> Option<&Shard> {
        match &self.shards {
            Shards::One(shard) => Some(shard),
            Shards::Many(shards) => shards[shard_of_slot(slot(key), shards.len())].as_deref(),
            Shards::None => None,
        }
    }

    /// Deletes `key`, or fields of its hash, if they are due. Every access comes by here first.
    #[inline(always)]
    fn settle(&mut self, key: &[u8]) -> (&mut Shard, u64) {
        let (db, now_ms, mode) = (self.view.db, self.view.now_ms, self.view.mode);
        let (lazy, known) = (self.settings.lazy_expire, self.known);
        let shard = self.shard(key);
        let database = &shard.databases[db];
        let hash = if known.is_of(key) { known.hash } else { database.table.hash(key) };
        if mode == ExpiryMode::DeleteWhenDue
            && (database.expiring > 0 || database.field_schedule.is_due(now_ms))
        {
            shard.delete_if_due(db, hash, key, now_ms, lazy);
        }
        (shard, hash)
    }

    /// The entry of `key`, without counting as a use of it.
    pub fn peek(&mut self, key: &[u8]) -> Option<&Entry> {
        let db = self.view.db;
        let (shard, hash) = self.settle(key);
        shard.databases[db].table.get(hash, key)
    }

    /// The entry of `key` as it is, for commands that look at several at once after having read each; a key that is
    /// due is not there.
    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        let table = &self.shard_ref(key)?.databases[self.view.db].table;
        let entry = table.get(table.hash(key), key)?;
        let due = self.view.mode == ExpiryMode::DeleteWhenDue
            && entry.expiry_ms().is_some_and(|at| at <= self.view.now_ms);
        (!due).then_some(entry)
    }

    /// The entry of `key`, read: counted as a hit or a miss and as a use.
    #[inline]
    pub fn read(&mut self, key: &[u8]) -> Option<&Entry> {
        self.foresee_miss(key);
        let (db, clock, touch) = (self.view.db, self.view.clock, self.view.touch);
        let alone = matches!(self.shards, Shards::One(_));
        let (shard, hash) = self.settle(key);
        let Shard { databases, stats, effects, .. } = shard;
        match databases[db].table.get_mut(hash, key) {
            Some(entry) => {
                stats.hits += 1;
                if touch {
                    touch_entry(entry, clock, stats.hits);
                }
                Some(entry)
            }
            None => {
                stats.misses += 1;
                if alone && effects.audience.hears_also(EventClass::MISS) {
                    effects.note(EventClass::MISS, "keymiss", db, key);
                }
                None
            }
        }
    }

    /// The string at `key`, read.
    ///
    /// # Errors
    /// [`Error::WRONG_TYPE`].
    #[inline]
    pub fn read_str(&mut self, key: &[u8]) -> Result<Option<&[u8]>, Error> {
        match self.read(key) {
            Some(entry) => entry.string().map(Some).ok_or(Error::WRONG_TYPE),
            None => Ok(None),
        }
    }

    /// The collection at `key`, read.
    ///
    /// # Errors
    /// [`Error::WRONG_TYPE`].
    #[inline]
    pub fn read_as<C: Kind + 'static>(&mut self, key: &[u8]) -> Result<Option<&C>, Error> {
        match self.read(key) {
            Some(entry) => as_kind(entry).map(Some),
            None => Ok(None),
        }
    }

    /// The collection at `key` without reading it, for looking at several at once; see [`Keyspace::get`].
    ///
    /// # Errors
    /// [`Error::WRONG_TYPE`].
    pub fn get_as<C: Kind + 'static>(&self, key: &[u8]) -> Result<Option<&C>, Error> {
        self.get(key).map(as_kind).transpose()
    }

    /// The entry of `key`, counting as a read but not as a use.
    pub fn look(&mut self, key: &[u8]) -> Option<&Entry> {
        self.foresee_miss(key);
        let db = self.view.db;
        let alone = matches!(self.shards, Shards::One(_));
        let (shard, hash) = self.settle(key);
        let Shard { databases, stats, effects, .. } = shard;
        let found = databases[db].table.get(hash, key);
        *(if found.is_some() { &mut stats.hits } else { &mut stats.misses }) += 1;
        if alone && found.is_none() && effects.audience.hears_also(EventClass::MISS) {
            effects.note(EventClass::MISS, "keymiss", db, key);
        }
        found
    }

    /// The same, without telling of a key that is not there.
    pub fn examine(&mut self, key: &[u8]) -> Option<&Entry> {
        let db = self.view.db;
        let (shard, hash) = self.settle(key);
        let Shard { databases, stats, .. } = shard;
        let found = databases[db].table.get(hash, key);
        *(if found.is_some() { &mut stats.hits } else { &mut stats.misses }) += 1;
        found
    }

    /// Whether `key` exists, counting as a read but not as a use.
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.look(key).is_some()
    }

    /// Whether a key that is due at this moment is deleted, rather than left to whom the commands come from.
    pub fn deletes_due(&self) -> bool {
        self.view.mode == ExpiryMode::DeleteWhenDue
    }

    fn entry_mut(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let (db, clock, touch) = (self.view.db, self.view.clock, self.view.touch);
        let (shard, hash) = self.settle(key);
        shard.preserve(db, hash, key);
        let changes = shard.effects.changes;
        let entry = shard.databases[db].table.get_mut(hash, key)?;
        if touch {
            touch_entry(entry, clock, changes);
        }
        Some(entry)
    }

    /// The string at `key`, for writing: [`Entry::append`], [`Entry::set_range`].
    ///
    /// # Errors
    /// [`Error::WRONG_TYPE`].
    pub fn write_str(&mut self, key: &[u8]) -> Result<Option<&mut Entry>, Error> {
        match self.entry_mut(key) {
            Some(entry) if entry.string().is_none() => Err(Error::WRONG_TYPE),
            entry => Ok(entry),
        }
    }

    /// The collection at `key`, for writing. When a removal leaves it empty, [`Keyspace::remove_drained`] follows.
    ///
    /// # Errors
    /// [`Error::WRONG_TYPE`].
    pub fn write_as<C: Kind + 'static>(&mut self, key: &[u8]) -> Result<Option<&mut C>, Error> {
        match self.entry_mut(key) {
            Some(entry) => {
                let found = entry.collection_mut().and_then(C::of_mut);
                found.map(Some).ok_or(Error::WRONG_TYPE)
            }
            None => Ok(None),
        }
    }

    /// The collection at `key`, for writing, made when there is none.
    ///
    /// # Errors
    /// [`Error::WRONG_TYPE`].
    pub fn create_as<C: Kind + 'static>(&mut self, key: &[u8]) -> Result<&mut C, Error> {
        let (entry, _) = self.entry_or(key, || Entry::new_collection(key, C::empty(), None));
        entry.collection_mut().and_then(C::of_mut).ok_or(Error::WRONG_TYPE)
    }

    /// The string at `key`, for changing in place, made empty when there is none; and whether it was made.
    ///
    /// # Errors
    /// [`Error::WRONG_TYPE`].
    pub fn create_str(&mut self, key: &[u8]) -> Result<(&mut Entry, bool), Error> {
        match self.entry_or(key, || Entry::new_string(key, b"", None)) {
            (entry, _) if entry.string().is_none() => Err(Error::WRONG_TYPE),
            found => Ok(found),
        }
    }

    /// The entry of `key`, for writing, made when there is none; and whether it was made.
    fn entry_or(&mut self, key: &[u8], make: impl FnOnce() -> Entry) -> (&mut Entry, bool) {
        self.foresee_new(key);
        let (db, clock, touch) = (self.view.db, self.view.clock, self.view.touch);
        let (shard, hash) = self.settle(key);
        shard.preserve(db, hash, key);
        let changes = shard.effects.changes;
        let Shard { databases, slot_counts, shards, .. } = shard;
        let (entry, made) = match databases[db].table.find_or_reserve(hash, key) {
            Slot::Occupied(entry) => (entry, false),
            Slot::Vacant(vacant) => {
                let mut entry = make();
                entry.set_access(clock.fresh());
                count_in_slot(slot_counts, *shards, key, true);
                (vacant.insert(entry), true)
            }
        };
        if touch {
            touch_entry(entry, clock, changes);
        }
        (entry, made)
    }

    /// Removes `key` if its collection is empty. Returns whether it did.
    pub fn remove_drained<C: Kind + 'static>(&mut self, key: &[u8]) -> bool {
        let drained = matches!(self.get_as::<C>(key), Ok(Some(collection)) if collection.is_drained());
        drained && self.take(key).is_some()
    }

    /// Makes `key` hold a string, whatever it held before.
    #[inline]
    pub fn set_str(&mut self, key: &[u8], value: &[u8], expiry: Expiry) {
        self.foresee_new(key);
        let (db, clock) = (self.view.db, self.view.clock);
        let lazy = self.settings.lazy_free;
        let (shard, hash) = self.settle(key);
        shard.preserve(db, hash, key);
        let changes = shard.effects.changes;
        let database = &mut shard.databases[db];
        match database.table.find_or_reserve(hash, key) {
            Slot::Occupied(entry) => {
                if entry.string().is_some() {
                    entry.set_string(value);
                } else {
                    let mut old = entry.replace_value(Value::String(value.to_vec()));
                    if let Value::Collection(old) = &mut old {
                        Database::forget_deadlines(&mut database.field_schedule, key, Some(old));
                    }
                    discard(&mut shard.garbage, Garbage::Value(old), lazy);
                }
                touch_entry(entry, clock, changes);
                let before = entry.expiry_ms().is_some();
                match expiry {
                    Expiry::Keep => {}
                    Expiry::Clear if !before => {}
                    Expiry::Clear => entry.set_expiry(None),
                    Expiry::At(at) => entry.set_expiry(Some(at)),
                }
                let after = entry.expiry_ms().is_some();
                database.expiring = database.expiring + usize::from(after) - usize::from(before);
            }
            Slot::Vacant(vacant) => {
                let at = if let Expiry::At(at) = expiry { Some(at) } else { None };
                let mut entry = Entry::new_string(key, value, at);
                entry.set_access(clock.fresh());
                vacant.insert(entry);
                database.expiring += usize::from(at.is_some());
                shard.count_slot(key, true);
            }
        }
    }

    /// Makes `key` hold `value`, whatever it held before.
    pub fn put(&mut self, key: &[u8], value: Value, expiry: Option<u64>) {
        self.foresee_new(key);
        let (db, clock) = (self.view.db, self.view.clock);
        self.remove(key);
        let shard = self.shard(key);
        let hash = shard.databases[db].table.hash(key);
        let mut entry = Entry::new(key, value, expiry);
        entry.set_access(clock.fresh());
        let database = &mut shard.databases[db];
        database.table.insert_unique(hash, entry);
        database.expiring += usize::from(expiry.is_some());
        database.note_deadlines(hash, key);
        shard.count_slot(key, true);
    }

    /// Puts `entry` into the selected database, in place of whatever its key held there.
    pub fn insert(&mut self, entry: Entry) {
        let db = self.view.db;
        self.remove(entry.key());
        self.foresee_new(entry.key());
        let shard = self.shard(entry.key());
        shard.count_slot(entry.key(), true);
        let database = &mut shard.databases[db];
        database.expiring += usize::from(entry.expiry_ms().is_some());
        let timed: Option<Box<[u8]>> = has_deadlines(&entry).then(|| entry.key().into());
        let hash = database.table.hash(entry.key());
        database.table.insert_unique(hash, entry);
        if let Some(key) = timed {
            database.note_deadlines(hash, &key);
        }
    }

    /// Puts `entry`, of whose use this was told, into the selected database; nobody is told.
    ///
    /// # Errors
    /// The entry, if its key is there already.
    pub fn insert_new(&mut self, mut entry: Entry, told: Option<Use>) -> Result<(), Entry> {
        let (db, clock) = (self.view.db, self.view.clock);
        let (shard, hash) = self.settle(entry.key());
        shard.preserve(db, hash, entry.key());
        entry.set_access(clock.told(told));
        let Shard { databases, slot_counts, shards, .. } = shard;
        let database = &mut databases[db];
        let (expires, timed) = (entry.expiry_ms().is_some(), has_deadlines(&entry));
        let key: Option<Box<[u8]>> = timed.then(|| entry.key().into());
        let Slot::Vacant(vacant) = database.table.find_or_reserve(hash, entry.key()) else {
            return Err(entry);
        };
        count_in_slot(slot_counts, *shards, entry.key(), true);
        vacant.insert(entry);
        database.expiring += usize::from(expires);
        if let Some(key) = key {
            database.note_deadlines(hash, &key);
        }
        Ok(())
    }

    /// Removes `key`. Returns whether it was there.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.unlink(key, self.settings.lazy_free)
    }

    /// Removes `key`, its value dropped off the request path when that would take long and `lazy` allows it. Returns
    /// whether it was there.
    pub fn unlink(&mut self, key: &[u8], lazy: bool) -> bool {
        let db = self.view.db;
        let (shard, hash) = self.settle(key);
        let Some(entry) = shard.detach(db, hash, key) else { return false };
        discard(&mut shard.garbage, Garbage::Entry(entry), lazy);
        true
    }

    /// Takes `key`'s entry out of the keyspace.
    pub fn take(&mut self, key: &[u8]) -> Option<Entry> {
        let db = self.view.db;
        let (shard, hash) = self.settle(key);
        shard.detach(db, hash, key)
    }

    /// Sets or takes away `key`'s expiry. Returns whether the key is there.
    pub fn set_expiry(&mut self, key: &[u8], at: Option<u64>) -> bool {
        let db = self.view.db;
        let (shard, hash) = self.settle(key);
        shard.preserve(db, hash, key);
        let database = &mut shard.databases[db];
        let Some(entry) = database.table.get_mut(hash, key) else { return false };
        let before = entry.expiry_ms().is_some();
        entry.set_expiry(at);
        database.expiring = database.expiring + usize::from(at.is_some()) - usize::from(before);
        true
    }

    /// Tells that something went out of the collection at `key`; one that is drained goes as a whole, which is told as
    /// well.
    #[inline]
    pub fn shrunk(&mut self, class: EventClass, event: &'static str, key: &[u8], drained: bool) {
        self.changed(class, event, key);
        if drained {
            self.remove(key);
            self.changed(EventClass::GENERIC, "del", key);
        }
    }

    /// Changes told so far by the locked shards, without what only expired.
    pub fn changes(&self) -> u64 {
        let of = |shard: &Shard| shard.effects.changes - shard.effects.expiries;
        match &self.shards {
            Shards::None => 0,
            Shards::One(shard) => of(shard),
            Shards::Many(shards) => shards.iter().flatten().map(|shard| of(shard)).sum(),
        }
    }

    /// The locked shards, in ascending order.
    pub fn locked(&mut self) -> impl Iterator<Item = &mut Shard> {
        let (one, many) = match &mut self.shards {
            Shards::None => (None, None),
            Shards::One(shard) => (Some(&mut **shard), None),
            Shards::Many(shards) => (None, Some(shards.iter_mut().filter_map(Option::as_deref_mut))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// The first of the locked shards: where what is counted once goes.
    #[inline]
    pub fn first_shard(&mut self) -> Option<&mut Shard> {
        match &mut self.shards {
            Shards::None => None,
            Shards::One(shard) => Some(shard),
            Shards::Many(shards) => shards.iter_mut().find_map(Option::as_deref_mut),
        }
    }
}

/// Dates or counts a use. The counter's random source is the shard's own count of events, so that a read needs no
/// other state.
#[inline]
fn touch_entry(entry: &mut Entry, clock: AccessClock, event: u64) {
    let bits = entry.access();
    let touched = clock.touched(bits, &mut Rng::new(event));
    if touched != bits {
        entry.set_access(touched);
    }
}

fn as_kind<C: Kind + 'static>(entry: &Entry) -> Result<&C, Error> {
    entry.collection().and_then(C::of).ok_or(Error::WRONG_TYPE)
}

fn discard(garbage: &mut Vec<Garbage>, value: Garbage, lazy: bool) {
    if !lazy {
        return;
    }
    let large = match &value {
        Garbage::Entry(entry) => entry.collection().is_some_and(|c| c.len() > LAZY_FREE_LEN),
        Garbage::Value(Value::Collection(collection)) => collection.len() > LAZY_FREE_LEN,
        Garbage::Value(_) => false,
        Garbage::Table(_) => true,
    };
    if large {
        garbage.push(value);
    }
}

impl Shard {
    /// The entry of a key, if it is there and not due at Unix time `now_ms`; counted as no use of it.
    pub fn entry(&self, db: usize, key: &[u8], now_ms: u64) -> Option<&Entry> {
        let table = &self.databases[db].table;
        let entry = table.get(table.hash(key), key)?;
        entry.expiry_ms().is_none_or(|at| at > now_ms).then_some(entry)
    }

    /// Whether a key is there and not due at Unix time `now_ms`.
    pub fn holds(&self, db: usize, key: &[u8], now_ms: u64) -> bool {
        self.entry(db, key, now_ms).is_some()
    }

    /// Takes an entry out of a database, its counts kept right.
    pub(crate) fn detach(&mut self, db: usize, hash: u64, key: &[u8]) -> Option<Entry> {
        self.preserve(db, hash, key);
        let database = &mut self.databases[db];
        let mut entry = database.table.remove(hash, key)?;
        Database::forget_deadlines(&mut database.field_schedule, key, entry.collection_mut());
        database.expiring -= usize::from(entry.expiry_ms().is_some());
        self.count_slot(key, false);
        Some(entry)
    }

    /// Deletes a key without telling it. Returns whether it was there.
    pub(crate) fn discard(&mut self, db: usize, hash: u64, key: &[u8], lazy: bool) -> bool {
        let Some(entry) = self.detach(db, hash, key) else { return false };
        discard(&mut self.garbage, Garbage::Entry(entry), lazy);
        true
    }

    /// Deletes a key, or fields of its hash, if they are due.
    #[inline(never)]
    fn delete_if_due(&mut self, db: usize, hash: u64, key: &[u8], now_ms: u64, lazy: bool) {
        let database = &self.databases[db];
        if database.expiring > 0 {
            let due = database.table.get(hash, key).and_then(Entry::expiry_ms);
            if due.is_some_and(|at| at <= now_ms) {
                self.expire(db, hash, key, lazy);
            }
        }
        if self.databases[db].field_schedule.is_due(now_ms) {
            self.expire_fields(db, key, now_ms, usize::MAX, lazy);
        }
    }

    /// Deletes a key that is due, and tells it.
    #[cold]
    pub(crate) fn expire(&mut self, db: usize, hash: u64, key: &[u8], lazy: bool) {
        if self.discard(db, hash, key, lazy) {
            self.stats.expired += 1;
            self.effects.expiries += 1;
            self.effects.replay_besides(db, &[deletion(lazy), key]);
            self.effects.changed(EventClass::EXPIRED, "expired", db, key);
        }
    }

    /// Empties a database; what was in it is dropped off the request path if `lazy`.
    pub fn flush(&mut self, db: usize, lazy: bool) -> usize {
        let old = std::mem::replace(&mut self.databases[db], super::Database::new(self.seed));
        let removed = old.len();
        if let Some(table) = self.keep_emptied(db, old.table)
            && lazy
            && removed > LAZY_FREE_LEN
        {
            self.garbage.push(Garbage::Table(table));
        }
        if db == 0
            && let Some(counts) = &mut self.slot_counts
        {
            counts.fill(0);
        }
        removed
    }

    /// The encoding that Redis would have chosen for the entry's value, as OBJECT ENCODING names it: clients' tests and
    /// tools ask for it.
    pub fn encoding_name(entry: &Entry) -> &'static str {
        const EMBEDDED_LEN_MAX: usize = 44;
        match entry.value() {
            ValueRef::Collection(collection) => collection.encoding_name(),
            ValueRef::String(_) if entry.is_raw() => "raw",
            // A whole number that is text all the same: the sum of floats.
            ValueRef::String(text) if !entry.is_apart() && parse_i64(text).is_some() => "int",
            ValueRef::String(text) if text.len() <= EMBEDDED_LEN_MAX => "embstr",
            ValueRef::String(_) => "raw",
        }
    }

    /// What a key holds, as TYPE names it.
    pub fn type_name(entry: &Entry) -> &'static str {
        match entry.value() {
            ValueRef::String(_) => "string",
            ValueRef::Collection(Collection::List(_)) => "list",
            ValueRef::Collection(Collection::Set(_)) => "set",
            ValueRef::Collection(Collection::Hash(_)) => "hash",
            ValueRef::Collection(Collection::SortedSet(_)) => "zset",
            ValueRef::Collection(Collection::Stream(_)) => "stream",
        }
    }
}
