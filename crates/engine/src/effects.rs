//! The one seam through which every change of the keyspace is told.
//!
//! A handler that changed a key says so with [`Keyspace::changed`](crate::keyspace::Keyspace::changed), once for
//! each change, under the shard's lock. What listens (WATCH, notifications, tracking, the log, replicas) hears it
//! from here; when nothing listens it costs an increment.

mod commands;

pub use commands::Commands;

use crate::exchange::Reach;
use bitflags::bitflags;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering::Relaxed};

bitflags! {
    /// Classes of keyspace events, as `notify-keyspace-events` tells them apart. A change of no class is none of
    /// theirs, and all others that listen hear it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct EventClass: u16 {
        /// Commands that are about no type: DEL, EXPIRE, RENAME.
        const GENERIC = 1 << 0;
        /// Strings.
        const STRING = 1 << 1;
        /// Lists.
        const LIST = 1 << 2;
        /// Sets.
        const SET = 1 << 3;
        /// Hashes.
        const HASH = 1 << 4;
        /// Sorted sets.
        const SORTED_SET = 1 << 5;
        /// A key that expired.
        const EXPIRED = 1 << 6;
        /// A key that was evicted.
        const EVICTED = 1 << 7;
        /// A key that came into being.
        const NEW = 1 << 8;
        /// A whole database: it was emptied ("flushdb") or changed places with another ("swapdb"). The event's key
        /// is empty. Not for keyspace notifications.
        const DATABASE = 1 << 9;
        /// Streams.
        const STREAM = 1 << 10;
        /// No change but a message that a script has published; the event's key is its channel.
        const MESSAGE = 1 << 11;
        /// The same, to a channel that belongs to a slot.
        const SHARD_MESSAGE = 1 << 12;
        /// No change but a read of a key that is not there.
        const MISS = 1 << 13;
    }
}

/// How many listen to a shard's changes. Whoever listens joins and leaves without the shard's lock, except that what
/// must not miss a change joins with the lock in hand.
#[derive(Debug, Default)]
pub struct Audience {
    events: AtomicUsize,
    commands: AtomicUsize,
    /// Classes that are noted only for those who ask for them.
    extra: AtomicU16,
}

impl Audience {
    /// One more, or one less, wants to know which keys changed, and how.
    pub fn hear_events(&self, joins: bool) {
        count(&self.events, joins);
    }

    /// One more, or one less, wants the commands that would make the same change.
    pub fn hear_commands(&self, joins: bool) {
        count(&self.commands, joins);
    }

    /// Says which of [`EventClass::NEW`] and [`EventClass::MISS`] are wanted, besides what all who want events hear.
    pub fn hear_also(&self, classes: EventClass) {
        self.extra.store(classes.bits(), Relaxed);
    }

    /// Whether events of a class that has to be asked for are wanted.
    #[inline]
    pub fn hears_also(&self, class: EventClass) -> bool {
        self.extra.load(Relaxed) & class.bits() != 0
    }

    /// Whether anybody wants events.
    #[inline]
    pub fn hears_events(&self) -> bool {
        self.events.load(Relaxed) > 0
    }

    /// Whether anybody wants commands.
    #[inline]
    pub fn hears_commands(&self) -> bool {
        self.commands.load(Relaxed) > 0
    }
}

fn count(listeners: &AtomicUsize, joins: bool) {
    if joins {
        listeners.fetch_add(1, Relaxed);
    } else {
        listeners.fetch_sub(1, Relaxed);
    }
}

/// The name of the command that repeats a deletion: as in Redis, a replica frees what is large as it was freed here.
pub const fn deletion(lazy: bool) -> &'static [u8] {
    if lazy { b"UNLINK" } else { b"DEL" }
}

/// One change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// The kind of change.
    pub class: EventClass,
    /// Its name, as keyspace notifications give it.
    pub name: &'static str,
    /// What is sent, where the event is a message.
    pub message: Box<[u8]>,
}

/// What a shard's commands changed since somebody took it.
#[derive(Debug, Default)]
pub struct Effects {
    /// Changes since the shard began, whether heard or not.
    pub changes: u64,
    /// Those of them that are nothing but something's expiry.
    pub expiries: u64,
    /// Who listens.
    pub audience: Arc<Audience>,
    events: Vec<Event>,
    commands: Commands,
    /// Whether the command that runs has said how to repeat it.
    is_said: bool,
    /// Whether what commands do is not to be repeated, until this is taken back.
    is_kept_back: bool,
}

impl Effects {
    /// Notes a change of `key`.
    #[inline]
    pub fn changed(&mut self, class: EventClass, name: &'static str, db: usize, key: &[u8]) {
        self.changes += 1;
        if self.audience.hears_events() {
            self.note(class, name, db, key);
        }
    }

    /// Notes a change that was counted, and is heard.
    #[cold]
    pub fn note(&mut self, class: EventClass, name: &'static str, db: usize, key: &[u8]) {
        self.events.push(Event { db, key: key.into(), class, name, message: Box::default() });
    }

    /// Notes a message to be sent, after what was noted before it. It is heard whoever listens.
    pub fn send(&mut self, reach: Reach, channel: &[u8], message: &[u8]) {
        let class = match reach {
            Reach::Global => EventClass::MESSAGE,
            Reach::Shard => EventClass::SHARD_MESSAGE,
        };
        self.events.push(Event { db: 0, key: channel.into(), class, name: "", message: message.into() });
    }

    /// Takes over an event that was noted elsewhere.
    pub fn take_over(&mut self, event: Event) {
        self.events.push(event);
    }

    /// More than 0 if events or commands wait to be taken.
    #[inline]
    pub(crate) fn waiting(&self) -> usize {
        self.events.len() | usize::from(self.has_commands())
    }

    /// Whether events wait to be taken.
    #[inline]
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Says how to make the running command's change again, instead of running it as it was called. What is said this
    /// way is repeated even if nothing has changed.
    pub fn replay_as(&mut self, db: usize, args: &[&[u8]]) {
        self.replay_each(db, args.len(), args.iter().copied());
    }

    /// The same for `len` arguments that are not one after another anywhere.
    pub fn replay_each<'a>(&mut self, db: usize, len: usize, args: impl Iterator<Item = &'a [u8]>) {
        self.is_said = true;
        if self.audience.hears_commands() && !self.is_kept_back {
            self.commands.push_each(db, len, args);
        }
    }

    /// Whether what commands do from now on is kept back: it is not repeated. What is due or evicted still is.
    pub(crate) const fn keep_back(&mut self, kept_back: bool) {
        self.is_kept_back = kept_back;
    }

    /// Says that the running command need not be repeated.
    pub(crate) const fn replay_nothing(&mut self) {
        self.is_said = true;
    }

    /// Says how to make a change again that is not the running command's own: something was due, or was evicted.
    pub fn replay_besides(&mut self, db: usize, args: &[&[u8]]) {
        if self.audience.hears_commands() {
            self.commands.push_besides(db, args);
        }
    }

    /// Whether commands wait to be taken.
    #[inline]
    pub fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// The commands that make the changes again that were made so far, for who takes them.
    pub const fn commands_mut(&mut self) -> &mut Commands {
        &mut self.commands
    }

    /// A command begins of which nothing has been said yet.
    pub(crate) const fn begin_command(&mut self) {
        self.is_said = false;
    }

    /// Whether the command that runs has said how to repeat it.
    pub(crate) const fn is_said(&self) -> bool {
        self.is_said
    }

    /// Takes the events noted so far.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}
