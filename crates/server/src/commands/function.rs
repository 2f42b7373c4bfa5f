//! FUNCTION and its subcommands.

use super::Call;
use super::locked::Held;
use crate::script_figures::as_sender;
use moonshard_engine::admission::Gate;
use moonshard_engine::{Error, glob};
use moonshard_scripting::{ENGINE, Function, Kind, Library, RestorePolicy, ScriptFlags, SlowCall};
use std::sync::Arc;

impl Call<'_, '_> {
    pub(super) fn function_help(&mut self) -> Result<(), Error> {
        self.reply.lines(HELP);
        Ok(())
    }

    pub(super) async fn function_load(&mut self) -> Result<(), Error> {
        let (options, code) = match self.args.from(2) {
            [options @ .., code] => (options, *code),
            [] => return Err(Error::fixed("ERR Function code is missing")),
        };
        if let Some(option) = options.iter().find(|option| !option.eq_ignore_ascii_case(b"replace")) {
            return Err(quoting("ERR Unknown option given: ", option));
        }
        self.refuse_without_room().await?;
        let scripts = &self.server.scripts;
        let replace = !options.is_empty();
        // Repeated, it makes the same library of whatever is there.
        let tell = || self.server.log_record_apart(&[b"FUNCTION", b"LOAD", b"REPLACE", code]);
        let library = off_the_loop(|| {
            scripts.registry.libraries().load_telling(code, replace, &scripts.settings, tell)
        })?;
        library.set_sender(as_sender(&self.session.client));
        self.reply.bulk(library.name().as_bytes());
        Ok(())
    }

    pub(super) fn function_delete(&mut self) -> Result<(), Error> {
        let tell = || self.server.log_record_apart(self.args.all());
        self.server.scripts.registry.libraries().delete(self.args.raw(2), tell)?;
        self.reply.ok();
        Ok(())
    }

    pub(super) fn function_list(&mut self) -> Result<(), Error> {
        let (mut with_code, mut pattern) = (false, None);
        let mut options = self.args.from(2).iter();
        while let Some(option) = options.next() {
            if !with_code && option.eq_ignore_ascii_case(b"withcode") {
                with_code = true;
            } else if pattern.is_none() && option.eq_ignore_ascii_case(b"libraryname") {
                let Some(given) = options.next() else {
                    return Err(Error::fixed("ERR library name argument was not given"));
                };
                pattern = Some(*given);
            } else {
                return Err(quoting("ERR Unknown argument ", option));
            }
        }
        let set = self.server.scripts.registry.libraries().set();
        let wanted = |library: &&Arc<Library>| {
            pattern.is_none_or(|pattern| glob::matches(pattern, library.name().as_bytes(), true))
        };
        let libraries: Vec<_> = set.libraries().values().filter(wanted).collect();
        self.reply.array(libraries.len());
        for library in libraries {
            self.list_library(library, with_code);
        }
        Ok(())
    }

    fn list_library(&mut self, library: &Library, with_code: bool) {
        self.reply.map(if with_code { 4 } else { 3 });
        self.reply.bulk(b"library_name");
        self.reply.bulk(library.name().as_bytes());
        self.reply.bulk(b"engine");
        self.reply.bulk(ENGINE.as_bytes());
        self.reply.bulk(b"functions");
        self.reply.array(library.functions().len());
        for Function { name, description, flags } in library.functions() {
            self.reply.map(3);
            self.reply.bulk(b"name");
            self.reply.bulk(name.as_bytes());
            self.reply.bulk(b"description");
            match description {
                Some(text) => self.reply.bulk(text),
                None => self.reply.null(),
            }
            self.reply.bulk(b"flags");
            let names = || ScriptFlags::NAMES.iter().filter(|(flag, _)| flags.contains(*flag));
            self.reply.set(names().count());
            names().for_each(|(_, name)| self.reply.status(name));
        }
        if with_code {
            self.reply.bulk(b"library_code");
            self.reply.bulk(library.code());
        }
    }

    /// Shows the function that has run for longest. One that began within the last millisecond is about to end, and not
    /// shown.
    pub(super) fn function_stats(&mut self) -> Result<(), Error> {
        let cells = || self.server.cells();
        let slow: Vec<_> = cells().filter_map(|cell| cell.control.slow_call()).collect();
        let function =
            slow.into_iter().filter(|call| call.kind == Kind::Function).min_by_key(|call| call.since);
        if function.is_none() && cells().any(|cell| cell.control.busy() == Some(Kind::Script)) {
            return Err(Error::BUSY);
        }
        self.reply.map(2);
        self.reply.bulk(b"running_script");
        match function {
            Some(SlowCall { name, args, since, .. }) => {
                self.reply.map(3);
                self.reply.bulk(b"name");
                self.reply.bulk(&name);
                self.reply.bulk(b"command");
                self.reply.array(args.len());
                args.iter().for_each(|arg| self.reply.bulk(arg));
                self.reply.bulk(b"duration_ms");
                self.reply.int(since.elapsed().as_millis() as i64);
            }
            None => self.reply.null(),
        }
        let set = self.server.scripts.registry.libraries().set();
        self.reply.bulk(b"engines");
        self.reply.map(1);
        self.reply.bulk(ENGINE.as_bytes());
        self.reply.map(2);
        self.reply.bulk(b"libraries_count");
        self.reply.int(set.libraries().len() as i64);
        self.reply.bulk(b"functions_count");
        self.reply.int(set.function_count() as i64);
        Ok(())
    }

