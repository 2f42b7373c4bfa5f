//! What a command gets, and the one door by which it runs.

use crate::acl::Access;
use crate::admission::{self, Gate};
use crate::args::Args;
use crate::command::{Command, Entry, Flags, Handler, Route, ServerCommand, SessionCommand};
use crate::database_index::database_index;
use crate::error::Error;
use crate::exchange::{Exchange, Reach};
use crate::keyspace::{COUNTS, Keyspace};
use crate::rng::Rng;
use crate::sample_reply::sample_reply;
use crate::server_commands::ServerCommands;
use crate::settings::Settings;
use crate::wait::Wait;
use moonshard_protocol::Reply;

/// How a command that did not fail went on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It has written its reply.
    Done,
    /// It has changed nothing and written nothing, and waits for a key.
    Block(Box<Wait>),
}

/// What a handler returns.
pub type CmdResult = Result<Flow, Error>;

/// A handler's usual end.
pub const DONE: CmdResult = Ok(Flow::Done);

/// What a script may touch, decided before it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScriptKeys {
    /// Keys of this slot.
    Slot(u16),
    /// Keys of these slots, in ascending order (`allow-cross-slot-keys`).
    Slots(Vec<u16>),
    /// Any key (`allow-undeclared-keys`).
    Any,
    /// No key: the script has no KEYS, so no slot.
    None,
}

/// When a script has read its keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScriptReads {
    /// Whether it has called a command that reads before one that writes.
    pub before_writes: bool,
    /// Whether it has called one that reads after all that write.
    pub after_writes: bool,
}

/// The script on whose behalf a command runs.
#[derive(Clone, Debug)]
pub struct ScriptCaller {
    /// What it may touch.
    pub keys: ScriptKeys,
    /// Whether it may not write.
    pub read_only: bool,
    /// Whether it may write while memory is over its limit.
    pub allow_oom: bool,
    /// Whether memory was over its limit when it started.
    pub out_of_memory: bool,
    /// Whether it has written.
    pub wrote: bool,
    /// What it has read, and when.
    pub reads: ScriptReads,
    /// Whether it may call what scripts may not, for tests.
    pub unrestricted: bool,
}

/// On whose behalf a command runs. Handlers never ask; the door does.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A connection.
    Client,
    /// EXEC.
    Transaction,
    /// A script's `redis.call`.
    Script(ScriptCaller),
    /// The log, or a primary: what has run elsewhere is neither refused nor told again. Its [`Keyspace`] leaves keys
    /// that are due alone ([`ExpiryMode::Ignore`](crate::keyspace::ExpiryMode::Ignore)).
    Replay,
}

/// A call of EVAL, FCALL and their kin.
#[derive(Clone, Copy, Debug)]
pub struct ScriptCall<'a> {
    /// The script's text, its SHA1 in hexadecimal digits of any case, or a function's name.
    pub script: ScriptRef<'a>,
    /// KEYS.
    pub keys: &'a [&'a [u8]],
    /// ARGV.
    pub argv: &'a [&'a [u8]],
    /// Whether the command itself forbids writes (`EVAL_RO`, `EVALSHA_RO`, `FCALL_RO`).
    pub read_only: bool,
    /// The whole call, the command's name first.
    pub args: Args<'a>,
}

impl<'a> ScriptCall<'a> {
    /// Reads a call of `command`, one of the EVAL and FCALL commands: what its first argument is and whether it may
    /// write is in its declaration.
    ///
    /// # Errors
    /// NOSCRIPT for what is no SHA1, and Redis' texts for a number of keys that is none, negative, or more than there
    /// are arguments. Redis says of a function that is not known before it says these: see [`ScriptRef::of`].
    #[inline]
    pub fn parse(command: &Command, args: Args<'a>) -> Result<Self, Error> {
        const SHA_LEN: usize = 40;
        let script = ScriptRef::of(command, args);
        let number = match script {
            ScriptRef::Sha(sha) if sha.len() != SHA_LEN => return Err(Error::NO_SCRIPT),
            ScriptRef::Sha(_) | ScriptRef::Text(_) => args.int(2)?,
            ScriptRef::Function(_) => {
                args.int(2).map_err(|_| Error::fixed("ERR Bad number of keys provided"))?
            }
        };
        let Ok(number) = usize::try_from(number) else {
            return Err(Error::fixed("ERR Number of keys can't be negative"));
        };
        let Some((keys, argv)) = args.from(3).split_at_checked(number) else {
            return Err(Error::fixed("ERR Number of keys can't be greater than number of args"));
        };
        Ok(Self { script, keys, argv, read_only: command.meta.flags.contains(Flags::READONLY), args })
    }
}

