//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use super::Call;
use super::locked::Held;
use super::on_shards::Needs;
use crate::acl::Heard;
use crate::clients::flag;
use crate::connection::last_record;
use crate::effects::{Ready, Watched};
use crate::memory::needs_room;
use crate::server::Server;
use crate::shards::ShardGuards;
use moonshard_engine::acl::Occasion;
use moonshard_engine::admission::Gate;
use moonshard_engine::command::{Entry, Flags, Handler};
use moonshard_engine::keyspace::{Keyspace, Shards};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, Caller, Error};
use moonshard_lock::lock_all;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

const ABORTED: Error = Error::fixed("EXECABORT Transaction discarded because of previous errors.");

/// Requests between MULTI and EXEC.
#[derive(Debug, Default)]
pub struct Transaction {
    /// All arguments, one after the other.
    bytes: Vec<u8>,
    /// The end of each argument in `bytes`.
    ends: Vec<usize>,
    /// Each request's command, and the end of its arguments in `ends`.
    requests: Vec<(&'static Entry, usize)>,
    /// Their flags together.
    flags: Flags,
    /// Whether a request was refused, so that EXEC will be.
    aborted: bool,
}

impl Transaction {
    /// Makes EXEC fail.
    pub const fn abort(&mut self) {
        self.aborted = true;
    }

    /// The flags of all requests together.
    pub const fn flags(&self) -> Flags {
        self.flags
    }

    fn push(&mut self, entry: &'static Entry, args: Args<'_>, flags: Flags) {
        self.flags = self.flags.union(flags);
        for arg in args.iter() {
            self.bytes.extend_from_slice(arg);
            self.ends.push(self.bytes.len());
        }
        self.requests.push((entry, self.ends.len()));
    }

    /// Bytes that the requests take.
    fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.ends.capacity() * size_of::<usize>()
            + self.requests.capacity() * size_of::<(&Entry, usize)>()
    }

    /// Every argument in order, to be divided by [`Transaction::calls`].
    fn arguments(&self) -> Vec<&[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end]).collect()
    }

    /// The requests.
    fn calls<'a>(&'a self, arguments: &'a [&'a [u8]]) -> impl Iterator<Item = (&'static Entry, Args<'a>)> {
        let starts = std::iter::once(0).chain(self.requests.iter().map(|(_, end)| *end));
        starts.zip(&self.requests).map(|(start, &(entry, end))| (entry, Args::new(&arguments[start..end])))
    }
}

impl Call<'_, '_> {
    pub(super) fn multi(&mut self) -> Result<(), Error> {
        if self.session.transaction.is_some() {
            return Err(Error::fixed("ERR MULTI calls can not be nested"));
        }
        self.session.transaction = Some(Transaction::default());
        self.session.client.set_flag(flag::MULTI, true);
        self.reply.ok();
        Ok(())
    }

    pub(super) fn discard(&mut self) -> Result<(), Error> {
        if self.session.transaction.is_none() {
            return Err(Error::fixed("ERR DISCARD without MULTI"));
        }
        self.session.end_transaction(self.server);
        self.reply.ok();
        Ok(())
    }

    pub(super) async fn watch(&mut self) -> Result<(), Error> {
        if self.session.transaction.is_some() {
            return Err(Error::fixed("ERR WATCH inside MULTI is not allowed"));
        }
        if !self.session.watched.is_touched() {
            let (db, server) = (self.session.db, self.server.clone());
            let needs = self.needs(self.entry, self.args)?;
            let mut guards = lock_all(&server.shards, &needs.shards)
                .await
                .map_err(|_| server.busy_error(&needs.shards))?;
            for &key in self.args.from(1) {
                if !self.session.watched.has(db, key) {
                    let existed = self.is_there(&mut guards, db, key);
                    self.session.watched.add(&server, db, key, existed);
                }
            }
            server.settle_all(&mut guards, self.moment());
        }
        self.session.client.watched.store(self.session.watched.len() as u32, Relaxed);
        self.reply.ok();
        Ok(())
    }

    pub(super) fn unwatch(&mut self) -> Result<(), Error> {
        self.session.watched.clear(self.server);
        self.session.client.watched.store(0, Relaxed);
        self.reply.ok();
        Ok(())
    }

