//! What follows a command while its shards are still locked: whoever listens to the keyspace hears what has changed.
//!
//! The engine notes events ([`moonshard_engine::effects`]); [`Server::settle`] takes them after every command, and
//! nobody else does. So a watched key is touched, and a waiting client served, before anybody else sees the change.

mod key_table;
mod notify;
mod record;
mod wait;
mod watch;

pub use key_table::KeyTable;
pub use notify::Notified;
pub use wait::Waiter;
pub use watch::{Watched, Watcher};

use crate::server::Server;
use crate::shards::{ShardGuards, ShardState, in_their_places};
use moonshard_engine::admission::Gate;
use moonshard_engine::command::Entry;
use moonshard_engine::effects::{Event, EventClass};
use moonshard_engine::keyspace::{Keyspace, Shards};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, Caller, Ctx, Exchange, Flow, Reach, Settings};
use moonshard_lock::try_lock_all;
use std::collections::VecDeque;
use std::sync::Arc;
use wait::Attempt;

/// When, and under which settings, something happened.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// Unix time in milliseconds.
    pub now_ms: u64,
    /// The engine's settings.
    pub settings: &'a Settings,
    /// The client whose command it was; 0 for none's.
    pub origin: u64,
}

/// The locked shards with their numbers, ascending.
type Held<'h> = Vec<(usize, &'h mut ShardState)>;

/// Keys that may be ready for those who wait for them, with their databases.
pub type Ready = VecDeque<(usize, Box<[u8]>)>;

impl Server {
    /// What follows a command on one shard.
    #[inline]
    pub fn settle(&self, index: usize, state: &mut ShardState, moment: Moment<'_>) {
        self.record_one(index, state);
        if state.shard.effects.has_events() {
            self.hear(&mut vec![(index, state)], moment);
        }
        if !state.shard.garbage.is_empty() {
            self.reap(&mut state.shard);
        }
        if !state.shard.stats.script_errors.is_empty() {
            self.count_script_errors(&mut state.shard);
        }
    }

    /// What follows a command on several shards.
    pub fn settle_all(&self, guards: &mut ShardGuards<'_>, moment: Moment<'_>) {
        self.record(guards);
        if guards.iter().any(|(_, guard)| guard.shard.effects.has_events()) {
            self.hear(&mut held(guards), moment);
        }
        for (_, guard) in guards {
            self.reap(&mut guard.shard);
            if !guard.shard.stats.script_errors.is_empty() {
                self.count_script_errors(&mut guard.shard);
            }
        }
    }

    /// Tries to serve a client that could not be served when its key was ready, because other shards were in use that
    /// it needs; they are locked now.
    pub fn serve_waiter(&self, waiter: &Waiter, guards: &mut ShardGuards<'_>, moment: Moment<'_>) {
        let mut held = held(guards);
        for key in &waiter.wait().keys {
            self.serve(&mut held, (waiter.db, &key.key), moment);
        }
        self.hear(&mut held, moment);
    }

    #[cold]
    fn hear(&self, held: &mut Held<'_>, moment: Moment<'_>) {
        self.serve_ready(held, Ready::new(), moment);
    }

    /// Tells what has happened and serves whoever waits for it, until nothing more happens.
    fn serve_ready(&self, held: &mut Held<'_>, mut ready: Ready, moment: Moment<'_>) {
        loop {
            self.tell_all(held, moment, &mut ready);
            let Some((db, key)) = ready.pop_front() else { return };
            self.serve(held, (db, &key), moment);
        }
    }

    /// Tells all that has happened since the last time.
    fn tell_all(&self, held: &mut Held<'_>, moment: Moment<'_>, ready: &mut Ready) {
        let mut flushed = false;
        for at in 0..held.len() {
            for event in held[at].1.shard.effects.take_events() {
                flushed |= event.class == EventClass::DATABASE && event.name == "flushdb";
                self.tell(held, held[at].0, &event, moment, ready);
            }
        }
        if flushed {
            // Once for all shards and databases.
            self.invalidate_all();
        }
    }