/// How a call names its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptRef<'a> {
    /// By its text.
    Text(&'a [u8]),
    /// By its SHA1.
    Sha(&'a [u8]),
    /// A function of a library, by its name in letters of any case.
    Function(&'a [u8]),
}

impl<'a> ScriptRef<'a> {
    /// What a call of `command`, one of the EVAL and FCALL commands, names, whatever else is wrong with it.
    #[inline]
    pub fn of(command: &Command, args: Args<'a>) -> Self {
        let name = args.raw(1);
        match command.meta.args.first().map(|first| first.name) {
            Some("sha1") => Self::Sha(name),
            Some("function") => Self::Function(name),
            _ => Self::Text(name),
        }
    }
}

/// What runs scripts. The engine knows no more of Lua than this.
pub trait ScriptRunner {
    /// Runs a script, whose commands come back through [`Ctx::call`].
    ///
    /// # Errors
    /// The script's error, as the client is to see it.
    fn run(&mut self, cx: &mut Ctx<'_>, call: &ScriptCall<'_>) -> CmdResult;
}

/// What a command gets. It never learns who asks.
pub struct Ctx<'a> {
    /// The keyspace.
    pub keys: Keyspace<'a>,
    /// Where its reply goes.
    pub reply: &'a mut Reply,
    /// On whose behalf it runs.
    pub caller: Caller,
    /// What the user may do on whose behalf it runs; `None` when that is everything.
    pub access: Option<Access<'a>>,
    /// What the state of the server forbids.
    pub gate: Gate,
    /// The settings.
    pub settings: &'a Settings,
    /// The random source.
    pub rng: &'a mut Rng,
    /// Where messages go.
    pub exchange: &'a dyn Exchange,
    /// What runs scripts, where the command may run any.
    pub scripts: Option<&'a mut (dyn ScriptRunner + 'static)>,
    /// What answers the server's own commands to scripts, where there is a server.
    pub server: Option<&'a dyn ServerCommands>,
}

