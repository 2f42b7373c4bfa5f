//! The debugger's commands, which the client gives while the script is stopped.

use super::input::{self, Input, leading_number};
use super::lines::{self, Added};
use super::{COUNT, Debugger, Evaluation, LINES, current, hook, show};
use crate::lua;
use crate::lua_stack::LuaStack;
use crate::vm::errors::c_string;
use mlua::ffi::{self, lua_Debug, lua_State};
use moonshard_engine::Args;
use std::ffi::{CStr, c_int};
use std::time::Instant;

/// How the script goes on.
pub(super) enum Resume {
    /// As it would have.
    Run,
    /// Without the client, who has gone; or it was killed.
    Alone,
    /// By this error.
    Raise(&'static str),
}

/// Lines around the current one that `list` shows.
const CONTEXT: c_int = 5;
/// More lines than there are.
const ALL: c_int = 1_000_000;

const HELP: &[&str] = &[
    "Redis Lua debugger help:",
    "[h]elp               Show this help.",
    "[s]tep               Run current line and stop again.",
    "[n]ext               Alias for step.",
    "[c]ontinue           Run till next breakpoint.",
    "[l]ist               List source code around current line.",
    "[l]ist [line]        List source code around [line].",
    "                     line = 0 means: current position.",
    "[l]ist [line] [ctx]  In this form [ctx] specifies how many lines",
    "                     to show before/after [line].",
    "[w]hole              List all source code. Alias for 'list 1 1000000'.",
    "[p]rint              Show all the local variables.",
    "[p]rint <var>        Show the value of the specified variable.",
    "                     Can also show global vars KEYS and ARGV.",
    "[b]reak              Show all breakpoints.",
    "[b]reak <line>       Add a breakpoint to the specified line.",
    "[b]reak -<line>      Remove breakpoint from the specified line.",
    "[b]reak 0            Remove all breakpoints.",
    "[t]race              Show a backtrace.",
    "[e]val <code>        Execute some Lua code (in a different callframe).",
    "[r]edis <cmd>        Execute a Redis command.",
    "[m]axlen [len]       Trim logged Redis replies and Lua var dumps to len.",
    "                     Specifying zero as <len> means unlimited.",
    "[a]bort              Stop the execution of the script. In sync",
    "                     mode dataset changes will be retained.",
    "",
    "Debugger functions you can call from Lua scripts:",
    "redis.debug()        Produce logs in the debugger console.",
    "redis.breakpoint()   Stop execution like if there was a breakpoint in the",
    "                     next line of code.",
];

impl Debugger {
    /// Does what the client says until the script is to go on.
    ///
    /// # Safety
    /// `state` runs the hook.
    pub(super) unsafe fn converse(&self, state: *mut lua_State) -> Resume {
        // SAFETY: the caller's promise. Without a limit to its memory, nothing raises here but in protected calls; the
        // stack is left as it was.
        unsafe {
            let limit = lua::replace_limit(state, 0);
            let top = ffi::lua_gettop(state);
            let resume = loop {
                let command = match self.next_command() {
                    Ok(Some(command)) => command,
                    Ok(None) => break Resume::Alone,
                    Err(text) => break Resume::Raise(text),
                };
                let ended = self.obey(state, &command, limit);
                ffi::lua_settop(state, top);
                if let Some(resume) = ended {
                    break resume;
                }
                self.send_log();
            };
            lua::replace_limit(state, limit);
            resume
        }
    }

