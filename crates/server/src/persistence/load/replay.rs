//! Runs the commands of the log again. Those on one shard go to its worker, in order; any other waits for all before it
//! and runs alone.

use super::batch::{Batch, Call};
use super::delay::Delay;
use super::workers::Workers;
use super::{Context, LoadError};
use crate::clients::Client;
use crate::commands;
use crate::connection::Session;
use crate::server::unix_ms;
use moonshard_aof::{Command, Damage, EVALUATED_ANNOTATION, Item, Reader};
use moonshard_engine::Args;
use moonshard_engine::command::{CommandTable, Entry, Handler, Route, SessionCommand};
use moonshard_engine::database_index;
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_protocol::{Encoding, Reply};
use moonshard_scripting::Keep;
use std::io::Read;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Bytes of a shard's commands that are worth a worker's attention.
const BATCH_BYTES: usize = 64 << 10;
/// Commands after which it is told how far loading is.
const TELL_EVERY: u32 = 1024;

/// See the [module](self).
pub(super) struct Replay<'r> {
    context: &'r Context<'r>,
    workers: &'r Workers,
    runtime: &'r Handle,
    file: Arc<str>,
    session: Session,
    /// What each shard's worker is to be given next.
    batches: Vec<Batch>,
    /// What came since MULTI.
    transaction: Option<Batch>,
    db: usize,
    /// Whether the next command makes a script known that is known from EVAL only.
    evaluated: bool,
    delay: Delay,
}

impl<'r> Replay<'r> {
    pub(super) fn new(
        context: &'r Context<'r>,
        workers: &'r Workers,
        runtime: &'r Handle,
        file: &str,
    ) -> Self {
        let server = context.server;
        let client = Client::new(0, String::new(), String::new(), -1, unix_ms());
        let mut session = Session::of_script(Arc::new(client), &server.acl);
        session.become_log(&server.acl);
        let mut batches = Vec::new();
        batches.resize_with(server.shards.len(), Batch::default);
        Self {
            context,
            workers,
            runtime,
            file: file.into(),
            session,
            batches,
            transaction: None,
            db: 0,
            evaluated: false,
            delay: Delay::of(&server.config),
        }
    }

    /// Runs everything that `reader` finds; all of it is done then. `earlier` bytes were read in other files.
    ///
    /// # Errors
    /// What is wrong with the file; what was whole before that has run.
    pub(super) fn run<R: Read>(mut self, mut reader: Reader<R>, earlier: u64) -> Result<(), LoadError> {
        let (loading, mut count) = (&self.context.server.persistence.loading, 0u32);
        let outcome = loop {
            match reader.next() {
                Ok(None) => break Ok(()),
                Ok(Some(Item::Annotation(line))) => {
                    self.evaluated = line == EVALUATED_ANNOTATION.trim_ascii_end();
                }
                Ok(Some(Item::Command(command))) => {
                    let offset = command.offset();
                    if let Err(reason) = self.take(command) {
                        break Err(LoadError::Corrupt { file: self.file.to_string(), offset, reason });
                    }
                }
                Err(damage) => break Err(self.damaged(damage)),
            }
            count = count.wrapping_add(1);
            if count.is_multiple_of(TELL_EVERY) || self.delay.is_set() {
                loading.reach(earlier + reader.offset());
                loading.log_at_times();
                self.delay.wait(self.context.server);
            }
        };
        self.hand_over_all();
        self.workers.wait(&self.file)?;
        loading.reach(earlier + reader.offset());
        outcome
    }

    fn damaged(&self, damage: Damage) -> LoadError {
        let file = self.file.to_string();
        match damage {
            Damage::Torn { valid_up_to, len } => LoadError::Torn { file, offset: valid_up_to, len },
            Damage::Corrupt { offset, reason, .. } => LoadError::Corrupt { file, offset, reason },
            Damage::Io(error) => LoadError::Io { file, error },
        }
    }

