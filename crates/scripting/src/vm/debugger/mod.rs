//! The debugger of scripts: Redis' LDB.
//!
//! A debugged script runs in a VM of its own, on a thread of its own, with a hook at every line. Where the script is to
//! stop, the hook talks to the client until that lets it go on. Nothing is locked for that but what the caller of
//! the VM has locked for the script.

mod commands;
mod input;
mod lines;
mod log;
mod show;

use super::bridge::Bridge;
use super::call::Outcome;
use super::errors;
use crate::control::Control;
use crate::lua;
use crate::settings::ScriptSettings;
use commands::{Called, Resume};
use lines::{Progress, Source};
use log::Log;
use mlua::ffi::{self, lua_Debug, lua_State};
use moonshard_engine::command::Entry;
use moonshard_engine::keyspace::Keyspace;
use moonshard_engine::{Args, CmdResult, Ctx, Error};
use moonshard_protocol::tape::{Item, Tape};
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Instructions between two looks at the clock.
const COUNT: c_int = 100_000;
const LINES: c_int = ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT;
/// How long a script runs without a stop when `busy-reply-threshold` is off.
const PATIENCE_MS: u64 = 5000;

/// The client of a debugged script. The script's thread calls it, and waits in it.
pub trait Console: Send {
    /// Waits for bytes from the client. `None` when it has gone, or the script was killed.
    fn read(&self) -> Option<Vec<u8>>;
    /// Sends bytes to the client.
    fn write(&self, bytes: &[u8]);
    /// Whether the client has gone.
    fn is_gone(&self) -> bool;
}

/// Whence the keyspace on which a debugged script runs gets what the script is to find there.
pub trait KeySource: Send {
    /// Makes sure that `keys` has all that the command looks at, before it runs.
    ///
    /// # Errors
    /// What the script is told instead of the command's reply.
    fn prepare(&mut self, keys: &mut Keyspace<'_>, entry: &Entry, args: Args<'_>) -> Result<(), Error>;
}

/// What the client's last code is doing.
#[derive(Clone, Copy)]
enum Evaluation {
    /// Nothing: the script runs, or waits.
    None,
    /// It runs since then.
    Since(Instant),
    /// It has run for too long, and everything in it fails.
    Expired,
}

/// A debugging session: one run of a script under a client's eyes.
pub struct Debugger {
    console: Box<dyn Console>,
    key_source: RefCell<Option<Box<dyn KeySource>>>,
    source: Source,
    log: Log,
    /// Bytes from the client that are no whole command yet.
    input: RefCell<Vec<u8>>,
    progress: RefCell<Progress>,
    line: Cell<c_int>,
    /// Whether to stop at the next line, and to show the commands on the way.
    step: Cell<bool>,
    /// Whether the script asked to stop at its next line.
    asked_to_stop: Cell<bool>,
    /// When the script last went on.
    resumed: Cell<Instant>,
    evaluation: Cell<Evaluation>,
    called: Cell<Called>,
    /// Whether the last command was not run.
    refused: Cell<bool>,
    bridge: Cell<*const Bridge>,
    /// Where the globals are in Lua's registry.
    globals: Cell<c_int>,
    control: RefCell<Option<Arc<Control>>>,
    settings: Arc<ScriptSettings>,
}

// SAFETY: the pointer is null but during a run, which is on one thread.
unsafe impl Send for Debugger {}

impl std::fmt::Debug for Debugger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Debugger").field("line", &self.line).finish_non_exhaustive()
    }
}

thread_local! {
    /// The debugger of the script that runs on this thread. Constant and without a destructor: reading it is cheap.
    static CURRENT: Cell<*const Debugger> = const { Cell::new(null()) };
}

