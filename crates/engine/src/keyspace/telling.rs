//! What the keyspace tells of what happens in it.

use super::{Keyspace, Shards};
use crate::effects::{Effects, EventClass};

impl Keyspace<'_> {
    /// Tells that `key` changed. Every change of the keyspace is told here, once, after it was made.
    #[inline]
    pub fn changed(&mut self, class: EventClass, event: &'static str, key: &[u8]) {
        let db = self.view.db;
        if let Shards::One(shard) = &mut self.shards {
            return shard.effects.changed(class, event, db, key);
        }
        self.changed_one_of_many(class, event, key);
    }

    #[inline(never)]
    fn changed_one_of_many(&mut self, class: EventClass, event: &'static str, key: &[u8]) {
        let effects = &mut self.shard(key).effects;
        effects.changes += 1;
        if effects.audience.hears_events() {
            self.note_first(class, event, key);
        }
    }

    /// Tells that `key` is about to come into being, if it is not there.
    #[inline]
    pub(super) fn foresee_new(&mut self, key: &[u8]) {
        if self.hears_also(EventClass::NEW) {
            self.foresee(EventClass::NEW, "new", key);
        }
    }

    /// Tells that `key` is about to be read in vain, if it is not there and several shards are locked. With one, whoever
    /// reads tells it itself, once the key was not found.
    #[inline]
    pub(super) fn foresee_miss(&mut self, key: &[u8]) {
        if matches!(self.shards, Shards::Many(..)) && self.hears_also(EventClass::MISS) {
            self.foresee(EventClass::MISS, "keymiss", key);
        }
    }

    #[cold]
    fn foresee(&mut self, class: EventClass, event: &'static str, key: &[u8]) {
        if self.peek(key).is_none() {
            self.note_first(class, event, key);
        }
    }

    #[inline]
    pub(super) fn hears_also(&self, class: EventClass) -> bool {
        match &self.shards {
            Shards::None => false,
            Shards::One(shard) => shard.effects.audience.hears_also(class),
            Shards::Many(shards) => {
                let first = shards.iter().flatten().next();
                first.is_some_and(|shard| shard.effects.audience.hears_also(class))
            }
        }
    }

    /// Notes an event of `key` with the first of the locked shards: all in one place, so that they keep their order.
    /// What was noted with the key's own shard, that it expired, came before.
    fn note_first(&mut self, class: EventClass, event: &'static str, key: &[u8]) {
        let db = self.view.db;
        let own = &mut self.shard(key).effects;
        let before = if own.has_events() { own.take_events() } else { Vec::new() };
        let Some(first) = self.first_shard() else { return };
        before.into_iter().for_each(|event| first.effects.take_over(event));
        first.effects.note(class, event, db, key);
    }

    /// Whether anybody hears what [`Keyspace::replay_as`] says, for what would be copied in vain.
    #[inline]
    pub fn replays(&self) -> bool {
        let audience = match &self.shards {
            Shards::None => return false,
            Shards::One(shard) => &shard.effects.audience,
            Shards::Many(shards) => match shards.iter().flatten().next() {
                Some(first) => &first.effects.audience,
                None => return false,
            },
        };
        // Who leaves due keys alone repeats what others have told.
        audience.hears_commands() && self.deletes_due()
    }

    /// Says how to make the running command's change again: instead of the command as it was called, whose outcome
    /// depends on the time or on chance. Of several commands that are said all are repeated, in order. What is said is
    /// repeated even if nothing has changed.
    pub fn replay_as(&mut self, args: &[&[u8]]) {
        self.replay_each(args.len(), args.iter().copied());
    }

    /// The same for `len` arguments that are not one after another anywhere.
    pub fn replay_each<'b>(&mut self, len: usize, args: impl Iterator<Item = &'b [u8]>) {
        if !self.replays() {
            return;
        }
        let db = self.view.db;
        if let Some(effects) = self.gathered() {
            effects.replay_each(db, len, args);
        }
    }

    /// Says that the running command need not be repeated: what it told has changed nothing.
    pub fn replay_nothing(&mut self) {
        if let Some(shard) = self.first_shard() {
            shard.effects.replay_nothing();
        }
    }

    /// Whether what commands do to the locked shards from now on is kept from the log and from replicas. Whoever turns
    /// it on turns it off under the same locks.
    pub fn keep_back(&mut self, kept_back: bool) {
        self.each_shard().for_each(|shard| shard.effects.keep_back(kept_back));
    }

    /// Notes what a command needs at its end to know whether it has said how to repeat it.
    pub(crate) fn begin_command(&mut self) {
        if let Some(shard) = self.first_shard() {
            shard.effects.begin_command();
        }
    }

    /// Says that a call in database `db` that has changed something is to be repeated as it came, unless it has said
    /// it otherwise.
    pub(crate) fn end_command(&mut self, db: usize, args: &[&[u8]]) {
        if let Some(effects) = self.gathered()
            && !effects.is_said()
        {
            effects.replay_as(db, args);
        }
    }

    /// The effects of the first of the locked shards, where what all of them have said so far is put together: so the
    /// commands keep their order.
    fn gathered(&mut self) -> Option<&mut Effects> {
        let mut shards = self.each_shard();
        let first = &mut shards.next()?.effects;
        for shard in shards {
            if shard.effects.has_commands() {
                first.commands_mut().append(shard.effects.commands_mut());
            }
        }
        Some(first)
    }
}