    /// Whether a key of a locked shard is there; one that is due goes.
    fn is_there(&self, guards: &mut ShardGuards<'_>, db: usize, key: &[u8]) -> bool {
        let index = shard_of_slot(slot(key), self.server.shards.len());
        let Some((_, guard)) = guards.iter_mut().find(|(of, _)| *of == index) else { return false };
        Keyspace::new(Shards::One(&mut guard.shard), db, self.now_ms, self.engine).peek(key).is_some()
    }

    /// Queues a request until EXEC.
    ///
    /// # Errors
    /// What the request is refused with, and the transaction for it.
    pub async fn queue(&mut self) -> Result<(), Error> {
        let flags = self.server.flags_of(self.entry, self.args);
        if flags.contains(Flags::NO_MULTI) {
            return Err(Error::fixed("ERR Command not allowed inside a transaction"));
        }
        match self.needs(self.entry, self.args) {
            Ok(needs) if needs.shards.iter().any(|&index| self.server.shards[index].lock.is_refusing()) => {
                return Err(self.server.busy_error(&needs.shards));
            }
            Err(error) if self.engine.cluster => return Err(error),
            // Without a cluster, what is wrong with a call is answered in its place.
            Ok(_) | Err(_) => {}
        }
        if flags.contains(Flags::DENYOOM)
            && self.server.make_room(self.engine, self.now_ms).await.contains(Gate::OUT_OF_MEMORY)
        {
            return Err(Error::OUT_OF_MEMORY);
        }
        let (entry, args, session) = (self.entry, self.args, &mut *self.session);
        if let Some(transaction) = &mut session.transaction {
            // A transaction that will not run needs no memory.
            if !transaction.aborted && !session.watched.is_touched() {
                transaction.push(entry, args, flags);
                session.client.queued.0.store(transaction.requests.len() as u32, Relaxed);
                session.client.queued.1.store(transaction.memory_bytes() as u64, Relaxed);
            }
        }
        self.reply.status("QUEUED");
        Ok(())
    }

    pub(super) async fn exec(&mut self) -> Result<(), Error> {
        let Some(transaction) = self.session.transaction.take() else {
            return Err(Error::fixed("ERR EXEC without MULTI"));
        };
        let watched = std::mem::take(&mut self.session.watched);
        let outcome = self.exec_all(&transaction, &watched).await;
        self.session.watched = watched;
        self.session.end_transaction(self.server);
        outcome
    }

    async fn exec_all(&mut self, transaction: &Transaction, watched: &Watched) -> Result<(), Error> {
        let arguments = transaction.arguments();
        let mut shards = self.shards_of_transaction(transaction, &arguments)?;
        if self.server.is_busy() || shards.iter().any(|&index| self.server.shards[index].lock.is_refusing()) {
            return Err(self.server.busy_error(&shards).aborting_exec());
        }
        if transaction.aborted {
            return Err(ABORTED);
        }
        if watched.is_touched() {
            self.reply.null_array();
            return Ok(());
        }
        let room = transaction.requests.iter().any(|(entry, _)| needs_room(entry));
        let mut gate = self.server.gate();
        if room {
            gate |= self.server.make_room(self.engine, self.now_ms).await;
        }
        if let Some(error) = gate.misconfiguration(transaction.flags()) {
            return Err(error.aborting_exec());
        }
        if gate.contains(Gate::OUT_OF_MEMORY) && transaction.flags().contains(Flags::DENYOOM) {
            return Err(Error::OUT_OF_MEMORY.aborting_exec());
        }
        let count = self.server.shards.len();
        shards.extend(watched.keys().map(|(_, key, _)| shard_of_slot(slot(key), count)));
        shards.sort_unstable();
        shards.dedup();
        let server = self.server.clone();
        let mut guards = lock_all(&server.shards, &shards)
            .await
            .map_err(|_| server.busy_error(&shards).aborting_exec())?;
        let before = last_record(&guards);
        let expired =
            watched.keys().any(|(db, key, existed)| existed && !self.is_there(&mut guards, db, key));
        if expired || watched.is_touched() {
            server.settle_all(&mut guards, self.moment());
            self.reply.null_array();
            return Ok(());
        }
        self.reply.array(transaction.requests.len());
        let mut ready = Ready::new();
        for (entry, args) in transaction.calls(&arguments) {
            self.run_in_transaction(&mut guards, entry, args, gate).await;
            server.settle_one_of_many(&mut guards, self.moment(), &mut ready);
            if self.session.tracks {
                server.remember_reads(self.session, entry, args);
            }
        }
        server.settle_transaction(&mut guards, self.moment(), ready);
        self.session.dependence.note(&server.persistence.log, before, last_record(&guards));
        Ok(())
    }