/// What the hook does next.
enum Next {
    Resume,
    Raise(&'static str),
    /// Raises at every instruction, until the script is out.
    Kill,
    /// The same for the client's code.
    Expire,
}

impl Debugger {
    /// A session over a script's text, as the client sees it.
    pub fn new(text: &[u8], console: Box<dyn Console>, settings: Arc<ScriptSettings>) -> Self {
        Self {
            console,
            key_source: RefCell::default(),
            source: Source::new(text),
            log: Log::default(),
            input: RefCell::default(),
            progress: RefCell::default(),
            line: Cell::new(0),
            step: Cell::new(true),
            asked_to_stop: Cell::new(false),
            resumed: Cell::new(Instant::now()),
            evaluation: Cell::new(Evaluation::None),
            called: Cell::default(),
            refused: Cell::new(false),
            bridge: Cell::new(null()),
            globals: Cell::new(0),
            control: RefCell::default(),
            settings,
        }
    }

    pub(super) fn set_key_source(&mut self, key_source: Option<Box<dyn KeySource>>) {
        self.key_source = RefCell::new(key_source);
    }

    /// Ends the session from the client's point of view: all that follows is the script's reply.
    pub fn finish(self) {
        self.log.line(b"<endsession>");
        self.send_log();
    }

    /// Begins a run on this thread.
    ///
    /// # Safety
    /// The debugger and the bridge stay where they are until [`Debugger::detach`], and `state` is idle.
    pub(super) unsafe fn attach(&self, state: *mut lua_State, bridge: &Bridge, globals: c_int, run: u64) {
        // A signal would put the hook of slow scripts in place of this one, which sees a kill by itself.
        bridge.control.hear(run);
        *self.control.borrow_mut() = Some(Arc::clone(&bridge.control));
        self.bridge.set(bridge);
        self.globals.set(globals);
        self.resumed.set(Instant::now());
        CURRENT.with(|current| current.set(self));
        // SAFETY: the state is idle.
        unsafe { ffi::lua_sethook(state, Some(hook), LINES, COUNT) };
    }

    /// Ends the run.
    pub(super) fn detach(&self, state: *mut lua_State) {
        // SAFETY: the state is idle again.
        unsafe { ffi::lua_sethook(state, None, 0, 0) };
        CURRENT.with(|current| current.set(null()));
        self.bridge.set(null());
    }

    fn send_log(&self) {
        self.console.write(&self.log.take());
    }

    fn is_killed(&self) -> bool {
        self.control.borrow().as_ref().is_some_and(|control| control.is_killed())
    }

    /// How long a script may run without a stop.
    fn patience(&self) -> Duration {
        let threshold_ms = self.settings.busy_threshold_ms.load(Ordering::Relaxed);
        Duration::from_millis(if threshold_ms == 0 { PATIENCE_MS } else { threshold_ms })
    }

    /// How what runs is to end, if it is.
    fn ended(&self) -> Option<Next> {
        if self.is_killed() {
            return Some(Next::Kill);
        }
        match self.evaluation.get() {
            Evaluation::None => None,
            Evaluation::Since(start) if start.elapsed() < self.patience() && !self.console.is_gone() => None,
            _ => Some(Next::Expire),
        }
    }

    /// Looks whether the script stops here, and if so, waits until the client lets it go on.
    unsafe fn on_event(&self, state: *mut lua_State, place: &mut lua_Debug) -> Next {
        match self.ended() {
            Some(next) => return next,
            None if matches!(self.evaluation.get(), Evaluation::Since(_)) => return Next::Resume,
            None => {}
        }
        let is_line = place.event == ffi::LUA_HOOKLINE;
        // SAFETY: during a run the bridge is there.
        if unsafe { self.bridge.get().as_ref() }.is_some_and(|bridge| bridge.registering.is_some()) {
            // Libraries are loaded before the function that is debugged runs.
            return Next::Resume;
        }
        // SAFETY: called by the hook, whose place is level 0.
        unsafe {
            if ffi::lua_getstack(state, 0, place) == 0
                || ffi::lua_getinfo(state, c"Sl".as_ptr(), place) == 0
                || (is_line && self.progress.borrow_mut().is_return(state, place.currentline))
            {
                return Next::Resume;
            }
            let source = CStr::from_ptr(place.source);
            if source != c"=sandbox" {
                self.line.set(place.currentline);
            }
            if !lines::is_users(source) {
                return Next::Resume;
            }
        }
        let Some(timed_out) = self.stops_here(is_line) else { return Next::Resume };
        // SAFETY: called by the hook.
        unsafe { self.stop(state, timed_out) }
    }

