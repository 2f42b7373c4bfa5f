//! LuaJIT's compiler: turning it on and off, and whether a hook can stop what it compiled.

use std::ffi::{c_int, c_void};

use mlua::ffi::{self, lua_Debug, lua_State};

/// `LUAJIT_MODE_ENGINE` with `LUAJIT_MODE_OFF`, from luajit.h.
const ENGINE_OFF: c_int = 0;

unsafe extern "C-unwind" {
    fn luaJIT_setmode(state: *mut lua_State, index: c_int, mode: c_int) -> c_int;
}

/// Turns the compiler on, and keeps its library out of scripts' sight. Without this (or mlua's `StdLib::JIT`) LuaJIT
/// only interprets. Raises a Lua error when memory runs out.
///
/// # Safety
/// `state` is a live Lua state with five free slots on its stack, and no value with a destructor is alive in a frame
/// between this call and the protected call around it.
pub unsafe fn enable_jit(state: *mut lua_State) {
    // SAFETY: the caller's promises; the function is called as Lua calls the libraries that it opens itself.
    unsafe {
        ffi::lua_pushcfunction(state, ffi::luaopen_jit);
        ffi::lua_pushlstring_(state, c"jit".as_ptr(), 3);
        ffi::lua_call(state, 1, 0);
        ffi::lua_pushnil(state);
        ffi::lua_setglobal(state, c"jit".as_ptr());
    }
}

/// Turns the compiler off for the whole VM: from now on everything is interpreted. False if LuaJIT refuses.
///
/// # Safety
/// `state` is a live Lua state, and no Lua code runs on it.
pub unsafe fn disable_jit(state: *mut lua_State) -> bool {
    // SAFETY: the caller's promises.
    unsafe { luaJIT_setmode(state, 0, ENGINE_OFF) != 0 }
}

/// Whether a debug hook fires inside a loop that was compiled already. It does only if LuaJIT was built with
/// `-DLUAJIT_ENABLE_CHECKHOOK`; if not, a script's endless loop cannot be killed unless the compiler is off.
///
/// Tries it on a VM of its own, in a few milliseconds. False also when there is no memory for that.
#[must_use]
pub fn hooks_reach_compiled_code() -> bool {
    let mut reached = false;
    // SAFETY: the state is made, used and closed here; `try_hook` runs protected and gets a pointer to a bool that
    // outlives it.
    unsafe {
        let state = ffi::luaL_newstate();
        if state.is_null() {
            return false;
        }
        let result = (&raw mut reached).cast::<c_void>();
        ffi::lua_cpcall(state, try_hook, result);
        ffi::lua_close(state);
    }
    reached
}

/// Compiles a loop by running it, sets a hook, and runs the loop again: long enough for the hook if it is looked at,
/// but with an end.
unsafe extern "C-unwind" fn try_hook(state: *mut lua_State) -> c_int {
    const LOOP: &std::ffi::CStr = c"local x = 0 for i = 1, (...) do x = x + i end return x";
    const WARM_UP_TURNS: f64 = 20_000.0;
    const TURNS: f64 = 2_000_000.0;
    const HOOK_INSTRUCTIONS: c_int = 10_000;
    // SAFETY: Lua calls this with its running state and a pointer to a bool as the argument; nothing on this frame
    // has a destructor, and a fresh stack has room for these few values.
    unsafe {
        let reached = ffi::lua_touserdata(state, 1).cast::<bool>();
        enable_jit(state);
        if ffi::luaL_loadstring(state, LOOP.as_ptr()) != ffi::LUA_OK {
            return 0;
        }
        ffi::lua_pushvalue(state, -1);
        ffi::lua_pushnumber(state, WARM_UP_TURNS);
        ffi::lua_call(state, 1, 0);
        ffi::lua_sethook(state, Some(stop), ffi::LUA_MASKCOUNT, HOOK_INSTRUCTIONS);
        ffi::lua_pushnumber(state, TURNS);
        *reached = ffi::lua_pcall(state, 1, 0, 0) != ffi::LUA_OK;
    }
    0
}

unsafe extern "C-unwind" fn stop(state: *mut lua_State, _: *mut lua_Debug) {
    // SAFETY: Lua calls this with its running state, and the frame owns nothing.
    unsafe { ffi::luaL_error(state, c"stopped".as_ptr()) };
}

#[cfg(test)]
mod tests {
    use mlua::{Lua, LuaOptions, StdLib};

    use super::*;

    #[test]
    fn this_build_checks_hooks_in_compiled_code() {
        assert!(hooks_reach_compiled_code(), "was LuaJIT built with the CFLAGS of .cargo/config.toml?");
    }

    /// Whether the VM compiles: the option is the first result of `jit.status`.
    fn compiles(lua: &Lua) -> bool {
        lua.load("return (status())").eval().expect("jit.status answers")
    }

    #[test]
    fn the_compiler_is_turned_on_and_off() {
        // SAFETY: only the lines here run on it.
        let lua = unsafe { Lua::unsafe_new_with(StdLib::JIT, LuaOptions::default()) };
        lua.load("status = jit.status").exec().expect("the library is loaded");
        assert!(compiles(&lua));
        // SAFETY: nothing runs on the state, and the closures own nothing.
        unsafe {
            lua.exec_raw::<()>((), |state| assert!(disable_jit(state))).expect("no error");
            assert!(!compiles(&lua));
            lua.exec_raw::<()>((), |state| enable_jit(state)).expect("no error");
        }
        assert!(compiles(&lua));
        assert!(lua.load("return jit == nil").eval::<bool>().expect("a boolean"));
    }
}
