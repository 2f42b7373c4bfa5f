//! Commands on keys by the general path: locks the shards that a call needs, waits for them if need be, and runs it.

use super::{Call, ScriptHost};
use crate::acl::Heard;
use crate::connection::last_record;
use crate::effects::Moment;
use crate::memory::needs_room;
use crate::shards::{ShardGuards, ShardState, in_their_places};
use moonshard_engine::admission::Gate;
use moonshard_engine::command::{Entry, Route};
use moonshard_engine::cursor;
use moonshard_engine::keyspace::{CommandStats, ExpiryMode, Keyspace, Shards, View};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, Caller, Ctx, Error, Flow, Rng, ScriptCall, ScriptRef};
use moonshard_lock::lock_all;
use moonshard_scripting::Plan;
use std::time::Instant;

/// What a call needs before it can run.
#[derive(Default)]
pub(super) struct Needs {
    /// The shards to lock, ascending; none for a call without keys.
    pub(super) shards: Vec<usize>,
    /// What its script may touch, if it is one.
    pub(super) script: Option<Plan>,
    /// The slots of its keys.
    pub(super) slots: Vec<u16>,
}

impl Needs {
    /// What a script's call needs.
    pub(super) fn into_script(self) -> (Plan, Vec<usize>) {
        (self.script.unwrap_or(Plan::NoKeys), self.shards)
    }
}