    /// The client's next command; none when it has gone.
    fn next_command(&self) -> Result<Option<Vec<Vec<u8>>>, &'static str> {
        let mut input = self.input.borrow_mut();
        loop {
            match input::take(&mut input) {
                Input::Command(command) => return Ok(Some(command)),
                Input::Invalid(text) => return Err(text),
                Input::Incomplete => {}
            }
            match self.console.read() {
                Some(bytes) => input.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }

    unsafe fn obey(&self, state: *mut lua_State, command: &[Vec<u8>], limit: usize) -> Option<Resume> {
        let (name, args) = command.split_first()?;
        let name = c_string(name);
        let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        // SAFETY: called by `converse`.
        unsafe {
            match () {
                () if is(&["h", "help"]) => HELP.iter().for_each(|line| self.log.line(line.as_bytes())),
                () if is(&["s", "step", "n", "next"]) => {
                    self.step.set(true);
                    return Some(Resume::Run);
                }
                () if is(&["c", "continue"]) => return Some(Resume::Run),
                () if is(&["t", "trace"]) => self.trace(state),
                () if is(&["m", "maxlen"]) => match args {
                    [len_max] => self.log.set_len_max(Some(leading_number(len_max))),
                    _ => self.log.set_len_max(None),
                },
                () if is(&["b", "break"]) => self.breakpoints(args),
                () if is(&["e", "eval"]) => self.evaluate(state, &args.join(&b' '), limit),
                () if is(&["a", "abort"]) => {
                    return Some(Resume::Raise("ERR script aborted for user request"));
                }
                () if is(&["r", "redis"]) && !args.is_empty() => self.call(state, args, limit),
                () if is(&["p", "print"]) => match args {
                    [name] => self.print(state, name),
                    _ => self.print_all(state),
                },
                () if is(&["l", "list"]) => self.list(args),
                () if is(&["w", "whole"]) => self.source.list(&self.log, 1, ALL, self.line.get()),
                () => {
                    self.log.line(b"<error> Unknown Redis Lua debugger command or wrong number of arguments.")
                }
            }
        }
        None
    }

    fn list(&self, args: &[Vec<u8>]) {
        let line = args.first().map_or(0, |line| leading_number(line));
        let around = if line > 0 { line } else { self.line.get() };
        let context = args.get(1).map_or(CONTEXT, |context| leading_number(context));
        self.source.list(&self.log, around, context, self.line.get());
    }

    fn breakpoints(&self, args: &[Vec<u8>]) {
        let current = self.line.get();
        if args.is_empty() {
            let set = self.source.breakpoints();
            if set.is_empty() {
                self.log.line(b"No breakpoints set. Use 'b <line>' to add one.");
            } else {
                self.log.line(format!("{} breakpoints set:", set.len()).as_bytes());
                set.iter().for_each(|&line| self.source.show(&self.log, line, current));
            }
        }
        for arg in args {
            match Args::new(&[arg]).int(0).ok() {
                None => self.log.line(&[b"Invalid argument:'", arg.as_slice(), b"'"].concat()),
                Some(0) => {
                    self.source.clear_breakpoints();
                    self.log.line(b"All breakpoints removed.");
                }
                Some(line) if line > 0 => match self.source.add_breakpoint(line) {
                    Added::Yes => self.source.list(&self.log, line as c_int, 1, current),
                    Added::WrongLine => self.log.line(b"Wrong line number."),
                    Added::TooMany => self.log.line(b"Too many breakpoints set."),
                },
                Some(line) if self.source.remove_breakpoint(line.wrapping_neg()) => {
                    self.log.line(b"Breakpoint removed.");
                }
                Some(_) => self.log.line(b"No breakpoint in the specified line."),
            }
        }
    }

    /// Shows the value on top of the stack.
    unsafe fn show_top(&self, state: *mut lua_State, prefix: &[u8]) {
        let mut line = prefix.to_vec();
        // SAFETY: called by `converse`.
        unsafe { show::value(state, -1, self.log.budget(), &mut line) };
        self.log.cut(&line);
    }

    /// The first variable of this name, from the innermost function outwards.
    unsafe fn print(&self, state: *mut lua_State, name: &[u8]) {
        // SAFETY: called by `converse`.
        unsafe {
            for place in frames(state) {
                // The functions that stand before Lua's own are not the user's to see.
                if CStr::from_ptr(place.source) == c"=sandbox" {
                    continue;
                }
                for (index, found) in locals(state, &place) {
                    if found == name {
                        ffi::lua_getlocal(state, &raw const place, index);
                        self.show_top(state, b"<value> ");
                        return;
                    }
                }
            }
            if matches!(name, b"KEYS" | b"ARGV") {
                self.push_global(state, name);
                if ffi::lua_type(state, -1) != ffi::LUA_TNIL {
                    self.show_top(state, b"<value> ");
                    return;
                }
            }
        }
        self.log.line(b"No such variable.");
    }

    unsafe fn print_all(&self, state: *mut lua_State) {
        let mut any = false;
        // SAFETY: called by `converse`.
        unsafe {
            if let Some(place) = frames(state).next() {
                for (index, name) in locals(state, &place) {
                    if memchr::memmem::find(name, b"(*temporary)").is_none() {
                        any = true;
                        let prefix = [b"<value> ", name, b" = "].concat();
                        ffi::lua_getlocal(state, &raw const place, index);
                        self.show_top(state, &prefix);
                        ffi::lua_pop(state, 1);
                    }
                }
            }
        }
        if !any {
            self.log.line(b"No local variables in the current context.");
        }
    }

    unsafe fn trace(&self, state: *mut lua_State) {
        // SAFETY: called by `converse`; lua_getinfo's strings live as long as the functions that they name.
        unsafe {
            for (level, mut place) in frames(state).enumerate() {
                if !lines::is_users(CStr::from_ptr(place.source))
                    || ffi::lua_getinfo(state, c"nl".as_ptr(), &raw mut place) == 0
                {
                    continue;
                }
                let name = if place.name.is_null() {
                    &b"top level"[..]
                } else {
                    CStr::from_ptr(place.name).to_bytes()
                };
                let from = if level == 0 { &b"In "[..] } else { b"From " };
                self.log.line(&[from, name, b":"].concat());
                self.source.show(&self.log, place.currentline, self.line.get());
            }
        }
    }

    /// Pushes what the user's code sees under a name of the globals.
    unsafe fn push_global(&self, state: *mut lua_State, name: &[u8]) {
        // SAFETY: called by `converse`.
        unsafe {
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.globals.get());
            ffi::lua_pushlstring_(state, name.as_ptr().cast(), name.len());
            ffi::lua_rawget_(state, -2);
        }
    }

