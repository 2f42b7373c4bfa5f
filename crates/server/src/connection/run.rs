//! Runs a batch. What can run at once, on the shard of its one key, does so here; everything else takes the general
//! path.

use super::batch::{Batch, Key, Place};
use super::{Connection, ReplyMode};
use crate::acl::Heard;
use crate::commands::ScriptHost;
use crate::effects::Moment;
use crate::memory::needs_room;
use crate::server::{Server, unix_micros};
use crate::shards::ShardState;
use moonshard_engine::admission::Gate;
use moonshard_engine::command::Entry;
use moonshard_engine::keyspace::{Keyspace, Shards, View};
use moonshard_engine::{Args, Caller, CmdResult, Ctx, Error, Flow};
use moonshard_lock::{Guard, try_lock_all};
use moonshard_protocol::{Mark, Reply};
use moonshard_scripting::Plan as ScriptPlan;
use std::sync::atomic::Ordering::Relaxed;
use tokio::io::{AsyncRead, AsyncWrite};

/// Fewest keys of a batch for which looking ahead pays.
const AHEAD_MIN: usize = 4;
/// Most keys that are looked at ahead: what they bring is to be in the cache still when it is wanted.
const AHEAD_MAX: usize = 1024;

/// A request that runs on one shard.
struct Request<'r> {
    entry: &'static Entry,
    args: Args<'r>,
    /// The hash of its key, if it has one at a fixed place.
    hash: u64,
    view: View,
}

/// How things stood before a call, for what follows it.
#[derive(Clone, Copy)]
struct Before {
    /// Where its reply begins.
    mark: Mark,
    /// The log's last record of a change of the shard.
    logged: u64,
    /// Bytes that the shard had written ahead of a snapshot's walk.
    ahead: usize,
}