impl Call<'_, '_> {
    /// The moment of the call, for what follows it.
    pub(super) fn moment(&self) -> Moment<'_> {
        Moment { now_ms: self.now_ms, settings: self.engine, origin: self.session.client.id }
    }

    /// What the call sees of the keyspace.
    fn view(&self) -> View {
        View::new(self.session.db, self.now_ms, self.engine)
            .at_micros(self.micros)
            .touching(!self.session.no_touch)
    }

    /// Runs a command on the shards of its keys. A command that has to wait for a key leaves the waiter with the
    /// session.
    ///
    /// # Errors
    /// What the client is answered instead of a reply of the command's own.
    pub async fn run_shards(&mut self) -> Result<(), Error> {
        while !self.try_on_shards().await? {}
        Ok(())
    }

    /// [`Call::run_shards`], unless the flags of the script that is called change before its shards are locked.
    async fn try_on_shards(&mut self) -> Result<bool, Error> {
        let (entry, args) = (self.entry, self.args);
        let basis = self.server.scripts.basis();
        let needs = match self.needs(entry, args) {
            Ok(needs) => needs,
            Err(error) => {
                self.count_refused(&error);
                return Err(error);
            }
        };
        if needs.shards.is_empty() {
            self.run_anywhere();
            return Ok(true);
        }
        let mut gate = self.server.gate();
        if needs_room(entry) {
            gate |= self.server.make_room(self.engine, self.now_ms).await;
        }
        let server = self.server.clone();
        let locked = match needs.script {
            Some(Plan::NoKeys) => server.lock_keyless(self.session.client.id).await,
            _ => lock_all(&server.shards, &needs.shards).await,
        };
        let mut guards = locked.map_err(|_| server.busy_error(&needs.shards))?;
        if needs.script.is_some() && server.scripts.basis() != basis {
            return Ok(false);
        }
        self.run_on(&mut guards, needs.script, gate);
        Ok(true)
    }

    /// Counts a call that has no place to run: for Redis, a script that is not known has been called and has failed.
    #[cold]
    fn count_refused(&self, error: &Error) {
        let failed = u64::from(error.code() == Error::NO_SCRIPT.code());
        let more = CommandStats { calls: failed, failed, rejected: 1 - failed, ..CommandStats::default() };
        self.server.figures.count(self.entry.id, more);
    }

    /// Runs a client's command on the shards that were locked for it, and what follows it.
    pub fn run_on(&mut self, guards: &mut ShardGuards<'_>, script: Option<Plan>, gate: Gate) {
        let before = last_record(guards);
        if let Flow::Block(wait) = self.run_locked(guards, 0, script, Caller::Client, gate) {
            self.session.wait_for(self.server, *wait);
        }
        self.server.settle_all(guards, self.moment());
        self.session.dependence.note(&self.server.persistence.log, before, last_record(guards));
        if self.session.tracks {
            self.server.remember_reads(self.session, self.entry, self.args);
        }
    }

    /// Runs a command that needs no shard.
    pub(super) fn run_anywhere(&mut self) {
        let started = Instant::now();
        let mut rng = Rng::new(self.now_ms);
        let denials = Heard::new(self.server, &self.session.client, None);
        let mut cx = Ctx {
            keys: Keyspace::with_view(Shards::None, self.view(), self.engine),
            reply: self.reply,
            caller: Caller::Client,
            access: self.session.identity.access(&denials),
            gate: Gate::empty(),
            settings: self.engine,
            rng: &mut rng,
            exchange: &self.server.pubsub,
            scripts: None,
            server: None,
        };
        let outcome = cx.call(self.entry, self.args);
        let nanos = started.elapsed().as_nanos() as u64;
        self.session.count(self.entry.id, outcome.is_err(), nanos);
        if let Err(error) = outcome {
            self.server.count_error(&error);
        }
        self.server.observe(self.entry, self.args, nanos, &self.session.client);
    }

    /// Runs a command whose shards are among the locked ones, the first of them at `at`: a script runs in its VM.
    pub(super) fn run_locked(
        &mut self,
        guards: &mut ShardGuards<'_>,
        at: usize,
        script: Option<Plan>,
        caller: Caller,
        gate: Gate,
    ) -> Flow {
        let holds = &self.server.cell(guards[at].0).script_holds;
        let holds_others = script.is_some() && guards.len() > 1;
        if let Some(plan) = script {
            if holds_others {
                holds.set(guards.iter().map(|(index, _)| *index));
            }
            guards[at].1.vm.expect(plan);
        }
        // What was observed when it ran first is not observed again.
        let is_replayed = matches!(caller, Caller::Replay);
        let started = Instant::now();
        let denials = Heard::new(self.server, &self.session.client, None);
        let host = ScriptHost::new(self.server, &self.session.client);
        let outcome = {
            let mut places;
            let (shards, vm, rng) = match &mut guards[..] {
                [(_, guard)] => {
                    let ShardState { shard, vm, rng, .. } = &mut **guard;
                    (Shards::One(shard), vm, rng)
                }
                guards => {
                    let mut runner = None;
                    let shards = guards.iter_mut().enumerate().map(|(position, (index, guard))| {
                        let ShardState { shard, vm, rng, .. } = &mut **guard;
                        if position == at {
                            runner = Some((vm, rng));
                        }
                        (*index, shard)
                    });
                    places = in_their_places(shards, self.server.shards.len());
                    let Some((vm, rng)) = runner else { return Flow::Done };
                    (Shards::Many(&mut places), vm, rng)
                }
            };
            let expiry = if is_replayed { ExpiryMode::Ignore } else { ExpiryMode::DeleteWhenDue };
            let mut cx = Ctx {
                keys: Keyspace::with_view(shards, self.view().expiry_mode(expiry), self.engine),
                reply: self.reply,
                caller,
                access: self.session.identity.access(&denials),
                gate,
                settings: self.engine,
                rng,
                exchange: &self.server.pubsub,
                scripts: Some(vm),
                server: Some(&host),
            };
            cx.call(self.entry, self.args)
        };
        if holds_others {
            holds.clear();
        }
        let outcome = outcome.unwrap_or_else(|error| {
            self.server.count_failure(&guards[0].1.shard, &error);
            Flow::Done
        });
        if is_replayed {
            return outcome;
        }
        let nanos = started.elapsed().as_nanos() as u64;
        // Where the door counts: with the first of the shards that the command sees.
        guards[0].1.shard.stats.ran(self.entry.id, nanos);
        if self.entry.command.meta.route == Route::Script {
            self.server.script_took(&mut guards[at].1, nanos, &self.session.client);
        }
        if self.session.tracks {
            self.session.script_reads = guards[at].1.vm.reads();
            self.server.remember_script_reads(self.session, self.entry, self.args);
        }
        self.server.observe(self.entry, self.args, nanos, &self.session.client);
        outcome
    }

    /// What a call must have before it can run.
    ///
    /// # Errors
    /// `CROSSSLOT`, in cluster mode and for scripts; a script's own that are known before it runs.
    pub(super) fn needs(&self, entry: &Entry, args: Args<'_>) -> Result<Needs, Error> {
        let count = self.server.shards.len();
        let meta = &entry.command.meta;
        let mut needs = Needs::default();
        match meta.route {
            Route::Any if !self.server.is_busy() => {}
            Route::Keys if !entry.command.has_keys() => {}
            Route::Keys => {
                let found = meta.each_key(args, &mut |span| needs.slots.push(slot(args.raw(span.index))));
                if found.is_err() || needs.slots.is_empty() {
                    // The command itself says what is wrong with its arguments.
                    needs.shards = (0..count).collect();
                    return Ok(needs);
                }
                if self.engine.cluster && needs.slots.windows(2).any(|pair| pair[0] != pair[1]) {
                    return Err(Error::CROSS_SLOT);
                }
                needs.shards = if (meta.widens)(args) {
                    (0..count).collect()
                } else {
                    needs.slots.iter().map(|&slot| shard_of_slot(slot, count)).collect()
                };
            }
            Route::All | Route::Any => needs.shards = (0..count).collect(),
            Route::Cursor => needs.shards = vec![cursor::shard_of(args.raw(1), count).unwrap_or(0)],
            Route::Script => {
                let plan = self.plan_script(entry, args)?;
                needs.shards = match &plan {
                    Plan::Slot(slot) => vec![shard_of_slot(*slot, count)],
                    Plan::Slots(slots) => slots.iter().map(|&slot| shard_of_slot(slot, count)).collect(),
                    Plan::AllShards => (0..count).collect(),
                    // Any VM will do, in a transaction. By itself it runs where nobody's keys are.
                    Plan::NoKeys => vec![self.session.client.id as usize % count],
                };
                needs.script = Some(plan);
            }
        }
        needs.shards.sort_unstable();
        needs.shards.dedup();
        Ok(needs)
    }

    /// What the script's keys and flags let it touch.
    fn plan_script(&self, entry: &Entry, args: Args<'_>) -> Result<Plan, Error> {
        let scripts = &self.server.scripts;
        if let ScriptRef::Function(name) = ScriptRef::of(entry.command, args)
            && !scripts.registry.libraries().has_function(name)
        {
            return Err(Error::NO_FUNCTION);
        }
        let call = ScriptCall::parse(entry.command, args)?;
        moonshard_scripting::plan(&scripts.registry, call.script, call.keys, scripts.settings.default_flags())
    }
}
