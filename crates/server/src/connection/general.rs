//! The general path: any request, whatever it needs and however long it has to wait for it.

use super::batch;
use super::{Connection, ReplyMode};
use crate::clients::flag;
use crate::commands::Call;
use crate::memory::needs_room;
use crate::shards::{ShardGuards, ShardState};
use moonshard_engine::admission::Gate;
use moonshard_engine::command::{CommandTable, Entry, Flags, Handler, Route};
use moonshard_engine::keyspace::{CommandStats, Keyspace, Shard, Shards};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, Caller, Ctx, Error, ScriptCall};
use moonshard_lock::lock_all;
use moonshard_protocol::Encoding;
use moonshard_scripting::Plan;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};

/// Whether a request is a line of HTTP's: a browser that was made to talk to this port.
fn is_http(args: Args<'_>) -> bool {
    args.is(0, "post") || args.is(0, "host:")
}

/// The shards that a request runs on, ascending.
enum Needs {
    Nothing,
    Shards(Vec<usize>),
}

/// Commands that have to do with keys.
const TOUCHES_KEYS: Flags = Flags::WRITE.union(Flags::READONLY).union(Flags::MAY_REPLICATE);

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Runs one request and writes its reply.
    pub(super) async fn run_general(&mut self, args: Args<'_>, plan: batch::Plan, now_ms: u64) {
        match self.session.reply_mode {
            ReplyMode::On => {}
            ReplyMode::Off | ReplyMode::Skip => self.reply.set_encoding(Encoding::Off),
            ReplyMode::SkipNext => {
                self.session.reply_mode = ReplyMode::Skip;
                self.reply.set_encoding(Encoding::Off);
            }
        }
        let skipping = self.session.reply_mode == ReplyMode::Skip;
        if let Err(error) = self.run_checked(args, plan, now_ms).await {
            error.write(&mut self.reply);
            self.note_error(&error);
        }
        if skipping && self.session.reply_mode == ReplyMode::Skip {
            self.session.reply_mode = ReplyMode::On;
        }
        if self.session.reply_mode == ReplyMode::On {
            self.reply.set_encoding(self.session.protocol);
        }
    }

    async fn run_checked(&mut self, args: Args<'_>, plan: batch::Plan, now_ms: u64) -> Result<(), Error> {
        let entry = match plan.entry {
            Some(entry) => entry,
            None if is_http(args) => {
                tracing::warn!(
                    client = self.session.client.addr,
                    "possible security attack: a web page seems to send commands; connection closed"
                );
                self.session.closing = true;
                return Ok(());
            }
            None => CommandTable::get().resolve(args).inspect_err(|_| self.count_rejected(args))?,
        };
        let flags = entry.command.meta.flags;
        if !self.session.authenticated && !flags.contains(Flags::NO_AUTH) {
            self.count_rejected(args);
            return Err(Error::NO_AUTH);
        }
        if self.session.client.has_flag(flag::MONITOR) && flags.intersects(TOUCHES_KEYS) {
            self.count_rejected(args);
            return Err(Error::fixed("ERR Replica can't interact with the keyspace"));
        }
        self.wait_for_pause(entry).await;
        let is_script = entry.command.meta.route == Route::Script;
        if is_script {
            // Watchers see a script before the commands that it runs.
            self.server.monitors.feed(&self.session, entry, args);
        }
        let outcome = match entry.command.handler {
            Handler::Shard(_) => return self.run_and_feed(entry, args, now_ms, is_script).await,
            Handler::Container => return Err(Error::wrong_arity(&entry.full_name)),
            Handler::Session(command) => {
                let started = Instant::now();
                (self.as_call(entry, args, now_ms).run_session(command).await, started)
            }
            Handler::Server(command) => {
                let started = Instant::now();
                (self.as_call(entry, args, now_ms).run_server(command).await, started)
            }
        };
        let (outcome, started) = outcome;
        let nanos = started.elapsed().as_nanos() as u64;
        self.session.count(entry.id, outcome.is_err(), nanos);
        self.server.latency.record(entry.id, nanos);
        self.server.observe(entry, args, nanos, &self.session.client);
        self.server.monitors.feed(&self.session, entry, args);
        outcome
    }

    async fn run_and_feed(
        &mut self,
        entry: &'static Entry,
        args: Args<'_>,
        now_ms: u64,
        is_fed: bool,
    ) -> Result<(), Error> {
        self.run_on_shards(entry, args, now_ms).await?;
        if !is_fed {
            self.server.monitors.feed(&self.session, entry, args);
        }
        Ok(())
    }

    /// Waits as long as clients are paused; meanwhile the client counts as blocked.
    async fn wait_for_pause(&mut self, entry: &Entry) {
        if self.server.pause.is_set() {
            let client = self.session.client.clone();
            client.set_flag(flag::BLOCKED, true);
            self.server.pause.wait(entry).await;
            client.set_flag(flag::BLOCKED, false);
        }
    }

    /// Counts a call that was refused before it ran.
    #[cold]
    fn count_rejected(&self, args: Args<'_>) {
        if let Some(entry) = CommandTable::get().find(args) {
            self.server.figures.count(entry.id, CommandStats { rejected: 1, ..CommandStats::default() });
        }
    }

    fn as_call<'c>(&'c mut self, entry: &'static Entry, args: Args<'c>, now_ms: u64) -> Call<'c> {
        Call {
            server: &self.server,
            session: &mut self.session,
            settings: &self.settings,
            engine: &self.engine,
            reply: &mut self.reply,
            entry,
            args,
            now_ms,
        }
    }

    async fn run_on_shards(
        &mut self,
        entry: &'static Entry,
        args: Args<'_>,
        now_ms: u64,
    ) -> Result<(), Error> {
        let mut script = None;
        let needs = match entry.command.meta.route {
            Route::Script => {
                let plan = self.plan_script(entry, args)?;
                let needs = self.script_needs(&plan);
                script = Some(plan);
                needs
            }
            _ => self.needs(entry, args)?,
        };
        let shards = match needs {
            Needs::Nothing => {
                let started = Instant::now();
                self.call_anywhere(entry, args, now_ms);
                self.server.observe(entry, args, started.elapsed().as_nanos() as u64, &self.session.client);
                return Ok(());
            }
            Needs::Shards(shards) => shards,
        };
        let gate =
            if needs_room(entry) { self.server.make_room(&self.engine, now_ms).await } else { Gate::empty() };
        let server = self.server.clone();
        let mut guards = lock_all(&server.shards, &shards).await.map_err(|_| Error::BUSY)?;
        if let Some(plan) = script {
            // The script runs in the VM of the first of its shards.
            guards[0].1.vm.expect(plan);
            server.shards[shards[0]].script_holds.set(shards.iter().copied());
        }
        let started = Instant::now();
        self.call_locked(&mut guards, gate, entry, args, now_ms);
        let nanos = started.elapsed().as_nanos() as u64;
        guards[0].1.shard.stats.ran(entry.id, nanos);
        self.server.observe(entry, args, nanos, &self.session.client);
        for (_, guard) in &mut guards {
            server.reap(&mut guard.shard);
        }
        Ok(())
    }

    /// What the script's keys and flags let it touch.
    fn plan_script(&self, entry: &Entry, args: Args<'_>) -> Result<Plan, Error> {
        let call = ScriptCall::parse(entry.command, args)?;
        let scripts = &self.server.scripts;
        moonshard_scripting::plan(&scripts.registry, call.script, call.keys, scripts.settings.default_flags())
    }

    fn script_needs(&self, plan: &Plan) -> Needs {
        let count = self.server.shards.len();
        let mut shards = match plan {
            Plan::Slot(slot) => vec![shard_of_slot(*slot, count)],
            Plan::Slots(slots) => slots.iter().map(|&slot| shard_of_slot(slot, count)).collect(),
            Plan::AllShards => (0..count).collect(),
            // Any VM will do; taking turns keeps a script that is called often from one shard's keys.
            Plan::NoKeys => vec![self.session.client.id as usize % count],
        };
        shards.sort_unstable();
        shards.dedup();
        Needs::Shards(shards)
    }

    fn call_locked(
        &mut self,
        guards: &mut ShardGuards<'_>,
        gate: Gate,
        entry: &'static Entry,
        args: Args<'_>,
        now_ms: u64,
    ) {
        let count = self.server.shards.len();
        let mut shards: Vec<&mut Shard> = Vec::with_capacity(guards.len());
        let mut first = None;
        for (_, guard) in guards.iter_mut() {
            let ShardState { shard, vm, rng } = &mut **guard;
            shards.push(shard);
            first.get_or_insert((vm, rng));
        }
        let Some((vm, rng)) = first else { return };
        let shards = match shards.len() {
            1 => shards.pop().map_or(Shards::None, Shards::One),
            _ => Shards::Many(&mut shards, count),
        };
        let mut cx = Ctx {
            keys: Keyspace::new(shards, self.session.db, now_ms, &self.engine)
                .at_micros(self.micros)
                .touching(!self.session.no_touch),
            reply: &mut self.reply,
            caller: Caller::Client,
            gate,
            settings: &self.engine,
            rng,
            scripts: Some(vm),
        };
        if let Err(error) = cx.call(entry, args) {
            self.note_error(&error);
        }
    }

    /// The shards that the request must lock.
    ///
    /// # Errors
    /// `CROSSSLOT`, in cluster mode and for scripts.
    fn needs(&self, entry: &Entry, args: Args<'_>) -> Result<Needs, Error> {
        let count = self.server.shards.len();
        let meta = &entry.command.meta;
        let shards = match meta.route {
            Route::Keys if !entry.command.has_keys() => return Ok(Needs::Nothing),
            Route::Keys => {
                let mut slots = Vec::new();
                let found = meta.each_key(args, &mut |span| slots.push(slot(args.raw(span.index))));
                if found.is_err() || slots.is_empty() {
                    // The command itself says what is wrong with its arguments.
                    return Ok(Needs::Shards((0..count).collect()));
                }
                if self.engine.cluster && slots.windows(2).any(|pair| pair[0] != pair[1]) {
                    return Err(Error::CROSS_SLOT);
                }
                if (meta.widens)(args) {
                    return Ok(Needs::Shards((0..count).collect()));
                }
                let mut shards: Vec<usize> =
                    slots.into_iter().map(|slot| shard_of_slot(slot, count)).collect();
                shards.sort_unstable();
                shards.dedup();
                shards
            }
            Route::All | Route::Script => (0..count).collect(),
            Route::Cursor => vec![moonshard_engine::cursor::shard_of(args.raw(1), count).unwrap_or(0)],
        };
        Ok(Needs::Shards(shards))
    }
}
