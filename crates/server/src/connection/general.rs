//! The general path: any request, whatever it needs and however long it has to wait for it.

use super::batch;
use super::{Connection, ReplyMode};
use crate::acl::Heard;
use crate::clients::flag;
use crate::commands::Call;
use moonshard_engine::acl::Occasion;
use moonshard_engine::command::{CommandTable, Entry, Flags, Handler, Route, SessionCommand};
use moonshard_engine::keyspace::CommandStats;
use moonshard_engine::{Args, Error};
use moonshard_protocol::Encoding;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncWrite};

/// Whether a request is a line of HTTP's: a browser that was made to talk to this port.
fn is_http(args: Args<'_>) -> bool {
    args.is(0, "post") || args.is(0, "host:")
}

/// Whether a command runs at once although requests are queued.
fn runs_in_multi(entry: Option<&Entry>) -> bool {
    entry.is_some_and(
        |entry| matches!(entry.command.handler, Handler::Session(command) if command.runs_in_multi()),
    )
}

/// Whether a command is one of CLIENT's.
fn is_about_clients(entry: &Entry) -> bool {
    entry.full_name.starts_with("client|")
}

fn is_ping(entry: &Entry) -> bool {
    entry.full_name == "ping"
}

/// Whether a command is allowed to a client of RESP2 that has subscribed to something.
fn is_about_subscriptions(entry: &Entry) -> bool {
    use SessionCommand as Session;
    match entry.command.handler {
        Handler::Session(command) => {
            matches!(
                command,
                Session::Subscribe(_) | Session::Unsubscribe(_) | Session::Quit | Session::Reset
            )
        }
        _ => is_ping(entry),
    }
}

