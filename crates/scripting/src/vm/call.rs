//! `redis.call` and `redis.pcall`: from Lua's stack to a command and back.
//!
//! A call has two phases. First the command runs, its reply going into the tape, and nothing raises. Then, with
//! nothing alive that has a destructor, the tape becomes Lua values, which may raise for want of memory.

use super::bridge::Bridge;
use super::{debugger, errors, to_lua};
use crate::stats::Usage;
use mlua::ffi::{self, lua_State};
use moonshard_engine::command::{CommandTable, Entry, Flags};
use moonshard_engine::keyspace::COUNTS;
use moonshard_engine::{Args, Caller, CmdResult, Ctx};
use moonshard_protocol::number::format_double;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Bytes of a number as text, at most.
const NUMBER_LEN_MAX: usize = 32;
/// Arguments for which a VM keeps memory between calls.
const ARGS_KEPT: usize = 16 << 10;

/// What a call came to before anything was pushed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The reply is in the tape.
    Reply,
    /// No script runs.
    Outside,
    /// There is no argument.
    Empty,
    /// An argument is neither a string nor a number.
    WrongType,
    /// The script was killed.
    Killed,
}

pub(super) unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls it with the bridge as its upvalue.
    unsafe { run(state, true) }
}

pub(super) unsafe extern "C-unwind" fn pcall(state: *mut lua_State) -> c_int {
    // SAFETY: as above.
    unsafe { run(state, false) }
}

#[inline]
unsafe fn run(state: *mut lua_State, raise: bool) -> c_int {
    // SAFETY: nothing in this frame has a destructor; what runs the command has ended when something may raise.
    unsafe {
        let bridge = Bridge::of(state);
        let outcome = bridge.command(state);
        ffi::lua_settop(state, 0);
        let failed = match outcome {
            Outcome::Reply => match bridge.cx() {
                Some(cx) => to_lua::push(state, cx.reply.as_bytes()),
                None => false,
            },
            Outcome::Empty => {
                errors::push(state, b"ERR Please specify at least one argument for this redis lib call");
                true
            }
            Outcome::WrongType => {
                errors::push(state, b"ERR Lua redis lib command arguments must be strings or integers");
                true
            }
            Outcome::Outside => {
                errors::raise(state, "ERR redis.call/pcall can only be called inside a script invocation")
            }
            Outcome::Killed => {
                errors::push_killed(state, bridge.control.overstepped_ms());
                ffi::lua_error(state);
            }
        };
        if failed && raise {
            ffi::lua_error(state);
        }
        1
    }
}

impl Bridge {
    /// Runs the command whose arguments are on the stack.
    #[inline]
    unsafe fn command(&mut self, state: *mut lua_State) -> Outcome {
        // SAFETY: `state` is the running script's, so the context is there and nobody else uses it now.
        let Some(cx) = (unsafe { self.cx() }) else { return Outcome::Outside };
        // SAFETY: the strings stay on the stack until `run` drops them, after the command.
        let outcome = unsafe { self.borrow_args(state) };
        if outcome == Outcome::Reply {
            let outcome = catch_unwind(AssertUnwindSafe(|| self.execute(cx)));
            self.drop_args();
            let outcome = outcome.unwrap_or_else(|_| {
                cx.reply.buffer_mut().clear();
                cx.reply.error(b"ERR internal error");
                Outcome::Reply
            });
            if self.debugged {
                debugger::show_reply(cx.reply.as_bytes(), outcome);
            }
            return outcome;
        }
        self.drop_args();
        outcome
    }

    /// Borrows the arguments from Lua's stack. Strings are taken where they are, numbers are printed here: Lua would
    /// lose digits. One table is taken for the array of all arguments, which may be as long as it likes.
    pub(super) unsafe fn borrow_args(&mut self, state: *mut lua_State) -> Outcome {
        // SAFETY: `index` is on the stack; strings are not converted, so nothing is allocated in Lua.
        unsafe {
            let count = ffi::lua_gettop(state);
            if count == 0 {
                return Outcome::Empty;
            }
            if count == 1 && ffi::lua_type(state, 1) == ffi::LUA_TTABLE {
                return self.borrow_array(state);
            }
            self.digits.clear();
            // It must not move once numbers are borrowed from it.
            self.digits.reserve(count as usize * NUMBER_LEN_MAX);
            for index in 1..=count {
                if !self.borrow_value(state, index) {
                    return Outcome::WrongType;
                }
            }
            Outcome::Reply
        }
    }

