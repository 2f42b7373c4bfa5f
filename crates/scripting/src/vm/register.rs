//! `redis.register_function`, by which a library that is being loaded tells its functions.

use super::bridge::Bridge;
use super::errors;
use crate::flags::ScriptFlags;
use crate::library::{Function, is_name};
use crate::lua_stack::LuaStack;
use mlua::ffi::{self, lua_State};
use std::ffi::{CStr, c_int};

/// A function that was registered.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) function: Function,
    /// Where its callback is in Lua's registry.
    pub(super) callback: c_int,
}

/// Places on the stack for the arguments.
const NAME: c_int = 2;
const DESCRIPTION: c_int = 3;
const CALLBACK: c_int = 4;

pub(super) unsafe extern "C-unwind" fn register_function(state: *mut lua_State) -> c_int {
    // SAFETY: a C function with the bridge as its upvalue; what has a destructor is made in `register`, where nothing
    // raises.
    unsafe {
        if Bridge::of(state).registering.is_none() {
            errors::raise(state, "ERR redis.register_function can only be called on FUNCTION LOAD command");
        }
        let flags = match ffi::lua_gettop(state) {
            1 => read_named(state),
            2 => read_positional(state),
            _ => errors::raise(state, "ERR wrong number of arguments to redis.register_function"),
        };
        // Both become strings in their places if they are numbers, which may raise.
        let name = LuaStack::new(state).bytes(NAME);
        let described = ffi::lua_type(state, DESCRIPTION) != ffi::LUA_TNIL;
        let description = described.then(|| LuaStack::new(state).bytes(DESCRIPTION));
        ffi::lua_pushvalue(state, CALLBACK);
        let callback = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        if let Some(complaint) = register(Bridge::of(state), name, description, flags, callback) {
            errors::raise(state, complaint);
        }
        0
    }
}

/// Takes a function down, or says why not.
fn register(
    bridge: &mut Bridge,
    name: &[u8],
    description: Option<&[u8]>,
    flags: ScriptFlags,
    callback: c_int,
) -> Option<&'static str> {
    let registering = bridge.registering.as_mut()?;
    if !is_name(name) {
        return Some(
            "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
        );
    }
    // Functions are called in letters of any case, so two that differ only in that could not be told apart.
    if registering.iter().any(|known| known.function.name.as_bytes().eq_ignore_ascii_case(name)) {
        return Some("ERR Function already exists in the library");
    }
    let function = Function {
        name: String::from_utf8_lossy(name).into(),
        description: description.map(Into::into),
        flags: flags | ScriptFlags::DECLARED,
    };
    registering.push(Registered { function, callback });
    None
}

/// `register_function(name, callback)`: arranges the arguments in their places.
unsafe fn read_positional(state: *mut lua_State) -> ScriptFlags {
    // SAFETY: called by `register_function` with two values on the stack.
    unsafe {
        if ffi::lua_isstring(state, 1) == 0 {
            errors::raise(state, "ERR first argument to redis.register_function must be a string");
        }
        if ffi::lua_type(state, 2) != ffi::LUA_TFUNCTION {
            errors::raise(state, "ERR second argument to redis.register_function must be a function");
        }
        ffi::lua_pushvalue(state, 1);
        ffi::lua_insert(state, NAME);
        ffi::lua_pushnil(state);
        ffi::lua_insert(state, DESCRIPTION);
    }
    ScriptFlags::empty()
}

/// `register_function{function_name=..., callback=..., ...}`: puts the arguments in their places.
unsafe fn read_named(state: *mut lua_State) -> ScriptFlags {
    // SAFETY: called by `register_function` with one value on the stack; places 2 to 4 are filled before the walk, which
    // leaves a key and a value above them.
    unsafe {
        if ffi::lua_type(state, 1) != ffi::LUA_TTABLE {
            errors::raise(
                state,
                "ERR calling redis.register_function with a single argument is only applicable to Lua table \
                 (representing named arguments).",
            );
        }
        ffi::lua_settop(state, CALLBACK);
        let mut flags = ScriptFlags::empty();
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, 1) != 0 {
            match ffi::lua_type(state, -2) {
                ffi::LUA_TSTRING => {
                    let key = errors::c_string(LuaStack::new(state).bytes(-2));
                    read_one(state, key, &mut flags);
                }
                ffi::LUA_TNUMBER => unknown_argument(state),
                _ => errors::raise(
                    state,
                    "ERR named argument key given to redis.register_function is not a string",
                ),
            }
            ffi::lua_settop(state, CALLBACK + 1);
        }
        if ffi::lua_type(state, NAME) == ffi::LUA_TNIL {
            errors::raise(state, "ERR redis.register_function must get a function name argument");
        }
        if ffi::lua_type(state, CALLBACK) == ffi::LUA_TNIL {
            errors::raise(state, "ERR redis.register_function must get a callback argument");
        }
        flags
    }
}

unsafe fn unknown_argument(state: *mut lua_State) -> ! {
    // SAFETY: called by C functions.
    unsafe { errors::raise(state, "ERR unknown argument given to redis.register_function") }
}

/// Puts the argument on top of the stack in its place.
unsafe fn read_one(state: *mut lua_State, key: &[u8], flags: &mut ScriptFlags) {
    let is = |name: &CStr| key.eq_ignore_ascii_case(name.to_bytes());
    // SAFETY: called by `read_named` with the value on top.
    unsafe {
        if is(c"function_name") {
            if ffi::lua_isstring(state, -1) == 0 {
                errors::raise(
                    state,
                    "ERR function_name argument given to redis.register_function must be a string",
                );
            }
            ffi::lua_replace(state, NAME);
        } else if is(c"description") {
            if ffi::lua_isstring(state, -1) == 0 {
                errors::raise(
                    state,
                    "ERR description argument given to redis.register_function must be a string",
                );
            }
            ffi::lua_replace(state, DESCRIPTION);
        } else if is(c"callback") {
            if ffi::lua_type(state, -1) != ffi::LUA_TFUNCTION {
                errors::raise(
                    state,
                    "ERR callback argument given to redis.register_function must be a function",
                );
            }
            ffi::lua_replace(state, CALLBACK);
        } else if is(c"flags") {
            if ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
                errors::raise(
                    state,
                    "ERR flags argument to redis.register_function must be a table representing function flags",
                );
            }
            *flags = read_flags(state);
        } else {
            unknown_argument(state);
        }
    }
}

/// Reads the list of flags on top of the stack.
unsafe fn read_flags(state: *mut lua_State) -> ScriptFlags {
    let mut flags = ScriptFlags::empty();
    // SAFETY: called by `read_one` with a table on top; a few slots are free.
    unsafe {
        for position in 1.. {
            ffi::lua_rawgeti_(state, -1, position);
            let flag = match ffi::lua_type(state, -1) {
                ffi::LUA_TNIL => {
                    ffi::lua_pop(state, 1);
                    break;
                }
                ffi::LUA_TSTRING => {
                    let name = errors::c_string(LuaStack::new(state).bytes(-1));
                    ScriptFlags::NAMES
                        .iter()
                        .find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name))
                        .map(|&(flag, _)| flag)
                }
                _ => None,
            };
            ffi::lua_pop(state, 1);
            match flag {
                Some(flag) => flags |= flag,
                None => errors::raise(state, "ERR unknown flag given"),
            }
        }
    }
    flags
}
