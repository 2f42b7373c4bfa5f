//! SCRIPT and its subcommands.

use super::Call;
use super::locked::Held;
use super::on_shards::Needs;
use crate::connection::ReplyMode;
use crate::debugging::{Job, Mode};
use crate::script_figures::note_sender;
use moonshard_engine::{Error, ScriptRef};
use moonshard_protocol::Encoding;
use moonshard_scripting::{Kind, Sha};

const FLUSH_MODES: Error = Error::fixed("ERR SCRIPT FLUSH only support SYNC|ASYNC option");

impl Call<'_, '_> {
    pub(super) fn script_help(&mut self) -> Result<(), Error> {
        self.reply.lines(&[
            "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
            "DEBUG (YES|SYNC|NO)",
            "    Set the debug mode for subsequent scripts executed.",
            "EXISTS <sha1> [<sha1> ...]",
            "    Return information about the existence of the scripts in the script cache.",
            "FLUSH [ASYNC|SYNC]",
            "    Flush the Lua scripts cache. Very dangerous on replicas.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the scripts cache.",
            "    * SYNC: Synchronously flush the scripts cache.",
            "KILL",
            "    Kill the currently executing Lua script.",
            "LOAD <script>",
            "    Load a script into the scripts cache without executing it.",
            "HELP",
            "    Prints this help.",
            "EXPLAIN <script>|<sha1> <numkeys> [<key> ...] [<arg> ...]",
            "    Tell without running it whether a script compiles, its flags, which slots and shards its keys",
            "    are of, which globals it would miss or assign to, and which hash tag its keys have in common.",
            "KILL SHA <sha1>",
            "    Kill that script alone, wherever it runs.",
            "LIST",
            "    Return the scripts in the script cache: SHA1, how each is kept, length, flags, calls, last use.",
            "PROFILE START [<sha1>|<function> ...] | STOP | GET [<sha1>|<function>] [FOLDED]",
            "    Take profiles of these scripts and functions, or of all: the time that each line takes, or with",
            "    FOLDED the stacks of lines as tools for flame graphs read them. Profiled scripts run slower.",
            "SHOW <sha1>",
            "    Return the text of a script.",
            "STATS [<sha1>|<function>]",
            "    Return what was counted of a script or function, or of all of them, the most time first.",
        ]);
        Ok(())
    }

    pub(super) fn script_load(&mut self) -> Result<(), Error> {
        let registry = &self.server.scripts.registry;
        let tell = || self.server.log_record_apart(self.args.all());
        let sha = registry.load_telling(self.args.raw(2), tell)?;
        registry.with(&sha, |script| note_sender(script, &self.session.client));
        self.reply.bulk(sha.as_bytes());
        Ok(())
    }

    pub(super) fn script_exists(&mut self) -> Result<(), Error> {
        let names = self.args.from(2);
        self.reply.array(names.len());
        for name in names {
            self.reply.int(i64::from(self.server.scripts.registry.exists(name)));
        }
        Ok(())
    }

    /// Forgets all scripts, on every shard at once. What the VMs have compiled is dropped by each when it next runs a
    /// script, and here already where nothing runs.
    pub(super) fn script_flush(&mut self) -> Result<(), Error> {
        match self.args.len() {
            2 => {}
            3 if self.args.is(2, "SYNC") || self.args.is(2, "ASYNC") => {}
            _ => return Err(FLUSH_MODES),
        }
        self.server.scripts.registry.flush_telling(|| self.server.log_record_apart(self.args.all()));
        for (_, state) in self.held.iter_mut().flat_map(Held::states) {
            state.vm.forget_scripts();
        }
        for cell in self.server.cells() {
            if let Some(mut guard) = cell.lock.try_lock() {
                guard.vm.forget_scripts();
            }
        }
        self.reply.ok();
        Ok(())
    }

    pub(super) fn script_kill(&mut self) -> Result<(), Error> {
        match self.args.len() {
            2 => self.server.kill_scripts(Kind::Script)?,
            4 if self.args.is(2, "SHA") => self.server.kill_script(self.args.raw(3))?,
            _ => return Err(Error::wrong_arity(&self.entry.full_name)),
        }
        self.reply.ok();
        Ok(())
    }

    /// Chooses whether the scripts of this connection are debugged.
    pub(super) fn script_debug(&mut self) -> Result<(), Error> {
        if self.held.is_some() || !self.reply.is_empty() {
            return Err(Error::fixed("ERR SCRIPT DEBUG must be called outside a pipeline"));
        }
        self.session.debug = match () {
            () if self.args.is(2, "NO") => None,
            () if self.args.is(2, "YES") => Some(Mode::Copy),
            () if self.args.is(2, "SYNC") => Some(Mode::Sync),
            () => return Err(Error::fixed("ERR Use SCRIPT DEBUG YES/SYNC/NO")),
        };
        self.reply.ok();
        Ok(())
    }

    /// Begins to debug a script or function. From then on the connection is the debugger's.
    ///
    /// # Errors
    /// What the client is answered when no session begins.
    pub async fn begin_debugging(&mut self, mode: Mode) -> Result<(), Error> {
        let (entry, args) = (self.entry, self.args);
        if let ScriptRef::Sha(sha) = ScriptRef::of(entry.command, args) {
            // What is no SHA1 is no script that could be known.
            let known = Sha::from_client(sha).ok_or(Error::NO_SCRIPT);
            return known.and(Err(Error::fixed("ERR Please use EVAL instead of EVALSHA for debugging")));
        }
        let gate = self.server.make_room(self.engine, self.now_ms).await;
        let needs = self.needs(entry, args).map(Needs::into_script);
        let session = &*self.session;
        let job = Job {
            server: self.server.clone(),
            client: session.client.clone(),
            user: session.identity.restricted_user(),
            entry,
            args: args.iter().map(<[u8]>::to_vec).collect(),
            needs,
            settings: self.engine.clone(),
            gate,
            db: session.db,
            no_touch: session.no_touch,
            encoding: if session.reply_mode == ReplyMode::On { session.protocol } else { Encoding::Off },
            mode,
        };
        let started = job.start();
        let no_thread = |error| Error::text(format!("ERR no thread for the debugger: {error}"));
        self.session.debugger = Some(started.map_err(no_thread)?);
        Ok(())
    }
}