    /// Whether the script is to stop at the current line; and whether because it runs for too long.
    fn stops_here(&self, is_line: bool) -> Option<bool> {
        let wanted =
            self.step.get() || self.asked_to_stop.get() || self.source.has_breakpoint(self.line.get());
        if is_line {
            return wanted.then_some(false);
        }
        (!wanted && self.resumed.get().elapsed() >= self.patience()).then_some(true)
    }

    unsafe fn stop(&self, state: *mut lua_State, timed_out: bool) -> Next {
        let line = self.line.get();
        let reason = if self.asked_to_stop.get() {
            "redis.breakpoint() called"
        } else if self.source.has_breakpoint(line) {
            "break point"
        } else if timed_out {
            "timeout reached, infinite loop?"
        } else {
            "step over"
        };
        self.step.set(false);
        self.asked_to_stop.set(false);
        self.log.line(format!("* Stopped at {line}, stop reason = {reason}").as_bytes());
        self.source.show(&self.log, line, line);
        self.send_log();
        // SAFETY: called by the hook.
        let resume = unsafe { self.converse(state) };
        let next = match resume {
            Resume::Run => Next::Resume,
            Resume::Raise(text) => return Next::Raise(text),
            Resume::Alone => self.go_on_alone(timed_out),
        };
        self.resumed.set(Instant::now());
        self.advance_clock();
        next
    }

    /// The client has gone, or the script was killed meanwhile: it goes on without stops.
    fn go_on_alone(&self, timed_out: bool) -> Next {
        self.step.set(false);
        self.source.clear_breakpoints();
        if self.is_killed() {
            return Next::Kill;
        }
        if !timed_out {
            return Next::Resume;
        }
        // Nobody is left to end it.
        if let Some(control) = &*self.control.borrow() {
            control.kill_even_if_written();
        }
        Next::Raise("ERR timeout during Lua debugging with client closing connection")
    }

    /// While a script waits for its client, time goes on.
    fn advance_clock(&self) {
        let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
        // SAFETY: during a run the bridge is there, and no command runs while a hook does.
        if let Some(cx) = unsafe { self.bridge.get().as_ref().and_then(|bridge| bridge.cx()) } {
            cx.keys.advance(micros / 1000, (micros % 1000) as u16);
        }
    }

    fn show_error(&self, text: &[u8]) {
        if self.step.get() {
            self.log.line(&[b"<error> ", text].concat());
        }
    }
}

/// The debugger of the script that runs on this thread.
pub(super) fn current<'a>() -> Option<&'a Debugger> {
    // SAFETY: not null between attach and detach, for which the debugger stays where it is; the lifetime is cut to a
    // use by the script's own functions.
    unsafe { CURRENT.with(Cell::get).as_ref() }
}

/// Shows a command that the script calls.
#[cold]
pub(super) fn show_command(args: Args<'_>) {
    let Some(debugger) = current() else { return };
    debugger.refused.set(true);
    if debugger.step.get() {
        debugger.log.line(&show::command(args));
    }
}

/// Runs a command once what it needs was copied.
#[cold]
pub(super) fn call(cx: &mut Ctx<'_>, entry: &Entry, args: Args<'_>) -> CmdResult {
    let Some(debugger) = current() else { return cx.call(entry, args) };
    cx.call_after(entry, args, |cx| {
        if let Some(source) = &mut *debugger.key_source.borrow_mut() {
            source.prepare(&mut cx.keys, entry, args)?;
        }
        debugger.refused.set(false);
        Ok(())
    })
}

/// Shows what a command came to.
#[cold]
pub(super) fn show_reply(tape: &[u8], outcome: Outcome) {
    let Some(debugger) = current() else { return };
    if outcome != Outcome::Reply || !debugger.step.get() {
        return;
    }
    let refused = debugger.refused.get();
    if let Some(Item::Error(line)) = Tape::new(tape).next() {
        match line.strip_prefix(b"ERR ") {
            Some(text) if refused => debugger.show_error(text),
            _ => debugger.show_error(&[b"-", line].concat()),
        }
    }
    if !refused {
        debugger.log.cut(&show::reply(tape, debugger.log.budget()));
    }
}

/// Shows an error that a function of the `redis` library makes, if a debugger is attached.
#[cold]
pub(super) fn note_error(line: &[u8]) {
    if let Some(debugger) = current() {
        debugger.show_error(line.strip_prefix(b"ERR ").unwrap_or(line));
    }
}

/// Shows an error that a script makes itself, if a debugger is attached.
pub(super) fn note_reply(line: &[u8]) {
    if let Some(debugger) = current() {
        debugger.show_error(&[b"-", line].concat());
    }
}

/// What a C function that takes long does now and then: raises if the script was killed, or the client's code has run
/// for too long.
///
/// # Safety
/// `state` runs a C function, with three slots free and nothing with a destructor alive.
pub(super) unsafe fn poll(state: *mut lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(Some(next)) = current().map(Debugger::ended) {
            leave(state, next);
        }
    }
}