impl Before {
    #[inline]
    fn new(state: &ShardState, reply: &Reply) -> Self {
        Self { mark: reply.mark(), logged: state.logged, ahead: state.shard.snapshot_pending() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Runs the requests of a batch in order. Returns how many it ran: all of them, unless one waits for a key.
    pub(super) async fn run_batch(&mut self, batch: &Batch<'_>) -> usize {
        self.refresh_settings();
        let now_micros = unix_micros();
        let now_ms = now_micros / 1000;
        self.micros = (now_micros % 1000) as u16;
        self.session.client.last_interaction_ms.store(now_ms, Relaxed);
        self.server.stats.commands.fetch_add(batch.len() as u64, Relaxed);
        if batch.keys().len() >= AHEAD_MIN {
            self.prefetch(&batch.keys()[..batch.keys().len().min(AHEAD_MAX)]);
        }
        let server = self.server.clone();
        let mut at = 0;
        let mut held = None;
        while at < batch.len() && !self.session.closing && !self.session.is_held_up() {
            if self.is_plain() {
                at = self.run_ready(&server, batch, at, held.take(), now_ms);
                if at == batch.len() || self.session.waiter.is_some() {
                    break;
                }
                // Once the shard that is held by another is free, its requests run on under one hold of its lock:
                // waiting for each of them would hand the lock to and fro for every single command.
                if let Place::Shard { index } | Place::Script { index, .. } = batch.plan(at).place
                    && !batch.plan(at).entry.is_some_and(|entry| self.lacks_room(entry))
                    && !batch.is_outdated(at, &server)
                    && let Ok(guard) = server.shards[index as usize].lock.lock().await
                {
                    held = Some((index, guard));
                    continue;
                }
            }
            // The general path may wait for other things, and nothing waits with a lock in hand, or keeps others from
            // hearing what was sent to them.
            held = None;
            server.deliver();
            self.run_general(batch.args(at), batch.plan(at), now_ms).await;
            self.refresh_settings();
            at += 1;
        }
        server.deliver();
        for (id, more) in self.session.uncounted.drain(..) {
            self.server.figures.count(id, more);
        }
        if let Some(entry) = at.checked_sub(1).and_then(|last| batch.plan(last).entry) {
            self.session.client.note_command(entry.id);
        }
        at
    }

    /// Whether room has to be made before the command may run.
    #[inline]
    fn lacks_room(&self, entry: &Entry) -> bool {
        self.server.is_over(self.settings.maxmemory) && needs_room(entry)
    }

    /// Whether nothing stands between a request and its shard: no authentication, pause, monitor, or muted replies.
    fn is_plain(&self) -> bool {
        self.session.authenticated
            && self.session.reply_mode == ReplyMode::On
            && self.session.transaction.is_none()
            && self.session.debug.is_none()
            && !self.session.is_confined()
            && !self.session.caching
            && !self.server.is_watched()
    }

    /// Runs requests from `at` on until one cannot run at once; returns its position. Neighbours of one shard share
    /// one hold of its lock; `held` is the one to begin with.
    fn run_ready<'s>(
        &mut self,
        server: &'s Server,
        batch: &Batch<'_>,
        mut at: usize,
        mut held: Option<(u32, Guard<'s, ShardState>)>,
        now_ms: u64,
    ) -> usize {
        let view = View::new(self.session.db, now_ms, &self.engine)
            .at_micros(self.micros)
            .touching(!self.session.no_touch);
        // One reading a command: the end of one is the begin of the next.
        let mut begun = server.ticks.raw();
        while at < batch.len() {
            let plan = batch.plan(at);
            let Some(entry) = plan.entry else { break };
            if self.lacks_room(entry) {
                break;
            }
            match plan.place {
                Place::Shard { index } => {
                    let Some((_, state)) = lock_at(server, &mut held, plan.place) else { break };
                    let request = Request { entry, args: batch.args(at), hash: plan.hash, view };
                    let waits = self.call(index as usize, state, &request);
                    begun = self.timed(&request, state, begun).0;
                    if waits {
                        return at + 1;
                    }
                }
                Place::Script { .. } | Place::Keyless => {
                    let Some((index, state)) = lock_at(server, &mut held, plan.place) else { break };
                    if batch.is_outdated(at, server) {
                        break;
                    }
                    state.vm.expect(match plan.place {
                        Place::Script { slot, .. } => ScriptPlan::Slot(slot),
                        _ => ScriptPlan::NoKeys,
                    });
                    let request = Request { entry, args: batch.args(at), hash: 0, view };
                    // A script never waits for a key.
                    self.call_script(*index as usize, state, &request);
                    let nanos;
                    (begun, nanos) = self.timed(&request, state, begun);
                    server.script_took(state, nanos, &self.session.client);
                }
                Place::Shards { from, to } => {
                    // Locks are taken in ascending order, with none in hand.
                    held = None;
                    let Ok(mut guards) = try_lock_all(&server.shards, batch.shards(from, to)) else { break };
                    let mark = self.reply.mark();
                    self.as_call(entry, batch.args(at), now_ms).run_on(&mut guards, None, Gate::empty());
                    if self.session.listens {
                        self.session.hear(&mut self.reply, mark);
                    }
                    if self.session.waiter.is_some() {
                        return at + 1;
                    }
                    begun = server.ticks.raw();
                }
                Place::Anywhere => {
                    self.call_anywhere(entry, batch.args(at), now_ms);
                    let ended = server.ticks.raw();
                    self.session.ran(entry.id, server.ticks.delta_as_nanos(begun, ended));
                    begun = ended;
                }
                Place::General => break,
            }
            at += 1;
        }
        at
    }

    /// Runs a command that is no script on one shard. Returns whether it waits for a key.
    #[inline]
    fn call(&mut self, index: usize, state: &mut ShardState, request: &Request<'_>) -> bool {
        let before = Before::new(state, &self.reply);
        let ShardState { shard, rng, .. } = &mut *state;
        let key = request.entry.single_key.and_then(|at| request.args.get(at));
        let keys = Keyspace::with_view(Shards::One(shard), request.view, &self.engine);
        let denials = Heard::of_call(&self.server, &self.session, request.entry);
        let mut cx = Ctx {
            keys: keys.knowing(key, request.hash),
            reply: &mut self.reply,
            caller: Caller::Client,
            access: denials.as_ref().and_then(|denials| self.session.identity.access(denials)),
            gate: Gate::empty(),
            settings: &self.engine,
            rng,
            exchange: &self.server.pubsub,
            scripts: None,
            server: None,
        };
        let outcome = cx.call(request.entry, request.args);
        self.follow(index, state, request, outcome, before)
    }

    /// Runs a script on one shard.
    #[inline]
    fn call_script(&mut self, index: usize, state: &mut ShardState, request: &Request<'_>) {
        let before = Before::new(state, &self.reply);
        let ShardState { shard, vm, rng, .. } = &mut *state;
        let denials = Heard::of_call(&self.server, &self.session, request.entry);
        let host = ScriptHost::new(&self.server, &self.session.client);
        let mut cx = Ctx {
            keys: Keyspace::with_view(Shards::One(shard), request.view, &self.engine),
            reply: &mut self.reply,
            caller: Caller::Client,
            access: denials.as_ref().and_then(|denials| self.session.identity.access(denials)),
            gate: Gate::empty(),
            settings: &self.engine,
            rng,
            exchange: &self.server.pubsub,
            scripts: Some(vm),
            server: Some(&host),
        };
        let outcome = cx.call(request.entry, request.args);
        self.follow(index, state, request, outcome, before);
    }

    /// What follows a call: nothing at all as a rule, which takes a branch for the shard's part, one for the client's and
    /// one for the log's. Returns whether the client waits for a key.
    #[inline]
    fn follow(
        &mut self,
        index: usize,
        state: &mut ShardState,
        request: &Request<'_>,
        outcome: CmdResult,
        before: Before,
    ) -> bool {
        if !matches!(outcome, Ok(Flow::Done)) || !state.shard.is_settled() || self.session.listens {
            return self.follow_up(index, state, request, outcome, before);
        }
        self.session.dependence.note(&self.server.persistence.log, before.logged, state.logged);
        false
    }

    /// [`Connection::follow`], where there is something.
    #[inline(never)]
    fn follow_up(
        &mut self,
        index: usize,
        state: &mut ShardState,
        request: &Request<'_>,
        outcome: CmdResult,
        before: Before,
    ) -> bool {
        match outcome {
            Ok(Flow::Done) => {}
            Ok(Flow::Block(wait)) => self.session.wait_for(&self.server, *wait),
            Err(error) => self.server.count_failure(&state.shard, &error),
        }
        let (entry, args) = (request.entry, request.args);
        if self.session.tracks {
            self.session.script_reads = state.vm.reads();
            self.server.remember_script_reads(&self.session, entry, args);
        }
        let origin = self.session.client.id;
        self.server.settle(
            index,
            state,
            Moment { now_ms: request.view.now_ms(), settings: &self.engine, origin },
        );
        if self.session.tracks {
            self.server.remember_reads(&self.session, entry, args);
        }
        if self.session.listens {
            self.session.hear(&mut self.reply, before.mark);
        }
        let persistence = &self.server.persistence;
        self.session.dependence.note(&persistence.log, before.logged, state.logged);
        let walk = persistence.walk.to_wait_for(before.ahead, state.shard.snapshot_pending());
        self.session.awaits_walk = walk.unwrap_or(self.session.awaits_walk);
        self.session.waiter.is_some()
    }

    /// Takes note of how long a call took that began at `begun`. Returns when it ended, in ticks, and nanoseconds.
    #[inline(always)]
    fn timed(&self, request: &Request<'_>, state: &mut ShardState, begun: u64) -> (u64, u64) {
        let server = &self.server;
        let ended = server.ticks.raw();
        let nanos = server.ticks.delta_as_nanos(begun, ended);
        state.shard.stats.ran(request.entry.id, nanos);
        if server.is_notable(nanos) {
            server.observe_slow(request.entry, request.args, nanos, &self.session.client);
        }
        (ended, nanos)
    }

    /// Runs a command that needs no shard.
    pub(super) fn call_anywhere(&mut self, entry: &Entry, args: Args<'_>, now_ms: u64) {
        let mark = self.reply.mark();
        let mut rng = moonshard_engine::Rng::new(now_ms);
        let denials = Heard::of_call(&self.server, &self.session, entry);
        let view = View::new(self.session.db, now_ms, &self.engine).at_micros(self.micros);
        let mut cx = Ctx {
            keys: Keyspace::with_view(Shards::None, view, &self.engine),
            reply: &mut self.reply,
            caller: Caller::Client,
            access: denials.as_ref().and_then(|denials| self.session.identity.access(denials)),
            gate: Gate::empty(),
            settings: &self.engine,
            rng: &mut rng,
            exchange: &self.server.pubsub,
            scripts: None,
            server: None,
        };
        let outcome = cx.call(entry, args);
        self.session.count(entry.id, outcome.is_err(), 0);
        if self.session.listens {
            self.session.hear(&mut self.reply, mark);
        }
        if let Err(error) = outcome {
            self.note_error(&error);
        }
    }

    /// Counts an error reply.
    #[cold]
    pub(super) fn note_error(&mut self, error: &Error) {
        self.server.count_error(error);
    }

    /// Brings what looking up these keys will read into the cache, step by step, each step for all of them at once
    /// instead of for one after the other: the table's lines, the entries, and what lies behind them. A hint: a shard
    /// that is busy at the moment is passed over.
    fn prefetch(&self, keys: &[Key]) {
        let db = self.session.db;
        let mut guards: Vec<Option<Guard<'_, ShardState>>> = Vec::new();
        guards.resize_with(self.server.shards.len(), || None);
        let mut found = 0usize;
        for key in keys {
            let index = key.shard as usize;
            if guards[index].is_none() {
                guards[index] = self.server.shards[index].lock.try_lock();
            }
            if let Some(guard) = &guards[index] {
                guard.shard.databases[db].prefetch_bucket(key.hash);
                found += 1;
            }
        }
        if found < 2 {
            return;
        }
        let database =
            |key: &Key| guards[key.shard as usize].as_ref().map(|guard| &guard.shard.databases[db]);
        for key in keys {
            if let Some(database) = database(key) {
                database.prefetch_item(key.hash);
            }
        }
        for key in keys.iter().filter(|key| key.is_opened) {
            if let Some(database) = database(key) {
                database.prefetch_value(key.hash);
            }
        }
    }
}

/// The lock of a request's shard, which may be the one that is `held`; none if it is not free.
#[inline]
fn lock_at<'h, 's>(
    server: &'s Server,
    held: &'h mut Option<(u32, Guard<'s, ShardState>)>,
    place: Place,
) -> Option<&'h mut (u32, Guard<'s, ShardState>)> {
    let fits = match (&*held, place) {
        (Some((held, _)), Place::Shard { index } | Place::Script { index, .. }) => *held == index,
        (Some((held, _)), _) => *held as usize >= server.shards.len(),
        (None, _) => false,
    };
    if !fits {
        // Released before the next is asked for: nobody holds two here.
        *held = None;
        *held = Some(match place {
            Place::Shard { index } | Place::Script { index, .. } => {
                (index, server.shards[index as usize].lock.try_lock_for_spin()?)
            }
            _ => server.try_lock_keyless().map(|(index, guard)| (index as u32, guard))?,
        });
    }
    held.as_mut()
}
