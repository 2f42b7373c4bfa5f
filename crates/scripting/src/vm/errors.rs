//! What scripts raise, and what the client gets to see of it.

use super::debugger;
use crate::lua_stack::LuaStack;
use mlua::ffi::{self, lua_Debug, lua_State};
use moonshard_engine::Error;
use std::ffi::{CStr, c_int};

/// Pushes an error as scripts get it: a table with the line, its code first.
///
/// # Safety
/// `state` is running, with three slots free and nothing with a destructor alive.
pub(super) unsafe fn push(state: *mut lua_State, line: &[u8]) {
    debugger::note_error(line);
    // SAFETY: the caller's promise.
    unsafe { push_quietly(state, line) }
}

/// Pushes the error of a command, of which a debugger knows.
///
/// # Safety
/// As [`push`].
pub(super) unsafe fn push_quietly(state: *mut lua_State, line: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_createtable(state, 0, 3);
        ffi::lua_pushlstring_(state, line.as_ptr().cast(), line.len());
        ffi::lua_setfield(state, -2, c"err".as_ptr());
    }
}

/// What is answered when a script was killed after it had returned; `limit_ms` as in [`push_killed`].
#[cold]
pub(super) fn killed(limit_ms: u64) -> Error {
    match limit_ms {
        0 => Error::fixed("ERR Script killed by user with SCRIPT KILL..."),
        limit => Error::text(format!("ERR Script killed: it ran for longer than {limit} milliseconds")),
    }
}

/// Pushes the error of a killed script; `limit_ms` is the limit that it was over, 0 if somebody killed it.
///
/// # Safety
/// As [`push`].
pub(super) unsafe fn push_killed(state: *mut lua_State, limit_ms: u64) {
    // SAFETY: the caller's promise; the format takes a double, and the text is on the stack.
    unsafe {
        if limit_ms == 0 {
            return push(state, b"ERR Script killed by user with SCRIPT KILL...");
        }
        ffi::lua_createtable(state, 0, 3);
        let text = c"ERR Script killed: it ran for longer than %f milliseconds";
        ffi::lua_pushfstring(state, text.as_ptr(), limit_ms as f64);
        ffi::lua_setfield(state, -2, c"err".as_ptr());
    }
}

/// Raises an error of the `redis` library.
///
/// # Safety
/// As [`push`].
pub(super) unsafe fn raise(state: *mut lua_State, line: &str) -> ! {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::luaL_checkstack(state, 3, c"no room for an error".as_ptr());
        push(state, line.as_bytes());
        ffi::lua_error(state)
    }
}

/// The message handler of a script: makes a table of what it raised, and adds where.
pub(super) unsafe extern "C-unwind" fn handler(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls it with the error as its one argument; nothing here has a destructor.
    unsafe {
        // SAFETY: a C structure of numbers and pointers, which lua_getstack and lua_getinfo fill.
        let mut place: lua_Debug = std::mem::zeroed();
        let mut level = 1;
        let mut found = describe(state, level, &mut place);
        // Of a function of the library, its caller is of interest; of one that the sandbox wraps, the wrapper's.
        let mut in_wrapper = false;
        while found {
            // LuaJIT has some of the library's functions in Lua, without lines.
            let in_c = CStr::from_ptr(place.what) == c"C" || place.currentline == 0;
            let is_wrapper = CStr::from_ptr(place.source) == c"=sandbox";
            if !(is_wrapper || in_c && (level == 1 || in_wrapper)) {
                break;
            }
            in_wrapper = is_wrapper;
            level += 1;
            found = describe(state, level, &mut place);
        }
        if ffi::lua_type(state, 1) != ffi::LUA_TTABLE {
            ffi::lua_createtable(state, 0, 3);
            ffi::lua_pushliteral(state, c"ERR ");
            push_as_text(state, 1);
            if LuaStack::new(state).bytes(-1).ends_with(b"attempt to yield across C-call boundary") {
                ffi::lua_pushliteral(state, c"attempt to yield across metamethod/C-call boundary");
                ffi::lua_replace(state, -2);
            }
            ffi::lua_concat(state, 2);
            ffi::lua_setfield(state, -2, c"err".as_ptr());
            ffi::lua_replace(state, 1);
        }
        if found {
            ffi::lua_pushstring_(state, place.source);
            ffi::lua_setfield(state, 1, c"source".as_ptr());
            ffi::lua_pushnumber(state, f64::from(place.currentline));
            ffi::lua_setfield(state, 1, c"line".as_ptr());
        }
        ffi::lua_settop(state, 1);
        1
    }
}