    /// Calls the function below its arguments, with the script's own limit to memory. Leaves its result, or the error;
    /// returns whether it is a result.
    unsafe fn call_protected(&self, state: *mut lua_State, args: c_int, limit: usize) -> bool {
        // SAFETY: called by `converse`; a protected call returns.
        unsafe {
            self.called.set(Called { limit, failed: false });
            ffi::lua_pushcclosure(state, run_hooked, 0);
            ffi::lua_insert(state, -args - 2);
            ffi::lua_pcall(state, args + 1, 1, 0);
            lua::replace_limit(state, 0);
            self.evaluation.set(Evaluation::None);
            ffi::lua_sethook(state, Some(hook), LINES, COUNT);
            !self.called.get().failed
        }
    }

    /// Runs code, as an expression if it is one.
    unsafe fn evaluate(&self, state: *mut lua_State, code: &[u8], limit: usize) {
        const NAME: &CStr = c"@ldb_eval";
        // SAFETY: called by `converse`, during a run, when the bridge is there.
        unsafe {
            if lua::load_text(state, &[b"return ", code].concat(), NAME) != ffi::LUA_OK {
                ffi::lua_pop(state, 1);
                if lua::load_text(state, code, NAME) != ffi::LUA_OK {
                    return self.show_failure(state);
                }
            }
            if let Some(opcodes) = self.bridge.get().as_ref().and_then(|bridge| bridge.opcodes) {
                opcodes.replace(state, NAME);
            }
            if !self.call_protected(state, 0, limit) {
                return self.show_failure(state);
            }
            self.show_top(state, b"<retval> ");
        }
    }

    /// Shows the error on top of the stack.
    unsafe fn show_failure(&self, state: *mut lua_State) {
        // SAFETY: called by `converse`; the error stays on the stack.
        unsafe {
            if ffi::lua_type(state, -1) == ffi::LUA_TTABLE {
                ffi::lua_pushliteral(state, c"err");
                ffi::lua_rawget_(state, -2);
            }
            let text = match ffi::lua_type(state, -1) {
                ffi::LUA_TSTRING | ffi::LUA_TNUMBER => LuaStack::new(state).bytes(-1),
                _ => b"(error object is not a string)",
            };
            self.log.line(&[b"<error> ", text].concat());
        }
    }