unsafe extern "C-unwind" fn hook(state: *mut lua_State, place: *mut lua_Debug) {
    // SAFETY: Lua calls it on a running state; nothing with a destructor is alive when it raises.
    unsafe {
        let next = match current() {
            Some(debugger) => {
                let heard = AssertUnwindSafe(|| debugger.on_event(state, &mut *place));
                // A panic of the host's must not unwind through Lua.
                catch_unwind(heard).unwrap_or(Next::Raise("ERR internal error of the debugger"))
            }
            None => Next::Resume,
        };
        leave(state, next);
    }
}

/// Lets the script go on, or raises.
///
/// # Safety
/// `state` runs the hook or a C function, and nothing with a destructor is alive.
unsafe fn leave(state: *mut lua_State, next: Next) {
    // SAFETY: the caller's promise.
    unsafe {
        match next {
            Next::Resume => {}
            Next::Raise(text) => errors::raise(state, text),
            Next::Kill => {
                ffi::lua_sethook(state, Some(hook), LINES, 1);
                errors::raise(state, "ERR Script killed by user with SCRIPT KILL...")
            }
            Next::Expire => {
                if let Some(debugger) = current() {
                    debugger.evaluation.set(Evaluation::Expired);
                }
                ffi::lua_sethook(state, Some(hook), LINES, 1);
                errors::raise(state, "ERR the code ran for longer than busy-reply-threshold")
            }
        }
    }
}

/// `redis.breakpoint()`.
pub(super) unsafe extern "C-unwind" fn breakpoint(state: *mut lua_State) -> c_int {
    let debugger = current();
    if let Some(debugger) = debugger {
        debugger.asked_to_stop.set(true);
    }
    // SAFETY: a C function.
    unsafe { ffi::lua_pushboolean(state, c_int::from(debugger.is_some())) };
    1
}

/// `redis.debug()`.
pub(super) unsafe extern "C-unwind" fn debug(state: *mut lua_State) -> c_int {
    if let Some(debugger) = current() {
        // SAFETY: a C function with its arguments on the stack.
        unsafe { debugger.show_values(state) };
    }
    0
}

impl Debugger {
    unsafe fn show_values(&self, state: *mut lua_State) {
        let mut line = format!("<debug> line {}: ", self.line.get()).into_bytes();
        // SAFETY: called by `debug` with its arguments on the stack. Without a limit to the memory nothing raises.
        unsafe {
            let limit = lua::replace_limit(state, 0);
            for index in 1..=ffi::lua_gettop(state) {
                if index > 1 {
                    line.extend_from_slice(b", ");
                }
                show::value(state, index, show::LEN_MAX, &mut line);
            }
            lua::replace_limit(state, limit);
        }
        self.log.line(&line);
    }
}
