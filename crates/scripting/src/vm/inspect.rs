//! Runs a library once in a state of its own, to learn what it registers.

use super::bridge::Bridge;
use super::errors;
use super::sandbox::Sandbox;
use crate::control::Control;
use crate::explain::GlobalUse;
use crate::library::Function;
use crate::lua::Lua;
use crate::settings::ScriptSettings;
use mlua::ffi::{self, lua_Debug, lua_State};
use moonshard_engine::Error;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long a library may take: it only registers functions.
const TIME_MAX: Duration = Duration::from_millis(500);
/// Instructions between two looks at the clock.
const INSTRUCTIONS: i32 = 10_000;

thread_local! {
    /// When the library that this thread inspects has to be done.
    static DEADLINE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// What the Lua text of a library registers.
///
/// # Errors
/// The compiler's, or what the text raises, in Redis' words.
pub(crate) fn inspect(body: &[u8], settings: &ScriptSettings) -> Result<Vec<Function>, Error> {
    let mut lua = Lua::new()?;
    // Nobody sees it or ends it from outside: the hook does. Compiled code would not look at the hook as often.
    let mut bridge = Box::new(Bridge::new(Arc::new(Control::new()), Arc::new(|| ())));
    let sandbox = Sandbox::open(&mut lua, &bridge, false, settings)?;
    sandbox.push_library(&mut lua, body)?;
    let state = lua.state();
    bridge.registering = Some(Vec::new());
    lua.set_limit(settings.memory_limit_bytes.load(Ordering::Relaxed));
    DEADLINE.set(Some(Instant::now() + TIME_MAX));
    // SAFETY: `push_library` has left the function and its two arguments; what it raises the call returns.
    let status = unsafe {
        ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, INSTRUCTIONS);
        ffi::lua_pcall(state, 2, 0, 0)
    };
    DEADLINE.set(None);
    lua.set_limit(0);
    let registered = bridge.registering.take().unwrap_or_default();
    if status != ffi::LUA_OK {
        return Err(errors::of_library(state));
    }
    Ok(registered.into_iter().map(|registered| registered.function).collect())
}

/// What a C function that takes long does now and then: raises if the library that this thread inspects takes too long.
///
/// # Safety
/// `state` runs a C function, with three slots free and nothing with a destructor alive.
pub(super) unsafe fn poll(state: *mut lua_State) {
    // SAFETY: the caller's promise; the hook does what is needed.
    unsafe { hook(state, std::ptr::null_mut()) }
}

/// The globals that a script reads and that do not exist, and those that it assigns to; or what the compiler says.
type NamedGlobals = Result<(Vec<GlobalUse>, Vec<GlobalUse>), Error>;

/// Compiles the Lua text of a script, and tells which globals it names; none if the compiled form is not understood.
///
/// # Errors
/// When there is no memory for a Lua state.
pub(crate) fn named_globals(body: &[u8], settings: &ScriptSettings) -> Result<NamedGlobals, Error> {
    let mut lua = Lua::new()?;
    let bridge = Box::new(Bridge::new(Arc::new(Control::new()), Arc::new(|| ())));
    let sandbox = Sandbox::open(&mut lua, &bridge, false, settings)?;
    if let Err(error) = lua.compile(body) {
        return Ok(Err(error));
    }
    let globals = sandbox.globals_of(&lua).unwrap_or_default();
    let used = |(name, line)| GlobalUse { name, line };
    let mut reads: Vec<GlobalUse> = globals.read.into_iter().map(used).collect();
    reads.retain(|global| !sandbox.has_global(&mut lua, &global.name));
    Ok(Ok((reads, globals.assigned.into_iter().map(used).collect())))
}

/// Ends a library that takes too long, whatever catches errors in it.
unsafe extern "C-unwind" fn hook(state: *mut lua_State, _event: *mut lua_Debug) {
    if DEADLINE.get().is_some_and(|deadline| Instant::now() >= deadline) {
        // SAFETY: nothing with a destructor is alive, and a hook may raise.
        unsafe {
            ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT, 1);
            errors::push(state, b"ERR FUNCTION LOAD timeout");
            ffi::lua_error(state);
        }
    }
}