/// Whether messages that came while a command ran go before its reply: not where replies are messages themselves.
fn is_heard(entry: &Entry) -> bool {
    matches!(entry.command.handler, Handler::Shard(_) | Handler::Session(SessionCommand::Exec))
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
            let error = self.abort_transaction(plan.entry.or_else(|| CommandTable::get().find(args)), error);
            error.write(&mut self.reply);
            self.note_error(&error);
        }
        if self.session.caching
            && self.session.transaction.is_none()
            && !plan.entry.is_some_and(is_about_clients)
        {
            // It was for this command or transaction only.
            self.session.caching = false;
            self.session.client.set_flag(flag::CACHING, false);
        }
        if skipping && self.session.reply_mode == ReplyMode::Skip {
            self.session.reply_mode = ReplyMode::On;
        }
        if self.session.reply_mode == ReplyMode::On {
            self.reply.set_encoding(self.session.protocol);
        }
    }

    /// What a refused request means for the transaction that it was meant for; returns what is answered. A refused
    /// EXEC ends the transaction.
    fn abort_transaction(&mut self, entry: Option<&Entry>, error: Error) -> Error {
        let Some(transaction) = &mut self.session.transaction else { return error };
        if entry.is_some_and(|entry| matches!(entry.command.handler, Handler::Session(SessionCommand::Exec)))
        {
            self.session.end_transaction(&self.server);
            return error.aborting_exec();
        }
        if !runs_in_multi(entry) {
            transaction.abort();
        }
        error
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
        if let Err(error) = self.admit(entry, args) {
            self.count_rejected(args);
            return Err(self.as_refused(entry, error));
        }
        if self.session.is_confined() && !is_about_subscriptions(entry) {
            self.count_rejected(args);
            return Err(self.confined(entry));
        }
        if self.server.persistence.loading.is_active() && !flags.contains(Flags::LOADING) {
            self.count_rejected(args);
            return Err(self.as_refused(entry, Error::LOADING));
        }
        if self.session.client.has_flag(flag::MONITOR) && flags.intersects(TOUCHES_KEYS) {
            self.count_rejected(args);
            return Err(Error::fixed("ERR Replica can't interact with the keyspace"));
        }
        if let Some(error) = self.refused_by_disk(entry) {
            self.count_rejected(args);
            return Err(error);
        }
        if self.server.pause.is_set() {
            self.wait_for_pause(entry, args).await;
        }
        let is_script = entry.command.meta.route == Route::Script;
        if self.session.transaction.is_some() && !runs_in_multi(Some(entry)) {
            if is_script && self.session.debug.is_some() {
                return Err(Error::fixed("ERR Scripts can't be debugged inside a transaction"));
            }
            return self.as_call(entry, args, now_ms).queue().await;
        }
        if is_script {
            // Watchers see a script before the commands that it runs.
            self.server.monitors.feed(&self.session, entry, args);
            if let Some(mode) = self.session.debug {
                return self.as_call(entry, args, now_ms).begin_debugging(mode).await;
            }
        }
        if self.session.is_confined() && is_ping(entry) && args.len() <= 2 {
            self.pong(entry, args);
            return Ok(());
        }
        let started = Instant::now();
        let mark = self.reply.mark();
        let mut call = self.as_call(entry, args, now_ms);
        let outcome = match entry.command.handler {
            Handler::Shard(_) => call.run_shards().await,
            Handler::Container => return Err(Error::wrong_arity(&entry.full_name)),
            Handler::Session(command) => {
                let outcome = call.run_session(command).await;
                call.observe(outcome.is_err(), started);
                outcome
            }
            Handler::Server(command) => {
                let outcome = call.run_server(command).await;
                if flags.contains(Flags::WRITE) {
                    call.session.dependence.note_last(&call.server.persistence.log);
                }
                call.observe(outcome.is_err(), started);
                outcome
            }
        };
        if !is_script {
            self.server.monitors.feed(&self.session, entry, args);
        }
        if self.session.listens && outcome.is_ok() && is_heard(entry) {
            self.session.hear(&mut self.reply, mark);
        }
        outcome
    }

    /// What a client that has subscribed to something is answered to other commands.
    fn confined(&self, entry: &Entry) -> Error {
        self.as_refused(entry, Error::text(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
             context",
            entry.full_name
        )))
    }

    /// What a client is told whose call is refused before it runs: EXEC's refusal names what becomes of a transaction,
    /// even without one.
    fn as_refused(&self, entry: &Entry, error: Error) -> Error {
        let is_exec = matches!(entry.command.handler, Handler::Session(SessionCommand::Exec));
        if is_exec && self.session.transaction.is_none() { error.aborting_exec() } else { error }
    }

    /// PING's reply among messages, in their form.
    fn pong(&mut self, entry: &'static Entry, args: Args<'_>) {
        self.reply.array(2);
        self.reply.bulk(b"pong");
        self.reply.bulk(args.get(1).unwrap_or_default());
        self.session.count(entry.id, false, 0);
    }

    /// Whether the client's user may make a call, now or in its transaction.
    fn admit(&self, entry: &Entry, args: Args<'_>) -> Result<(), Error> {
        let session = &self.session;
        let denials = Heard::new(&self.server, &session.client, Some(entry.id));
        let Some(access) = session.identity.access(&denials) else { return Ok(()) };
        if session.transaction.is_none() {
            return access.admit(entry, args, Occasion::Client);
        }
        if entry.command.meta.flags.contains(Flags::NO_MULTI) {
            // It is refused for that.
            return Ok(());
        }
        access.admit(entry, args, Occasion::Queue)
    }

    /// What a command is answered while what it writes could not be kept. PING tells of it, too.
    fn refused_by_disk(&self, entry: &Entry) -> Option<Error> {
        let gate = self.server.gate();
        if gate.is_empty() {
            return None;
        }
        gate.misconfiguration(if is_ping(entry) { Flags::WRITE } else { entry.command.meta.flags })
    }

    /// Waits as long as clients are paused; meanwhile the client counts as blocked. EXEC is what it runs.
    #[cold]
    async fn wait_for_pause(&mut self, entry: &Entry, args: Args<'_>) {
        let mut flags = self.server.flags_of(entry, args);
        if let (Handler::Session(SessionCommand::Exec), Some(transaction)) =
            (entry.command.handler, &self.session.transaction)
        {
            flags = flags.union(transaction.flags());
        }
        let client = self.session.client.clone();
        self.server.pause.wait(flags, |waits| client.set_flag(flag::BLOCKED, waits)).await;
    }

    /// Counts a call that was refused before it ran.
    #[cold]
    fn count_rejected(&self, args: Args<'_>) {
        if let Some(entry) = CommandTable::get().find(args) {
            self.server.figures.count(entry.id, CommandStats { rejected: 1, ..CommandStats::default() });
        }
    }

    pub(super) fn as_call<'c>(
        &'c mut self,
        entry: &'static Entry,
        args: Args<'c>,
        now_ms: u64,
    ) -> Call<'c, 'c> {
        Call {
            server: &self.server,
            session: &mut self.session,
            settings: &self.settings,
            engine: &self.engine,
            reply: &mut self.reply,
            entry,
            args,
            now_ms,
            micros: self.micros,
            held: None,
        }
    }
}