    pub(super) fn function_kill(&mut self) -> Result<(), Error> {
        self.server.kill_scripts(Kind::Function)?;
        self.reply.ok();
        Ok(())
    }

    pub(super) fn function_dump(&mut self) -> Result<(), Error> {
        let payload = self.server.scripts.registry.libraries().dump(self.settings.rdbcompression);
        self.reply.bulk(&payload);
        Ok(())
    }

    pub(super) async fn function_restore(&mut self) -> Result<(), Error> {
        let policy = match self.args.from(3) {
            [] => RestorePolicy::Append,
            [policy] if policy.eq_ignore_ascii_case(b"append") => RestorePolicy::Append,
            [policy] if policy.eq_ignore_ascii_case(b"replace") => RestorePolicy::Replace,
            [policy] if policy.eq_ignore_ascii_case(b"flush") => RestorePolicy::Flush,
            [_] => {
                return Err(Error::fixed(
                    "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
                ));
            }
            _ => return Err(Error::subcommand_syntax(self.args)),
        };
        self.refuse_without_room().await?;
        let (scripts, payload) = (&self.server.scripts, self.args.raw(2));
        let tell = || {
            // Repeated, it may find that some of the libraries are there already.
            let policy: &[u8] = if policy == RestorePolicy::Flush { b"FLUSH" } else { b"REPLACE" };
            self.server.log_record_apart(&[b"FUNCTION", b"RESTORE", payload, policy]);
        };
        off_the_loop(|| scripts.registry.libraries().restore(payload, policy, &scripts.settings, tell))?;
        self.reply.ok();
        Ok(())
    }

    /// Forgets all libraries, on every shard at once. What the VMs have loaded of them is dropped by each when it next
    /// runs a function, and here already where nothing runs.
    pub(super) fn function_flush(&mut self) -> Result<(), Error> {
        match self.args.from(2) {
            [] => {}
            [mode] if mode.eq_ignore_ascii_case(b"sync") || mode.eq_ignore_ascii_case(b"async") => {}
            [_] => return Err(Error::fixed("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")),
            _ => return Err(Error::subcommand_syntax(self.args)),
        }
        self.server.scripts.registry.libraries().flush(|| self.server.log_record_apart(self.args.all()));
        for (_, state) in self.held.iter_mut().flat_map(Held::states) {
            state.vm.forget_functions();
        }
        for cell in self.server.cells() {
            if let Some(mut guard) = cell.lock.try_lock() {
                guard.vm.forget_functions();
            }
        }
        self.reply.ok();
        Ok(())
    }

    /// Refuses a command that needs memory when there is none. A transaction was refused as a whole.
    async fn refuse_without_room(&mut self) -> Result<(), Error> {
        if self.held.is_some() {
            return Ok(());
        }
        let gate = self.server.make_room(self.engine, self.now_ms).await;
        if gate.contains(Gate::OUT_OF_MEMORY) { Err(Error::OUT_OF_MEMORY) } else { Ok(()) }
    }
}

/// Runs what may take long while another thread takes over this I/O thread's connections.
fn off_the_loop<R>(run: impl FnOnce() -> R) -> R {
    // Outside of a runtime there is nothing to hand over, and saying so would panic.
    if tokio::runtime::Handle::try_current().is_ok() { tokio::task::block_in_place(run) } else { run() }
}

/// An error that ends with bytes from outside, up to the first NUL.
fn quoting(text: &str, bytes: &[u8]) -> Error {
    let mut line = text.as_bytes().to_vec();
    line.extend(bytes.iter().take_while(|&&byte| byte != 0));
    Error::bytes(line)
}

const HELP: &[&str] = &[
    "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "LOAD [REPLACE] <FUNCTION CODE>",
    "    Create a new library with the given library name and code.",
    "DELETE <LIBRARY NAME>",
    "    Delete the given library.",
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    Return general information on all the libraries:",
    "    * Library name",
    "    * The engine used to run the Library",
    "    * Library description",
    "    * Functions list",
    "    * Library code (if WITHCODE is given)",
    "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
    "STATS",
    "    Return information about the current function running:",
    "    * Function name",
    "    * Command used to run the function",
    "    * Duration in MS that the function is running",
    "    If no function is running, return nil",
    "    In addition, returns a list of available engines.",
    "KILL",
    "    Kill the current running function.",
    "FLUSH [ASYNC|SYNC]",
    "    Delete all the libraries.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the libraries.",
    "    * SYNC: Synchronously flush the libraries.",
    "DUMP",
    "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
    "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
    "    control how to handle existing libraries (default APPEND):",
    "    * FLUSH: delete all existing libraries.",
    "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
    "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
    "      libraries with the new libraries (notice that even on this option there is a chance of failure",
    "      in case of functions name collision with another library).",
    "HELP",
    "    Prints this help.",
];
