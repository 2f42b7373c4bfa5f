//! Makes a Lua state ready for scripts.

use super::bytecode::Opcodes;
use super::globals::Globals;
use super::{api, bridge::Bridge, errors};
use crate::control::Kind;
use crate::lua::Lua;
use crate::settings::ScriptSettings;
use crate::{bitlib, cjson, cmsgpack, structlib};
use mlua::ffi::{self, lua_State};
use moonshard_engine::Error;
use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::Ordering;

const SOURCE: &[u8] = include_bytes!("sandbox.lua");

/// Where the parts of a ready state are in Lua's registry.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sandbox {
    /// The table that holds the globals themselves.
    env: c_int,
    /// Turns what a script raises into a table that tells where.
    handler: c_int,
    /// Sets KEYS and ARGV and calls the script.
    start: c_int,
    /// Calls a function with its keys and arguments.
    start_function: c_int,
    /// What scripts see as their globals, and what functions see.
    globals: c_int,
    function_globals: c_int,
    /// Runs the code of a library.
    load_library: c_int,
    opcodes: Option<Opcodes>,
    /// What scripts may set in `cjson`.
    pub(super) cjson: cjson::SharedSettings,
}

/// What `open` gets through Lua's protected call.
struct Opening<'a> {
    bridge: *const Bridge,
    jit: bool,
    strict: bool,
    sandbox: &'a mut Sandbox,
}

impl Sandbox {
    /// Opens the libraries and hides them behind read-only tables.
    ///
    /// # Errors
    /// When memory runs out.
    pub(super) fn open(
        lua: &mut Lua,
        bridge: &Bridge,
        jit: bool,
        settings: &ScriptSettings,
    ) -> Result<Self, Error> {
        let mut sandbox = Self { opcodes: Opcodes::learn(lua), ..Self::default() };
        let strict = settings.strict_sandbox.load(Ordering::Relaxed);
        let mut opening = Opening { bridge, jit, strict, sandbox: &mut sandbox };
        lua.protect(open, (&raw mut opening).cast())?;
        Ok(sandbox)
    }

    /// The globals that the function on top of the stack names, if it is understood.
    pub(super) fn globals_of(&self, lua: &Lua) -> Option<Globals> {
        self.opcodes.and_then(|opcodes| opcodes.globals(lua.state()))
    }

    /// Whether scripts find a global of this name.
    pub(super) fn has_global(&self, lua: &mut Lua, name: &[u8]) -> bool {
        if name == b"KEYS" || name == b"ARGV" {
            return true;
        }
        let state = lua.state();
        // SAFETY: the state is idle, its stack has room, and there is no limit to its memory.
        unsafe {
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.env);
            ffi::lua_pushlstring_(state, name.as_ptr().cast(), name.len());
            ffi::lua_rawget_(state, -2);
            let found = ffi::lua_type(state, -1) != ffi::LUA_TNIL;
            ffi::lua_pop(state, 2);
            found
        }
    }

    /// Where the globals themselves are in Lua's registry.
    pub(super) const fn env(&self) -> c_int {
        self.env
    }

    /// Takes a compiled function from the stack into the registry.
    ///
    /// A function that sets no global gets the globals themselves for its environment, which are read faster than
    /// through the table before them that refuses assignments; all else that could assign goes through that one.
    pub(super) fn keep_function(&self, lua: &mut Lua) -> c_int {
        let sets_globals = self.rewrite(lua, c"@user_script");
        let state = lua.state();
        // SAFETY: the function is on top of the stack of an idle state; there is no limit to its memory now.
        unsafe {
            if !sets_globals {
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.env);
                ffi::lua_setfenv(state, -2);
            }
            ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX)
        }
    }

    /// As [`Opcodes::replace`]; a function that is not understood may set any global.
    fn rewrite(&self, lua: &mut Lua, name: &CStr) -> bool {
        // SAFETY: the function is on top of the stack of an idle state.
        self.opcodes.is_none_or(|opcodes| unsafe { opcodes.replace(lua.state(), name) })
    }

    /// What the bytecode of this LuaJIT looks like, if it is understood.
    pub(super) const fn opcodes(&self) -> Option<Opcodes> {
        self.opcodes
    }

    /// Compiles a library and leaves on the stack what, called with two arguments, runs it. There must be no limit to
    /// the memory of the state, which is idle.
    ///
    /// # Errors
    /// The compiler's text, in Redis' words.
    pub(super) fn push_library(&self, lua: &mut Lua, body: &[u8]) -> Result<(), Error> {
        const NAME: &CStr = c"@user_function";
        lua.compile_as(body, NAME, "function")?;
        let sets_globals = self.rewrite(lua, NAME);
        let state = lua.state();
        // SAFETY: the function is on top of the stack of an idle state.
        unsafe {
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.load_library);
            ffi::lua_insert(state, -2);
            ffi::lua_pushboolean(state, c_int::from(!sets_globals));
        }
        Ok(())
    }

    /// Pushes the error handler and the function that starts a script, or a function.
    ///
    /// # Safety
    /// The stack has room for two.
    #[inline]
    pub(super) unsafe fn push_start(&self, state: *mut lua_State, kind: Kind) {
        let start = match kind {
            Kind::Script => self.start,
            Kind::Function => self.start_function,
        };
        // SAFETY: the caller's promise.
        unsafe {
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, self.handler);
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, start);
        }
    }

    /// Makes the globals of this kind those of what is compiled while it runs. Those of scripts are to be there when
    /// nothing runs.
    ///
    /// # Safety
    /// The state is idle, and its stack has room for one.
    #[inline]
    pub(super) unsafe fn set_globals(&self, state: *mut lua_State, kind: Kind) {
        let globals = match kind {
            Kind::Script => self.globals,
            Kind::Function => self.function_globals,
        };
        // SAFETY: the caller's promise; a table is in that place of the registry.
        unsafe {
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, globals);
            ffi::lua_replace(state, ffi::LUA_GLOBALSINDEX);
        }
    }
}