    /// What follows one command of a transaction: all hear of it at once, but clients that wait for a key that is
    /// `ready` now are served after the last command, by [`Server::settle_transaction`].
    pub fn settle_one_of_many(&self, guards: &mut ShardGuards<'_>, moment: Moment<'_>, ready: &mut Ready) {
        if guards.iter().any(|(_, guard)| guard.shard.effects.has_events()) {
            self.tell_all(&mut held(guards), moment, ready);
        }
    }

    /// What follows the last command of a transaction.
    pub fn settle_transaction(&self, guards: &mut ShardGuards<'_>, moment: Moment<'_>, ready: Ready) {
        // One record of all its commands; those that serve waiting clients have their own.
        self.record(guards);
        if !ready.is_empty() {
            self.serve_ready(&mut held(guards), ready, moment);
        }
        self.settle_all(guards, moment);
    }

    /// Tells one change to all who listen. `index` is the shard that a whole database's event is about.
    fn tell(&self, held: &Held<'_>, index: usize, event: &Event, moment: Moment<'_>, ready: &mut Ready) {
        if event.class == EventClass::MESSAGE {
            self.pubsub.publish(Reach::Global, &event.key, &event.message);
            return;
        }
        if event.class == EventClass::SHARD_MESSAGE {
            self.pubsub.publish(Reach::Shard, &event.key, &event.message);
            return;
        }
        if event.class == EventClass::DATABASE {
            if let Some((_, state)) = held.iter().find(|(of, _)| *of == index) {
                self.touch_database(index, state, event.db, moment.now_ms);
            }
            let waiting = self.shards[index].waits.in_database(event.db);
            waiting.into_iter().for_each(|(key, _)| note_ready(ready, event.db, &key));
            return;
        }
        self.notify(event);
        if event.class.intersects(EventClass::NEW | EventClass::MISS) {
            return;
        }
        let shard = shard_of_slot(slot(&event.key), self.shards.len());
        self.touch_key(shard, event);
        self.invalidate(&event.key, moment.origin);
        if self.shards[shard].waits.has(event.db, &event.key) {
            note_ready(ready, event.db, &event.key);
        }
    }

    /// Serves those who wait for a key, first come first served, as long as it has something for them. Its shard need
    /// not be among the locked ones: what served a client elsewhere may have made it ready.
    fn serve(&self, held: &mut Held<'_>, (db, key): (usize, &[u8]), moment: Moment<'_>) {
        let shard = shard_of_slot(slot(key), self.shards.len());
        let waiters = self.shards[shard].waits.of(db, key);
        if waiters.is_empty() {
            return;
        }
        if held.iter().any(|(of, _)| *of == shard) {
            return self.serve_each(held, &waiters, (db, key), moment);
        }
        let Some(mut guard) = self.shards[shard].lock.try_lock_for_spin() else {
            return waiters.iter().for_each(|waiter| waiter.client().retry_wait());
        };
        let mut all = together(held, std::iter::once((shard, &mut *guard)));
        self.serve_each(&mut all, &waiters, (db, key), moment);
        self.hand_over(&mut guard, held);
    }

    /// [`Server::serve`], with the key's shard locked.
    fn serve_each(
        &self,
        held: &mut Held<'_>,
        waiters: &[Arc<Waiter>],
        (db, key): (usize, &[u8]),
        moment: Moment<'_>,
    ) {
        let shard = shard_of_slot(slot(key), self.shards.len());
        for waiter in waiters {
            let fits = {
                let Some((_, state)) = held.iter().find(|(of, _)| *of == shard) else { return };
                let entry = state.shard.entry(db, key, moment.now_ms);
                entry.is_some_and(|entry| waiter.wait().kind.fits(entry))
            };
            if !fits {
                if let Some(error) = &waiter.wait().gone
                    && waiter.release(Some(error))
                {
                    self.count_error(error);
                    count_failed(held, shard, waiter, key);
                }
                continue;
            }
            let Some((entry, args)) = waiter.call_of(key) else { continue };
            if self.attempt(held, waiter, entry, Args::new(&args), moment) == Attempt::NotYet
                && !waiter.wait().kind.is_shared()
            {
                return;
            }
        }
    }

