//! Replies of commands as Lua values.

use super::errors;
use mlua::ffi::{self, lua_State};
use moonshard_protocol::tape::{Item, Tape};
use std::ffi::c_int;

/// Levels of a reply; no command's is nearly as deep.
const DEPTH_MAX: u32 = 64;
/// Room that a level needs.
const SLOTS: c_int = 6;

/// Pushes the reply in `tape`. Returns whether it is an error.
///
/// # Safety
/// `state` runs a C function in which nothing with a destructor is alive, and `tape` stays as it is: this raises
/// errors when memory runs out.
#[inline]
pub(super) unsafe fn push(state: *mut lua_State, tape: &[u8]) -> bool {
    // Never borrowed, so that it stays in registers: the tape's length was written just now, and would be read together
    // with its address, for which the processor waits until it is in the cache.
    let mut first = Tape::new(tape);
    // SAFETY: the caller's promise.
    unsafe {
        ffi::luaL_checkstack(state, SLOTS, c"lua stack limit reach when parsing redis.call reply".as_ptr());
        match first.next() {
            Some(Item::Bulk(bytes)) => push_bytes(state, bytes),
            Some(Item::Int(value)) => ffi::lua_pushnumber(state, value as f64),
            Some(Item::Null2) => ffi::lua_pushboolean(state, 0),
            Some(Item::Status(text)) => push_status(state, text),
            Some(Item::Error(line)) => {
                push_error(state, line);
                return true;
            }
            Some(item) => {
                let mut rest = first;
                push_item(state, item, &mut rest, 0);
            }
            None => ffi::lua_pushnil(state),
        }
    }
    false
}

/// Pushes the error of a command.
unsafe fn push_error(state: *mut lua_State, line: &[u8]) {
    // SAFETY: called by `push` and `push_item`, which made room.
    unsafe {
        let line = errors::c_string(line);
        // A line without a text is a text without a code.
        match memchr::memchr(b' ', line) {
            Some(_) => errors::push_quietly(state, trim_end(line)),
            None => {
                ffi::lua_createtable(state, 0, 3);
                ffi::lua_pushliteral(state, c"ERR ");
                ffi::lua_pushlstring_(state, line.as_ptr().cast(), line.len());
                ffi::lua_concat(state, 2);
                ffi::lua_setfield(state, -2, c"err".as_ptr());
            }
        }
        ffi::lua_pushboolean(state, 1);
        ffi::lua_setfield(state, -2, c"ignore_error_stats_update".as_ptr());
    }
}

fn trim_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n'] = line {
        line = rest;
    }
    line
}

#[inline]
unsafe fn push_bytes(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: Lua copies the bytes; the caller made room.
    unsafe { ffi::lua_pushlstring_(state, bytes.as_ptr().cast(), bytes.len()) }
}

unsafe fn push_item(state: *mut lua_State, item: Item<'_>, tape: &mut Tape<'_>, depth: u32) {
    // SAFETY: `SLOTS` are free, and each level makes sure of its own.
    unsafe {
        match item {
            Item::Int(value) => ffi::lua_pushnumber(state, value as f64),
            Item::Bulk(bytes) => push_bytes(state, bytes),
            Item::Null2 => ffi::lua_pushboolean(state, 0),
            Item::Null3 => ffi::lua_pushnil(state),
            Item::Bool(value) => ffi::lua_pushboolean(state, c_int::from(value)),
            Item::Status(text) => push_status(state, text),
            Item::Double(value) => {
                push_field(state, c"double".as_ptr(), |state| ffi::lua_pushnumber(state, value))
            }
            Item::BigNumber(text) => {
                push_field(state, c"big_number".as_ptr(), |state| push_bytes(state, text))
            }
            Item::Error(line) => push_error(state, line),
            Item::Verbatim(format, text) => push_field(state, c"verbatim_string".as_ptr(), |state| {
                ffi::lua_createtable(state, 0, 2);
                push_bytes(state, text);
                ffi::lua_setfield(state, -2, c"string".as_ptr());
                push_bytes(state, format);
                ffi::lua_setfield(state, -2, c"format".as_ptr());
            }),
            Item::Array(len) => push_array(state, len, tape, depth),
            Item::Map(len) => push_field(state, c"map".as_ptr(), |state| {
                ffi::lua_createtable(state, 0, capacity(len, tape));
                for _ in 0..len {
                    push_next(state, tape, depth);
                    push_next(state, tape, depth);
                    ffi::lua_rawset(state, -3);
                }
            }),
            Item::Set(len) => push_field(state, c"set".as_ptr(), |state| {
                ffi::lua_createtable(state, 0, capacity(len, tape));
                for _ in 0..len {
                    push_next(state, tape, depth);
                    ffi::lua_pushboolean(state, 1);
                    ffi::lua_rawset(state, -3);
                }
            }),
        }
    }
}

/// Pushes the table of a status, whose strings are upvalues if it is the usual one.
///
/// # Safety
/// As `push_item`, in a function that [`push_upvalues`] made.
#[inline]
unsafe fn push_status(state: *mut lua_State, text: &[u8]) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(2));
        if text == b"OK" {
            ffi::lua_pushvalue(state, ffi::lua_upvalueindex(3));
        } else {
            push_bytes(state, text);
        }
        ffi::lua_rawset(state, -3);
    }
}

/// Pushes the upvalues that follow the bridge in functions which push replies. Returns how many they are.
///
/// # Safety
/// Called in protected mode, with two slots free.
pub(super) unsafe fn push_upvalues(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_pushliteral(state, c"ok");
        ffi::lua_pushliteral(state, c"OK");
    }
    2
}

/// Pushes a table with one field.
#[inline]
unsafe fn push_field(
    state: *mut lua_State,
    name: *const std::ffi::c_char,
    push: impl FnOnce(*mut lua_State),
) {
    // SAFETY: as `push_item`.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        push(state);
        ffi::lua_setfield(state, -2, name);
    }
}

/// Elements to make room for: no more than the rest of the tape can hold.
fn capacity(len: usize, tape: &Tape<'_>) -> c_int {
    len.min(tape.rest().len()).min(c_int::MAX as usize) as c_int
}

unsafe fn push_array(state: *mut lua_State, len: usize, tape: &mut Tape<'_>, depth: u32) {
    // SAFETY: as `push_item`.
    unsafe {
        ffi::lua_createtable(state, capacity(len, tape), 0);
        for index in 1..=len {
            push_next(state, tape, depth);
            ffi::lua_rawseti_(state, -2, index as c_int);
        }
    }
}

/// Pushes the tape's next item, one level down.
unsafe fn push_next(state: *mut lua_State, tape: &mut Tape<'_>, depth: u32) {
    // SAFETY: as `push_item`.
    unsafe {
        match tape.next() {
            Some(item @ (Item::Array(_) | Item::Map(_) | Item::Set(_) | Item::Verbatim(..))) => {
                let room = depth < DEPTH_MAX && ffi::lua_checkstack(state, SLOTS) != 0;
                if !room {
                    ffi::luaL_error(state, c"lua stack limit reach when parsing redis.call reply".as_ptr());
                }
                push_item(state, item, tape, depth + 1);
            }
            Some(item) => push_item(state, item, tape, depth),
            None => ffi::lua_pushnil(state),
        }
    }
}
