//! The debug hook of a slow or killed script.
//!
//! A fast script has none. Its first use is to shed the thread's other work, its second to end the script: then it
//! raises at every instruction until the script is out, whatever catches errors in between. Between the two it is
//! taken away again, since LuaJIT leaves compiled code as long as a hook is set; the signal of a kill brings it back.

use crate::control::Control;
use crate::signal;
use mlua::ffi::{self, lua_Debug, lua_State};
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
    control: Arc<Control>,
    shed: Arc<dyn Fn() + Send + Sync>,
}

impl Interruptible {
    pub(super) fn new(control: Arc<Control>, shed: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self { state: std::ptr::null_mut(), run: 0, name: &[], args: &[], shed_done: false, control, shed }
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
    let script = signal::current().cast_mut();
    if script.is_null() {
        // SAFETY: the hook is on a running state.
        unsafe { ffi::lua_sethook(state, None, 0, 0) };
        return;
    }
    // SAFETY: the script is on this thread's stack, below this hook; the handler reads only `state`.
    let (control, run) = unsafe { (&*(*script).control, (*script).run) };
    if !control.is_killed() {
        // SAFETY: as above.
        unsafe {
            if control.is_slow(run) && !(*script).shed_done {
                (*script).shed_done = true;
                control.hear(run);
                control.describe(run, &*(*script).name, &*(*script).args);
                shed(&*(*script).shed);
            }
            ffi::lua_sethook(state, None, 0, 0);
        }
        // The signal of a kill may have come just before the hook was taken away.
        if !control.is_killed() {
            return;
        }
    }
    // SAFETY: nothing with a destructor is alive, and a hook may raise.
    unsafe {
        ffi::lua_sethook(state, Some(hook), ALL_INSTRUCTIONS, 1);
        super::errors::push(state, b"ERR Script killed by user with SCRIPT KILL...");
        ffi::lua_error(state);
    }
}

/// A panic of the host's must not unwind through Lua.
fn shed(shed: &(dyn Fn() + Send + Sync)) {
    if catch_unwind(AssertUnwindSafe(shed)).is_err() {
        tracing::error!("a slow script could not shed its worker thread");
    }
}