    /// The shards that a transaction runs on. What the server answers itself may look at any of them.
    fn shards_of_transaction(
        &self,
        transaction: &Transaction,
        arguments: &[&[u8]],
    ) -> Result<Vec<usize>, Error> {
        let mut shards = Vec::new();
        let mut slots = Vec::new();
        for (entry, args) in transaction.calls(arguments) {
            match entry.command.handler {
                // What is wrong with a call that has no place is answered in its place.
                Handler::Shard(_) => {
                    let Needs { shards: more, slots: of_keys, .. } =
                        self.needs(entry, args).unwrap_or_default();
                    shards.extend(more);
                    slots.extend(of_keys);
                }
                Handler::Server(_) => shards.extend(0..self.server.shards.len()),
                Handler::Session(_) | Handler::Container => {}
            }
        }
        if self.engine.cluster && slots.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(Error::CROSS_SLOT);
        }
        Ok(shards)
    }

    /// Runs one request of a transaction, whose shards are locked, and answers it.
    async fn run_in_transaction(
        &mut self,
        guards: &mut ShardGuards<'_>,
        entry: &'static Entry,
        args: Args<'_>,
        gate: Gate,
    ) {
        let server = self.server.clone();
        // Rules may have changed since the call was queued, by a call before it even.
        self.session.refresh_user(&server.acl);
        if let Err(error) = self.session.admit_queued(&server, entry, args) {
            error.write(self.reply);
            return server.count_error(&error);
        }
        let mut call = Call {
            server: &server,
            session: &mut *self.session,
            settings: self.settings,
            engine: self.engine,
            reply: &mut *self.reply,
            entry,
            args,
            now_ms: self.now_ms,
            micros: self.micros,
            held: None,
        };
        let outcome = match entry.command.handler {
            Handler::Shard(_) => match call.needs(entry, args) {
                Ok(needs) if needs.shards.is_empty() => {
                    call.run_anywhere();
                    Ok(())
                }
                Ok(needs) => {
                    let place = |shard: &usize| guards.iter().position(|(index, _)| index == shard);
                    // The transaction has locked the shards of all its calls, as they were needed when it began.
                    match needs.shards.first().and_then(place) {
                        Some(first) if needs.shards.iter().all(|shard| place(shard).is_some()) => {
                            call.run_locked(guards, first, needs.script, Caller::Transaction, gate);
                            Ok(())
                        }
                        _ => Err(Error::FLAGS_CHANGED),
                    }
                }
                Err(error) => Err(error),
            },
            Handler::Session(command) => {
                let started = Instant::now();
                call.held = Some(Held::Transaction(guards));
                let outcome = Box::pin(call.run_session(command)).await;
                call.observe(outcome.is_err(), started);
                outcome
            }
            Handler::Server(command) => {
                let started = Instant::now();
                server.note_figures(guards);
                server.note_script_figures(guards);
                call.held = Some(Held::Transaction(guards));
                let outcome = Box::pin(call.run_server(command)).await;
                call.observe(outcome.is_err(), started);
                outcome
            }
            Handler::Container => Err(Error::wrong_arity(&entry.full_name)),
        };
        if let Err(error) = outcome {
            error.write(self.reply);
            server.count_error(&error);
        }
        server.monitors.feed(self.session, entry, args);
    }
}

impl crate::connection::Session {
    /// Whether the client's user may still make a call that was queued.
    fn admit_queued(&self, server: &Server, entry: &Entry, args: Args<'_>) -> Result<(), Error> {
        let denials = Heard::new(server, &self.client, None);
        match self.identity.access(&denials) {
            Some(access) => access.admit(entry, args, Occasion::Exec),
            None => Ok(()),
        }
    }

    /// Ends a transaction, run or not: nothing is queued or watched any more.
    pub fn end_transaction(&mut self, server: &Server) {
        self.transaction = None;
        self.watched.clear(server);
        self.client.set_flag(flag::MULTI, false);
        self.client.watched.store(0, Relaxed);
        self.client.queued.0.store(0, Relaxed);
        self.client.queued.1.store(0, Relaxed);
    }
}