    /// Lets what was changed in a shard that is about to be let go be heard together with the rest.
    fn hand_over(&self, from: &mut ShardState, held: &mut Held<'_>) {
        for event in from.shard.effects.take_events() {
            if let Some((_, first)) = held.first_mut() {
                first.shard.effects.take_over(event);
            }
        }
        self.reap(&mut from.shard);
    }

    /// Runs the call that serves a waiting client. If it needs shards that are in use elsewhere, the client's own task
    /// is woken to lock them.
    fn attempt(
        &self,
        held: &mut Held<'_>,
        waiter: &Waiter,
        entry: &'static Entry,
        args: Args<'_>,
        moment: Moment<'_>,
    ) -> Attempt {
        let missing: Vec<usize> = self
            .shards_of(entry, args)
            .into_iter()
            .filter(|shard| held.iter().all(|(of, _)| of != shard))
            .collect();
        let Ok(mut more) = try_lock_all(&self.shards, &missing) else {
            waiter.client().retry_wait();
            return Attempt::NotYet;
        };
        let attempt = {
            let mut all = together(held, more.iter_mut().map(|(index, guard)| (*index, &mut **guard)));
            let attempt = waiter.serve(|reply| {
                let mark = reply.mark();
                let mut rng = None;
                let shards = all.iter_mut().map(|(index, state)| {
                    let ShardState { shard, rng: random, .. } = &mut **state;
                    rng.get_or_insert(random);
                    (*index, shard)
                });
                let mut shards = in_their_places(shards, self.shards.len());
                let Some(rng) = rng else { return false };
                let mut cx = Ctx {
                    keys: Keyspace::new(Shards::Many(&mut shards), waiter.db, moment.now_ms, moment.settings),
                    reply,
                    caller: Caller::Client,
                    // The call was admitted when it came.
                    access: None,
                    gate: Gate::empty(),
                    settings: moment.settings,
                    rng,
                    exchange: &self.pubsub,
                    scripts: None,
                    server: None,
                };
                let error = match cx.resume(entry, args) {
                    Ok(Flow::Done) => return true,
                    Ok(Flow::Block(_)) => return false,
                    Err(error) => error,
                };
                let failed = waiter.wait().failed.as_ref();
                if let Some(failed) = failed {
                    reply.rewind(mark);
                    failed.write(reply);
                }
                self.count_error(failed.unwrap_or(&error));
                true
            });
            // Before the shards are let go that were locked for it.
            self.record(&mut all);
            attempt
        };
        for (_, guard) in &mut more {
            self.hand_over(guard, held);
        }
        attempt
    }

    /// The shards of a call's keys, ascending.
    pub fn shards_of(&self, entry: &Entry, args: Args<'_>) -> Vec<usize> {
        let mut shards = Vec::new();
        let count = self.shards.len();
        // A call without keys to find needs none.
        let _ = entry.command.meta.each_key(args, &mut |span| {
            shards.push(shard_of_slot(slot(args.raw(span.index)), count));
        });
        shards.sort_unstable();
        shards.dedup();
        shards
    }
}

fn held<'h>(guards: &'h mut ShardGuards<'_>) -> Held<'h> {
    guards.iter_mut().map(|(index, guard)| (*index, &mut **guard)).collect()
}

/// The locked shards and more of them.
fn together<'h>(held: &'h mut Held<'_>, more: impl Iterator<Item = (usize, &'h mut ShardState)>) -> Held<'h> {
    let mut all: Held<'h> =
        held.iter_mut().map(|(index, state)| (*index, &mut **state)).chain(more).collect();
    all.sort_unstable_by_key(|(index, _)| *index);
    all
}

/// Counts a call as failed whose key went while it waited.
fn count_failed(held: &mut Held<'_>, shard: usize, waiter: &Waiter, key: &[u8]) {
    let state = held.iter_mut().find(|(of, _)| *of == shard);
    if let (Some((_, state)), Some((entry, _))) = (state, waiter.call_of(key))
        && let Some(stats) = state.shard.stats.of(entry.id)
    {
        stats.failed += 1;
    }
}

fn note_ready(ready: &mut Ready, db: usize, key: &[u8]) {
    if !ready.iter().any(|(of, other)| *of == db && **other == *key) {
        ready.push_back((db, key.into()));
    }
}