impl Ctx<'_> {
    /// The door: admits the command or refuses it, runs it, and sees to it that exactly one reply is written.
    /// Only a client's call can return [`Flow::Block`], with no reply written yet; a script's and a transaction's get
    /// the empty reply.
    ///
    /// # Errors
    /// The error that was answered, if one was.
    #[inline(always)]
    pub fn call(&mut self, entry: &Entry, args: Args<'_>) -> CmdResult {
        self.call_after(entry, args, |_| Ok(()))
    }

    /// [`Ctx::call`], with something to be done between a command's admission and its run.
    ///
    /// # Errors
    /// The error that was answered, if one was.
    #[inline(always)]
    pub fn call_after(
        &mut self,
        entry: &Entry,
        args: Args<'_>,
        prepare: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> CmdResult {
        if let Err(error) = admission::admit(self, entry, args).and_then(|()| prepare(self)) {
            return self.reject(entry, error);
        }
        let outcome = self.run_admitted(entry, args);
        if let Err(error) = &outcome {
            self.note_script_error(error);
            self.count(entry, |stats| stats.failed += 1);
        }
        if !self.is_timed() {
            // It may be below zero for now: what was refused is taken away where its time is counted.
            self.count(entry, |stats| stats.calls = stats.calls.wrapping_add(1));
        }
        outcome
    }

    /// Answers a call that does not run.
    #[cold]
    fn reject(&mut self, entry: &Entry, error: Error) -> CmdResult {
        let timed = u64::from(self.is_timed());
        self.count(entry, |stats| {
            stats.rejected += 1;
            // Who times it takes it for a call that ran.
            stats.calls = stats.calls.wrapping_sub(timed);
        });
        self.note_script_error(&error);
        error.write(self.reply);
        Err(error)
    }

    /// Whether who calls takes the time of each call, and so counts it: [`ShardStats::ran`](crate::keyspace::ShardStats).
    #[inline]
    fn is_timed(&self) -> bool {
        matches!(self.caller, Caller::Client | Caller::Transaction)
    }

    /// Runs a call of a client that waited, for the key that it waited for. It was admitted and counted when it came.
    ///
    /// # Errors
    /// The error that was answered, if one was.
    pub fn resume(&mut self, entry: &Entry, args: Args<'_>) -> CmdResult {
        let outcome = self.run_admitted(entry, args);
        if outcome.is_err() {
            self.count(entry, |stats| stats.failed += 1);
        }
        outcome
    }

    /// Runs a command that was admitted.
    #[inline(always)]
    fn run_admitted(&mut self, entry: &Entry, args: Args<'_>) -> CmdResult {
        let run = match entry.command.handler {
            Handler::Shard(run) => run,
            // A script's SELECT is its own: it is over with the script.
            Handler::Session(SessionCommand::Select) if matches!(self.caller, Caller::Script(_)) => select,
            Handler::Server(ServerCommand::Debug) if matches!(self.caller, Caller::Script(_)) => {
                debug_in_script
            }
            _ => serve,
        };
        let mark = self.reply.mark();
        let flags = entry.command.meta.flags;
        // Of a script only what its calls did is repeated.
        let replays = flags.intersects(Flags::WRITE.union(Flags::MAY_REPLICATE))
            && entry.command.meta.route != Route::Script
            && self.keys.replays();
        if replays {
            self.keys.begin_command();
        }
        let db = self.keys.db();
        let changes = if replays || cfg!(debug_assertions) { self.keys.changes() } else { 0 };
        let outcome = run(self, args);
        if replays && changes != self.keys.changes() {
            self.keys.end_command(db, args.all());
        }
        debug_assert!(
            !flags.contains(Flags::READONLY)
                || flags.contains(Flags::MAY_REPLICATE)
                || changes == self.keys.changes(),
            "the read-only command {} changed the keyspace",
            entry.full_name
        );
        match outcome {
            Ok(Flow::Done) => DONE,
            Ok(Flow::Block(wait)) => {
                if matches!(self.caller, Caller::Client) {
                    return Ok(Flow::Block(wait));
                }
                wait.empty.write(self.reply);
                DONE
            }
            Err(error) => {
                self.reply.rewind(mark);
                error.write(self.reply);
                Err(error)
            }
        }
    }

    /// Sends a message to all subscribers of a channel. Returns to how many. A script's message goes out together with
    /// what the script has changed, in order, and not at all before the script ends.
    pub fn publish(&mut self, reach: Reach, channel: &[u8], message: &[u8]) -> usize {
        if matches!(self.caller, Caller::Script(_))
            && let Some(shard) = self.keys.first_shard()
        {
            shard.effects.send(reach, channel, message);
            return self.exchange.receivers(reach, channel);
        }
        self.exchange.publish(reach, channel, message)
    }

    /// Keeps the error that a script's call is answered, for who counts errors: the script may keep it to itself.
    #[cold]
    fn note_script_error(&mut self, error: &Error) {
        if matches!(self.caller, Caller::Script(_))
            && let Some(shard) = self.keys.first_shard()
        {
            shard.stats.script_errors.push(error.code().into());
        }
    }

    #[inline]
    fn count(&mut self, entry: &Entry, update: impl FnOnce(&mut crate::keyspace::CommandStats)) {
        if COUNTS
            && let Some(shard) = self.keys.first_shard()
            && let Some(stats) = shard.stats.of(entry.id)
        {
            update(stats);
        }
    }
}

/// What the server answers, to a script.
#[cold]
fn serve(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    match (&cx.caller, cx.server) {
        (Caller::Script(_), Some(server)) => server.serve(cx, args),
        _ => Err(Error::NOT_FROM_SCRIPT),
    }
}

/// DEBUG by a script, which is for tests only.
fn debug_in_script(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    if args.len() == 3 && args.is(1, "protocol") {
        sample_reply(cx.reply, args.raw(2))?;
        return DONE;
    }
    Err(Error::NOT_FROM_SCRIPT)
}

/// SELECT by a script.
fn select(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let db = database_index(args, 1, cx.settings.databases)?;
    if cx.settings.cluster && db != 0 {
        return Err(Error::fixed("ERR SELECT is not allowed in cluster mode"));
    }
    cx.keys.select(db);
    cx.reply.ok();
    DONE
}