unsafe extern "C-unwind" fn open(state: *mut lua_State) -> c_int {
    // SAFETY: called by `Sandbox::open` in protected mode with this very argument; nothing here has a destructor.
    unsafe {
        let opening = &mut *ffi::lua_touserdata(state, 1).cast::<Opening<'_>>();
        let bridge = opening.bridge.cast_mut().cast::<c_void>();
        for library in [ffi::luaopen_base, ffi::luaopen_table, ffi::luaopen_string, ffi::luaopen_math] {
            open_library(state, library);
        }
        if opening.jit {
            open_library(state, ffi::luaopen_jit);
        }
        if ffi::luaL_loadbuffer(state, SOURCE.as_ptr().cast(), SOURCE.len(), c"=sandbox".as_ptr())
            != ffi::LUA_OK
        {
            ffi::lua_error(state);
        }
        api::push_natives(state, bridge);
        opening.sandbox.cjson = push_libraries(state, bridge);
        ffi::lua_pushboolean(state, c_int::from(opening.strict));
        ffi::lua_call(state, 3, 4);
        opening.sandbox.load_library = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        opening.sandbox.function_globals = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        // What runs in this state from now on sees only the sandbox.
        ffi::lua_pushvalue(state, -1);
        opening.sandbox.globals = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        ffi::lua_replace(state, ffi::LUA_GLOBALSINDEX);
        ffi::lua_pushlightuserdata(state, bridge);
        ffi::lua_pushcclosure(state, api::start_function, 1);
        opening.sandbox.start_function = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        ffi::lua_pushlightuserdata(state, bridge);
        ffi::lua_pushvalue(state, -2);
        ffi::lua_pushliteral(state, c"KEYS");
        ffi::lua_pushliteral(state, c"ARGV");
        ffi::lua_pushcclosure(state, api::start, 4);
        opening.sandbox.start = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        opening.sandbox.env = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        ffi::lua_pushcclosure(state, errors::handler, 0);
        opening.sandbox.handler = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        0
    }
}

unsafe fn open_library(state: *mut lua_State, library: ffi::lua_CFunction) {
    // SAFETY: called by `open`, in protected mode.
    unsafe {
        ffi::lua_pushcclosure(state, library, 0);
        ffi::lua_pushliteral(state, c"");
        ffi::lua_call(state, 1, 0);
    }
}

/// Opens a library and leaves its table on the stack.
type Open = unsafe fn(*mut lua_State);

/// Pushes the libraries that are not Lua's own, by name.
unsafe fn push_libraries(state: *mut lua_State, bridge: *mut c_void) -> cjson::SharedSettings {
    let libraries: [(&CStr, Open); 4] = [
        (c"cjson", cjson::open_cjson),
        (c"cmsgpack", cmsgpack::open_cmsgpack),
        (c"struct", structlib::open_struct),
        (c"bit", bitlib::open_bit),
    ];
    // SAFETY: called by `open`, in protected mode.
    unsafe {
        ffi::lua_createtable(state, 0, 8);
        for (name, open) in libraries {
            open(state);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        api::push_redis(state, bridge);
        ffi::lua_setfield(state, -2, c"redis".as_ptr());
        ffi::lua_getfield(state, -1, c"cjson".as_ptr());
        let settings = cjson::SharedSettings::of_top(state);
        ffi::lua_pop(state, 1);
        settings
    }
}