unsafe fn describe(state: *mut lua_State, level: c_int, place: &mut lua_Debug) -> bool {
    // SAFETY: called by `handler`.
    unsafe {
        ffi::lua_getstack(state, level, place) != 0 && ffi::lua_getinfo(state, c"Sl".as_ptr(), place) != 0
    }
}

/// Pushes what `tostring` makes of a value that is no table.
unsafe fn push_as_text(state: *mut lua_State, index: c_int) {
    // SAFETY: called by `handler`.
    unsafe {
        let kind = ffi::lua_type(state, index);
        match kind {
            ffi::LUA_TSTRING | ffi::LUA_TNUMBER => ffi::lua_pushvalue(state, index),
            ffi::LUA_TNIL => ffi::lua_pushliteral(state, c"nil"),
            ffi::LUA_TBOOLEAN if ffi::lua_toboolean(state, index) != 0 => {
                ffi::lua_pushliteral(state, c"true")
            }
            ffi::LUA_TBOOLEAN => ffi::lua_pushliteral(state, c"false"),
            _ => {
                let name = ffi::lua_typename(state, kind);
                ffi::lua_pushfstring(state, c"%s: %p".as_ptr(), name, ffi::lua_topointer(state, index));
            }
        }
    }
}

/// The error reply of a script that ended with the error on top of the stack.
#[cold]
pub(super) fn of_script(state: *mut lua_State, name: &[u8]) -> Error {
    const SHOWN_LEN_MAX: usize = 100;
    // SAFETY: the state is idle with the error on top; nothing here raises but for want of memory.
    unsafe {
        if ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
            let text = if ffi::lua_isstring(state, -1) != 0 {
                LuaStack::new(state).bytes(-1)
            } else {
                b"execution failure"
            };
            let text = c_string(text);
            let mut line = [b"ERR Error running script ", name, b", "].concat();
            line.extend_from_slice(&text[..text.len().min(SHOWN_LEN_MAX)]);
            return Error::bytes(line);
        }
        let mut line = field(state, c"err").unwrap_or_default();
        if let (Some(place), Some(number)) = (field(state, c"source"), field(state, c"line")) {
            line.extend_from_slice(&[b" script: ", name, b", on "].concat());
            line.extend_from_slice(&place);
            line.push(b':');
            line.extend_from_slice(&number);
            line.push(b'.');
        }
        Error::bytes(line)
    }
}

/// The error of a library whose text ended with the error on top of the stack.
#[cold]
pub(super) fn of_library(state: *mut lua_State) -> Error {
    // SAFETY: as in `of_script`.
    let text = unsafe {
        match ffi::lua_type(state, -1) {
            ffi::LUA_TTABLE => field(state, c"err").unwrap_or_default(),
            ffi::LUA_TSTRING => [b"ERR ", c_string(LuaStack::new(state).bytes(-1))].concat(),
            _ => b"ERR execution failure".to_vec(),
        }
    };
    Error::bytes([b"ERR Error registering functions: ", &text[..]].concat())
}

/// A field of the error table, as C reads it: up to the first NUL.
unsafe fn field(state: *mut lua_State, name: &CStr) -> Option<Vec<u8>> {
    // SAFETY: a table is on top of an idle stack; the value is copied before it is popped.
    unsafe {
        ffi::lua_pushliteral(state, c_literal(name));
        ffi::lua_rawget_(state, -2);
        let text = match ffi::lua_type(state, -1) {
            ffi::LUA_TSTRING => Some(c_string(LuaStack::new(state).bytes(-1)).to_vec()),
            ffi::LUA_TNUMBER => Some(short_number(ffi::lua_tonumber(state, -1))),
            _ => None,
        };
        ffi::lua_pop(state, 1);
        text
    }
}

/// The same string; the field's names are all literals.
const fn c_literal(name: &CStr) -> &'static CStr {
    // SAFETY: `field` is called with literals only, and Lua copies what it is given.
    unsafe { &*std::ptr::from_ref(name) }
}

/// A number as Lua shows it, `%.14g`; lines are whole and short.
fn short_number(number: f64) -> Vec<u8> {
    let mut text = Vec::new();
    moonshard_protocol::number::format_double(number, &mut text);
    text
}

/// `bytes` up to the first NUL.
pub(super) fn c_string(bytes: &[u8]) -> &[u8] {
    &bytes[..memchr::memchr(0, bytes).unwrap_or(bytes.len())]
}
