//! The debug hook of a slow or killed script.
//!
//! A fast script has none. Its first use is to shed the thread's other work, its second to end the script: then it
//! raises at every instruction until the script is out, whatever catches errors in between. Between the two it is
//! taken away again, since LuaJIT leaves compiled code as long as a hook is set; the signal of a kill brings it back.

use super::profiler::{Profiler, restore_hook};
use crate::control::Control;
use crate::signal;
use mlua::ffi::{self, lua_Debug, lua_State};
use moonshard_engine::Error;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Every instruction; but not the calls of C functions, since one of them is the handler that words the error.
const ALL_INSTRUCTIONS: c_int = ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT;

/// What the signal's handler and the hook need of a running script.
pub(crate) struct Interruptible {
    state: *mut lua_State,
    run: u64,
    /// What it is called, and the call: valid while it runs.
    name: *const [u8],
    args: *const [&'static [u8]],
    shed_done: bool,
    /// The profile of the run, if one is taken.
    pub(super) profiler: Option<Box<Profiler>>,
    control: Arc<Control>,
    shed: Arc<dyn Fn() + Send + Sync>,
}

impl Interruptible {
    pub(super) fn new(control: Arc<Control>, shed: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            state: std::ptr::null_mut(),
            run: 0,
            name: &[],
            args: &[],
            shed_done: false,
            profiler: None,
            control,
            shed,
        }
    }

    #[inline]
    pub(super) fn begin(&mut self, state: *mut lua_State, run: u64, name: &[u8], args: &[&[u8]]) {
        self.state = state;
        self.run = run;
        self.name = name;
        self.args = std::ptr::from_ref(args) as *const _;
        self.shed_done = false;
    }

    /// Sets the hook. Called from the signal's handler, on the thread that runs the script.
    ///
    /// # Safety
    /// The script runs on this thread.
    pub(crate) unsafe fn interrupt(&self) {
        // SAFETY: Lua allows this of signal handlers.
        unsafe { ffi::lua_sethook(self.state, Some(hook), ALL_INSTRUCTIONS, 1) };
    }
}

unsafe extern "C-unwind" fn hook(state: *mut lua_State, _event: *mut lua_Debug) {
    // SAFETY: the state is running. A hook may raise, and nothing with a destructor is alive.
    unsafe {
        if !answer(signal::current().cast_mut()) {
            restore_hook(state);
            // The signal of a kill may have come just before the hook was taken away.
            if !answer(signal::current().cast_mut()) {
                return;
            }
        }
        ffi::lua_sethook(state, Some(hook), ALL_INSTRUCTIONS, 1);
        raise_killed(state, signal::current());
    }
}

/// Does what is asked of the script from outside: sheds its thread. Returns whether it is to end.
///
/// # Safety
/// `script` is the one that runs on this thread, or null.
unsafe fn answer(script: *mut Interruptible) -> bool {
    if script.is_null() {
        return false;
    }
    // SAFETY: the script is on this thread's stack, below this frame; the signal's handler reads only `state`.
    unsafe {
        let (control, run) = (&*(*script).control, (*script).run);
        if control.is_killed() {
            return true;
        }
        if control.is_slow(run) && !(*script).shed_done {
            (*script).shed_done = true;
            control.hear(run);
            control.describe(run, &*(*script).name, &*(*script).args);
            // The wait for another thread is not the script's time.
            if let Some(profiler) = (*script).profiler.as_mut() {
                profiler.pause();
            }
            shed(&*(*script).shed);
            if let Some(profiler) = (*script).profiler.as_mut() {
                profiler.resume();
            }
        }
        control.is_killed()
    }
}

/// What the conversion of a long reply does now and then: sheds the thread if the script is slow. Returns the error of a
/// script that was killed.
pub(super) fn killed() -> Option<Error> {
    let script = signal::current();
    // SAFETY: not null means that the script is on this thread's stack, below this frame.
    unsafe { answer(script.cast_mut()).then(|| super::errors::killed((*script).control.overstepped_ms())) }
}

/// What a C function that takes long does now and then, since no hook reaches into it: sheds the script's thread if it
/// is slow, and raises if it was killed.
///
/// # Safety
/// `state` runs a C function, with three slots free and nothing with a destructor alive.
pub(crate) unsafe fn poll(state: *mut lua_State) {
    // SAFETY: the caller's promise.
    unsafe {
        if signal::current().is_null() {
            super::debugger::poll(state);
            super::inspect::poll(state);
        } else if answer(signal::current().cast_mut()) {
            ffi::luaL_checkstack(state, 3, c"no room for an error".as_ptr());
            raise_killed(state, signal::current());
        }
    }
}

/// # Safety
/// As [`poll`], and `script` runs on this thread.
unsafe fn raise_killed(state: *mut lua_State, script: *const Interruptible) -> ! {
    // SAFETY: the caller's promise; the format takes one int.
    unsafe {
        super::errors::push_killed(state, (*script).control.overstepped_ms());
        ffi::lua_error(state)
    }
}

/// A panic of the host's must not unwind through Lua.
fn shed(shed: &(dyn Fn() + Send + Sync)) {
    if catch_unwind(AssertUnwindSafe(shed)).is_err() {
        tracing::error!("a slow script could not shed its worker thread");
    }
}