    fn take(&mut self, command: Command<'_>) -> Result<(), String> {
        let args: Vec<&[u8]> = command.iter().collect();
        let (args, offset) = (Args::new(&args), command.offset());
        let entry = CommandTable::get().resolve(args).map_err(|error| error.to_string())?;
        match entry.command.handler {
            Handler::Session(SessionCommand::Multi) => self.transaction = Some(Batch::default()),
            Handler::Session(SessionCommand::Exec) => {
                if let Some(batch) = self.transaction.take() {
                    self.run_transaction(batch);
                }
            }
            Handler::Session(SessionCommand::Select) => {
                let databases = self.context.settings.databases;
                self.db = database_index(args, 1, databases).map_err(|error| error.to_string())?;
            }
            _ if std::mem::take(&mut self.evaluated) && entry.full_name == "script|load" => {
                let registry = &self.context.server.scripts.registry;
                if let Err(error) = registry.take_up(args.raw(2), Keep::Evaluated) {
                    self.tell_error(entry, offset, &error.to_string());
                }
            }
            _ => match &mut self.transaction {
                Some(batch) => batch.push(entry, args, self.db, offset),
                None => match self.shard_of(entry, args) {
                    Some(shard) => {
                        self.batches[shard].push(entry, args, self.db, offset);
                        self.hand_over(shard, BATCH_BYTES);
                    }
                    None => {
                        self.run_alone();
                        self.run_now(entry, args, self.db, offset);
                    }
                },
            },
        }
        Ok(())
    }

    /// The one shard that a command is about.
    fn shard_of(&self, entry: &Entry, args: Args<'_>) -> Option<usize> {
        let meta = &entry.command.meta;
        if !matches!(entry.command.handler, Handler::Shard(_)) || meta.route != Route::Keys {
            return None;
        }
        let shard_of = |index: usize| shard_of_slot(slot(args.raw(index)), self.batches.len());
        if let Some(key) = entry.single_key {
            return Some(shard_of(key));
        }
        if !entry.command.has_keys() || (meta.widens)(args) {
            return None;
        }
        let (mut only, mut several) = (None, false);
        let found = meta.each_key(args, &mut |span| {
            let shard = shard_of(span.index);
            several |= *only.get_or_insert(shard) != shard;
        });
        only.filter(|_| found.is_ok() && !several)
    }

    /// Runs a whole transaction: in its worker if it is about one shard, else alone.
    fn run_transaction(&mut self, batch: Batch) {
        let arguments = batch.arguments();
        let mut shards = batch.calls(&arguments).map(|(call, args)| self.shard_of(call.entry, args));
        let Some(first) = shards.next() else { return };
        match first.filter(|first| shards.all(|shard| shard == Some(*first))) {
            Some(shard) => {
                self.batches[shard].append(&batch);
                self.hand_over(shard, BATCH_BYTES);
            }
            None => {
                self.run_alone();
                for (Call { entry, db, offset, .. }, args) in batch.calls(&arguments) {
                    self.run_now(entry, args, db, offset);
                }
            }
        }
    }

    /// Gives a shard's worker its commands, if they have at least so many bytes.
    fn hand_over(&mut self, shard: usize, bytes_min: usize) {
        let batch = &mut self.batches[shard];
        if !batch.is_empty() && batch.memory_bytes() >= bytes_min {
            self.workers.replay(shard, std::mem::take(batch), &self.file);
        }
    }

    fn hand_over_all(&mut self) {
        (0..self.batches.len()).for_each(|shard| self.hand_over(shard, 0));
    }

    /// Waits until everything so far has run.
    fn run_alone(&mut self) {
        self.hand_over_all();
        self.workers.settle();
    }

    /// Runs a command while nothing else runs.
    fn run_now(&mut self, entry: &'static Entry, args: Args<'_>, db: usize, offset: u64) {
        let mut reply = Reply::new(Encoding::Resp2);
        let server = self.context.server;
        let settings = server.config.load_full();
        self.session.db = db;
        let mut call = commands::Call {
            server,
            session: &mut self.session,
            settings: &settings,
            engine: &self.context.settings,
            reply: &mut reply,
            entry,
            args,
            now_ms: unix_ms(),
            micros: 0,
            held: None,
        };
        let outcome = self.runtime.block_on(call.replay());
        if let Err(error) = outcome {
            self.tell_error(entry, offset, &error.to_string());
        } else if let Some(error) = reply.as_bytes().strip_prefix(b"-") {
            self.tell_error(entry, offset, String::from_utf8_lossy(error).trim_end());
        }
        server.deliver();
    }

    fn tell_error(&self, entry: &Entry, offset: u64, error: &str) {
        tell_error(&self.file, entry, offset, error);
    }
}

/// Tells that a command of the log did not run as it did before. Like Redis the server goes on.
pub(super) fn tell_error(file: &str, entry: &Entry, offset: u64, error: &str) {
    tracing::error!(
        file,
        offset,
        command = entry.full_name,
        error,
        "a command of the log was answered an error"
    );
}