    /// Runs a command as the script would, which shows it and its reply.
    unsafe fn call(&self, state: *mut lua_State, args: &[Vec<u8>], limit: usize) {
        // SAFETY: called by `converse`; the script cannot change the library.
        unsafe {
            let count = c_int::try_from(args.len()).unwrap_or(c_int::MAX);
            if ffi::lua_checkstack(state, count.saturating_add(8)) == 0 {
                return self.log.line(b"<error> max lua stack reached");
            }
            self.push_global(state, b"redis");
            ffi::lua_getfield(state, -1, c"call".as_ptr());
            for arg in args {
                ffi::lua_pushlstring_(state, arg.as_ptr().cast(), arg.len());
            }
            self.step.set(true);
            self.call_protected(state, count, limit);
            self.step.set(false);
        }
    }
}

/// The active functions, from the innermost outwards, with their sources.
///
/// # Safety
/// `state` runs a hook, and the result is used before that ends.
unsafe fn frames(state: *mut lua_State) -> impl Iterator<Item = lua_Debug> {
    (0..).map_while(move |level| {
        // SAFETY: the caller's promise; a C structure of numbers and pointers, which Lua fills.
        unsafe {
            let mut place: lua_Debug = std::mem::zeroed();
            let found = ffi::lua_getstack(state, level, &raw mut place) != 0
                && ffi::lua_getinfo(state, c"S".as_ptr(), &raw mut place) != 0;
            found.then_some(place)
        }
    })
}

/// The local variables of a function, with their numbers.
///
/// # Safety
/// As [`frames`]; three slots are free.
unsafe fn locals<'a>(
    state: *mut lua_State,
    place: &'a lua_Debug,
) -> impl Iterator<Item = (c_int, &'a [u8])> + 'a {
    (1..).map_while(move |index| {
        // SAFETY: the caller's promise; the name belongs to the function, and its value is dropped again.
        unsafe {
            let name = ffi::lua_getlocal(state, place, index);
            if name.is_null() {
                return None;
            }
            ffi::lua_pop(state, 1);
            Some((index, CStr::from_ptr(name).to_bytes()))
        }
    })
}

/// What is called for the client.
#[derive(Clone, Copy, Default)]
pub(super) struct Called {
    /// Bytes of memory that it may take.
    limit: usize,
    failed: bool,
}

/// Calls the function below its arguments so that hooks run in it, although a hook runs this: code of the client's must
/// be ended as well. LuaJIT forgets that it is in a hook when an error leaves a coroutine, and remembers it when an
/// error leaves a protected call that was made in a hook. So the result leaves as an error.
unsafe extern "C-unwind" fn run_hooked(state: *mut lua_State) -> c_int {
    unsafe extern "C-unwind" fn fail(state: *mut lua_State) -> c_int {
        // SAFETY: a C function without arguments.
        unsafe {
            ffi::lua_pushnil(state);
            ffi::lua_error(state)
        }
    }
    // SAFETY: called by `call_protected`, in protected mode; nothing here has a destructor.
    unsafe {
        let thread = ffi::lua_newthread(state);
        ffi::lua_pushcclosure(thread, fail, 0);
        ffi::lua_resume_(thread, 0);
        ffi::lua_pop(state, 1);
        if let Some(debugger) = current() {
            let Called { limit, .. } = debugger.called.get();
            debugger.evaluation.set(Evaluation::Since(Instant::now()));
            lua::replace_limit(state, limit);
            let status = ffi::lua_pcall(state, ffi::lua_gettop(state) - 1, 1, 0);
            lua::replace_limit(state, 0);
            debugger.called.set(Called { limit, failed: status != ffi::LUA_OK });
        }
        ffi::lua_error(state)
    }
}