    /// Borrows the elements of the table that is the only argument.
    unsafe fn borrow_array(&mut self, state: *mut lua_State) -> Outcome {
        // SAFETY: a C function has room for one more. An element stays in the table when it is popped: nothing changes
        // the table before the command has run, and the table is kept by its slot.
        unsafe {
            let len = ffi::lua_objlen(state, 1);
            // Of an empty one Redis says the same.
            if len == 0 {
                return Outcome::WrongType;
            }
            let Ok(last) = c_int::try_from(len) else { return Outcome::WrongType };
            let mut numbers = 0;
            for index in 1..=last {
                ffi::lua_rawgeti_(state, 1, index);
                numbers += usize::from(ffi::lua_type(state, -1) == ffi::LUA_TNUMBER);
                ffi::lua_pop(state, 1);
            }
            self.digits.clear();
            self.digits.reserve(numbers * NUMBER_LEN_MAX);
            self.args.reserve(len);
            for index in 1..=last {
                ffi::lua_rawgeti_(state, 1, index);
                let is_argument = self.borrow_value(state, -1);
                ffi::lua_pop(state, 1);
                if !is_argument {
                    return Outcome::WrongType;
                }
            }
            Outcome::Reply
        }
    }

    /// Borrows one value. False if it is neither a string nor a number.
    #[inline(always)]
    unsafe fn borrow_value(&mut self, state: *mut lua_State, index: c_int) -> bool {
        // SAFETY: as `borrow_args`, which made room for the digits.
        unsafe {
            match ffi::lua_type(state, index) {
                ffi::LUA_TSTRING => {
                    let mut len = 0;
                    let start = ffi::lua_tolstring(state, index, &mut len);
                    self.args.push(std::slice::from_raw_parts(start.cast(), len));
                }
                ffi::LUA_TNUMBER => {
                    let from = self.digits.len();
                    format_double(ffi::lua_tonumber(state, index), &mut self.digits);
                    let start = self.digits.as_ptr().add(from);
                    self.args.push(std::slice::from_raw_parts(start, self.digits.len() - from));
                }
                _ => return false,
            }
            true
        }
    }

    /// Drops the arguments, and memory that only a huge call needed.
    #[inline]
    pub(super) fn drop_args(&mut self) {
        self.args.clear();
        if self.args.capacity() > ARGS_KEPT {
            self.args = Vec::new();
            self.digits = Vec::new();
        }
    }

    #[inline]
    fn execute(&mut self, cx: &mut Ctx<'_>) -> Outcome {
        cx.reply.buffer_mut().clear();
        let args = Args::new(&self.args);
        if self.debugged {
            debugger::show_command(args);
        }
        let table = CommandTable::get();
        let Some(entry) = table.find(args) else {
            cx.reply.error(b"ERR Unknown Redis command called from script");
            return Outcome::Reply;
        };
        if !entry.command.meta.arity.accepts(args.len()) {
            cx.reply.error(b"ERR Wrong number of args calling Redis command from script");
            return Outcome::Reply;
        }
        let db = cx.keys.db();
        let writes = entry.command.meta.flags.contains(Flags::WRITE);
        if COUNTS {
            self.usage.count(entry, args, writes);
        }
        let begun = self.reading();
        let outcome = if writes {
            self.write(cx, entry, args)
        } else {
            self.call(cx, entry, args);
            Outcome::Reply
        };
        if begun != 0 {
            self.usage.command_ticks += self.reading().saturating_sub(begun);
        }
        self.control.spectator.show(db, args);
        outcome
    }

    /// The clock, if the run's commands are timed, or 0.
    #[inline]
    fn reading(&self) -> u64 {
        /// Kept out of the way of runs that are not timed.
        #[cold]
        #[inline(never)]
        fn read(clock: &quanta::Clock) -> u64 {
            clock.raw()
        }
        if COUNTS && self.usage.timed { read(&self.clock) } else { 0 }
    }

    #[inline]
    fn call(&self, cx: &mut Ctx<'_>, entry: &Entry, args: Args<'_>) {
        let _: CmdResult = if self.debugged { debugger::call(cx, entry, args) } else { cx.call(entry, args) };
    }

    /// Runs a command that may write. The first one excludes a kill, or is excluded by it.
    #[inline]
    fn write(&self, cx: &mut Ctx<'_>, entry: &Entry, args: Args<'_>) -> Outcome {
        let wrote_before = has_written(cx);
        if !wrote_before && !self.control.begin_writing() {
            return Outcome::Killed;
        }
        self.call(cx, entry, args);
        if !wrote_before && !has_written(cx) {
            self.control.did_not_write();
        }
        Outcome::Reply
    }
}

impl Usage {
    /// Counts a command and its keys.
    #[inline]
    fn count(&mut self, entry: &Entry, args: Args<'_>, writes: bool) {
        self.commands += 1;
        let keys = if entry.single_key.is_some() { 1 } else { count_keys(entry, args) };
        let counter = if writes { &mut self.keys_written } else { &mut self.keys_read };
        *counter += keys;
    }
}

/// The keys that a command names, if it fits its declaration.
#[inline(never)]
fn count_keys(entry: &Entry, args: Args<'_>) -> u64 {
    let mut keys = 0;
    if entry.command.has_keys() && entry.command.meta.each_key(args, &mut |_| keys += 1).is_err() {
        return 0;
    }
    keys
}

fn has_written(cx: &Ctx<'_>) -> bool {
    matches!(&cx.caller, Caller::Script(script) if script.wrote)
}
