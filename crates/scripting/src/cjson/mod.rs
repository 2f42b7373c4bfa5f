//! `cjson`: JSON for scripts, byte for byte what Redis 7.0.15 makes of it.
//!
//! One thing is newer: `decode_array_with_array_mt(true)` marks decoded arrays with a metatable by which `encode`
//! knows an empty one, so that `[]` survives a round trip. It is off until a script asks for it. The metatable is there
//! as `array_mt` for scripts that make arrays themselves.

mod cursor;
mod decode;
mod direct;
mod encode;
mod scan;
mod sizes;

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};

use crate::key_cache;
use crate::lua_stack::{LuaStack, c_long, push_library, set_text};
use crate::luajit_tables;

/// Where the functions find their settings, and the metatable of decoded arrays.
const SETTINGS_UPVALUE: c_int = ffi::lua_upvalueindex(1);
const ARRAY_MT_UPVALUE: c_int = ffi::lua_upvalueindex(2);
/// Where they find the keys that were read last.
const KEYS_UPVALUE: c_int = ffi::lua_upvalueindex(3);
const KEY_TEXTS_UPVALUE: c_int = ffi::lua_upvalueindex(4);

const FUNCTIONS: &[(&CStr, ffi::lua_CFunction)] = &[
    (c"encode", encode::encode),
    (c"decode", decode::decode),
    (c"encode_sparse_array", encode_sparse_array),
    (c"encode_max_depth", encode_max_depth),
    (c"decode_max_depth", decode_max_depth),
    (c"encode_number_precision", encode_number_precision),
    (c"encode_keep_buffer", encode_keep_buffer),
    (c"encode_invalid_numbers", encode_invalid_numbers),
    (c"decode_invalid_numbers", decode_invalid_numbers),
    (c"decode_array_with_array_mt", decode_array_with_array_mt),
    (c"new", new),
];

/// What the configuration functions of one `cjson` table set. Plain, for it lives in a userdata.
#[derive(Clone, Copy)]
struct Settings {
    sparse_convert: bool,
    sparse_ratio: c_int,
    sparse_safe: c_int,
    encode_max_depth: c_int,
    decode_max_depth: c_int,
    encode_invalid_numbers: InvalidNumbers,
    decode_invalid_numbers: bool,
    number_precision: c_int,
    keep_buffer: bool,
    array_mt: bool,
    /// Whether a script set anything since the settings were last put back.
    touched: bool,
    /// The bits of `null` in a table; 0 if tables can be read through Lua's API only. No script sets it.
    null: u64,
}

/// What `encode` makes of NaN and the infinities.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InvalidNumbers {
    Error,
    Print,
    Null,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1000,
            decode_max_depth: 1000,
            encode_invalid_numbers: InvalidNumbers::Error,
            decode_invalid_numbers: true,
            number_precision: 14,
            keep_buffer: true,
            array_mt: false,
            touched: false,
            null: 0,
        }
    }
}

/// Pushes a new `cjson` table with settings of its own. Raises a Lua error when memory runs out.
///
/// # Safety
/// `state` is a live Lua state with ten free slots on its stack, and no value with a destructor is alive in a frame
/// between this call and the protected call around it.
pub unsafe fn open_cjson(state: *mut lua_State) {
    // SAFETY: the caller's promises; `push_library` takes the two upvalues that are pushed before it.
    unsafe {
        push_settings(state);
        ffi::lua_createtable(state, 0, 1);
        finish_library(state);
    }
}

/// The settings of one `cjson` table, to be put back after a script: one must not find what another one set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedSettings(*mut Settings);

// SAFETY: it is used by whoever may use the state.
unsafe impl Send for SharedSettings {}

impl Default for SharedSettings {
    fn default() -> Self {
        Self(std::ptr::null_mut())
    }
}

impl SharedSettings {
    /// Those of the `cjson` table on top of the stack.
    ///
    /// # Safety
    /// A table that [`open_cjson`] made is on top of the stack, which has two slots free. The result is used only as
    /// long as the table's functions live.
    pub(crate) unsafe fn of_top(state: *mut lua_State) -> Self {
        // SAFETY: the caller's promise; the first upvalue of each function is the userdata.
        unsafe {
            ffi::lua_getfield(state, -1, c"encode".as_ptr());
            ffi::lua_getupvalue(state, -1, 1);
            let settings = ffi::lua_touserdata(state, -1).cast();
            ffi::lua_pop(state, 2);
            Self(settings)
        }
    }

    /// Puts back what a script has set.
    ///
    /// # Safety
    /// The table's functions live, and none of them runs.
    #[inline]
    pub(crate) unsafe fn put_back(self) {
        // SAFETY: the caller's promise; null is no reference.
        if let Some(settings) = unsafe { self.0.as_mut() }
            && settings.touched
        {
            *settings = Settings { null: settings.null, ..Settings::default() };
        }
    }
}

/// # Safety
/// Eight slots are free.
unsafe fn push_settings(state: *mut lua_State) {
    // SAFETY: the userdata is as large as a `Settings` and is filled before anybody reads it.
    unsafe {
        let mut null = 0;
        if luajit_tables::readable(state) {
            let stack = LuaStack::new(state);
            stack.push_null();
            null = luajit_tables::bits_of_top(stack);
            stack.pop(1);
        }
        let settings = ffi::lua_newuserdata(state, size_of::<Settings>()).cast::<Settings>();
        settings.write(Settings { null, ..Settings::default() });
    }
}

/// Turns settings and the arrays' metatable on top of the stack into a library over them.
///
/// # Safety
/// Both are on top, and two slots are free.
unsafe fn finish_library(state: *mut lua_State) {
    // SAFETY: the caller's promises.
    unsafe {
        ffi::luaL_checkstack(state, 16, c"no room for a library".as_ptr());
        ffi::lua_pushvalue(state, -1);
        ffi::lua_insert(state, -3);
        key_cache::push_cache(state);
        push_library(state, FUNCTIONS, 4);
        ffi::lua_pushlightuserdata(state, std::ptr::null_mut());
        ffi::lua_setfield(state, -2, c"null".as_ptr());
        ffi::lua_insert(state, -2);
        // Whoever hides the metatable says what is shown in its place.
        ffi::lua_getfield(state, -1, c"__metatable".as_ptr());
        if ffi::lua_type(state, -1) == ffi::LUA_TNIL {
            ffi::lua_pop(state, 1);
        } else {
            ffi::lua_replace(state, -2);
        }
        ffi::lua_setfield(state, -2, c"array_mt".as_ptr());
        set_text(state, c"_NAME", c"cjson");
        set_text(state, c"_VERSION", c"2.1.0");
    }
}

unsafe extern "C-unwind" fn new(state: *mut lua_State) -> c_int {
    // SAFETY: a C function has 20 free slots, the closure has its upvalues, and this frame owns nothing.
    unsafe {
        ffi::lua_settop(state, 0);
        push_settings(state);
        ffi::lua_pushvalue(state, ARRAY_MT_UPVALUE);
        finish_library(state);
    }
    1
}

/// The settings of the running function.
///
/// # Safety
/// The running function is one of `FUNCTIONS`.
unsafe fn settings<'a>(stack: LuaStack) -> &'a mut Settings {
    // SAFETY: the first upvalue is the userdata that `push_settings` made; the closure keeps it alive, and no
    // other reference to it exists while one of the configuration functions runs.
    unsafe { &mut *ffi::lua_touserdata(stack.state(), SETTINGS_UPVALUE).cast::<Settings>() }
}

/// Checks the number of a configuration function's arguments, fills up with nil, and finds the settings.
///
/// # Safety
/// `state` is the running state, the function is one of `FUNCTIONS`, and its frame owns nothing.
unsafe fn begin<'a>(state: *mut lua_State, args: c_int) -> (LuaStack, &'a mut Settings) {
    // SAFETY: the caller's promises.
    let (stack, settings) = unsafe {
        let stack = LuaStack::new(state);
        (stack, settings(stack))
    };
    if stack.top() > args {
        stack.raise_argument(args + 1, c"found too many arguments");
    }
    while stack.top() < args {
        stack.push_nil();
    }
    settings.touched = true;
    (stack, settings)
}

/// Sets an integer from argument `arg` unless that is nil, and pushes what is set then.
fn integer_option(stack: LuaStack, arg: c_int, setting: &mut c_int, min: c_int, max: c_int) {
    if stack.kind(arg) != ffi::LUA_TNIL {
        let value = c_long(stack.check_number(arg)) as c_int;
        if !(min..=max).contains(&value) {
            let format = c"expected integer between %d and %d".as_ptr();
            // SAFETY: the format takes two ints, the text lives on the Lua stack, and this frame owns nothing.
            unsafe {
                let message = ffi::lua_pushfstring(stack.state(), format, min, max);
                stack.raise_argument(1, CStr::from_ptr(message));
            }
        }
        *setting = value;
    }
    stack.push_integer(i64::from(*setting));
}

/// The option in argument `arg`, by its position in `names`; raises when it is none of them.
fn check_option(stack: LuaStack, arg: c_int, names: &[&CStr]) -> usize {
    // SAFETY: the argument stays where it is.
    let text = unsafe { stack.check_bytes(arg) };
    // What follows a NUL does not count, for the names are C strings.
    let text = text.split(|&byte| byte == 0).next().unwrap_or(text);
    if let Some(position) = names.iter().position(|name| name.to_bytes() == text) {
        return position;
    }
    // SAFETY: the argument is a string by now and ends in a NUL; the format takes it; this frame owns nothing.
    unsafe {
        let text = ffi::lua_tolstring(stack.state(), arg, std::ptr::null_mut());
        let message = ffi::lua_pushfstring(stack.state(), c"invalid option '%s'".as_ptr(), text);
        stack.raise_argument(arg, CStr::from_ptr(message))
    }
}

/// Sets a switch from argument `arg` (a boolean, "on" or "off") unless that is nil, and pushes what is set then.
fn switch_option(stack: LuaStack, arg: c_int, setting: &mut bool) {
    match stack.kind(arg) {
        ffi::LUA_TNIL => {}
        ffi::LUA_TBOOLEAN => *setting = stack.boolean(arg),
        _ => *setting = check_option(stack, arg, &[c"off", c"on"]) == 1,
    }
    stack.push_boolean(*setting);
}

unsafe extern "C-unwind" fn encode_sparse_array(state: *mut lua_State) -> c_int {
    // SAFETY: this is one of `FUNCTIONS`, called by Lua, and owns nothing.
    let (stack, settings) = unsafe { begin(state, 3) };
    switch_option(stack, 1, &mut settings.sparse_convert);
    integer_option(stack, 2, &mut settings.sparse_ratio, 0, c_int::MAX);
    integer_option(stack, 3, &mut settings.sparse_safe, 0, c_int::MAX);
    3
}

unsafe extern "C-unwind" fn encode_max_depth(state: *mut lua_State) -> c_int {
    // SAFETY: this is one of `FUNCTIONS`, called by Lua, and owns nothing.
    let (stack, settings) = unsafe { begin(state, 1) };
    integer_option(stack, 1, &mut settings.encode_max_depth, 1, c_int::MAX);
    1
}

unsafe extern "C-unwind" fn decode_max_depth(state: *mut lua_State) -> c_int {
    // SAFETY: this is one of `FUNCTIONS`, called by Lua, and owns nothing.
    let (stack, settings) = unsafe { begin(state, 1) };
    integer_option(stack, 1, &mut settings.decode_max_depth, 1, c_int::MAX);
    1
}

unsafe extern "C-unwind" fn encode_number_precision(state: *mut lua_State) -> c_int {
    // SAFETY: this is one of `FUNCTIONS`, called by Lua, and owns nothing.
    let (stack, settings) = unsafe { begin(state, 1) };
    integer_option(stack, 1, &mut settings.number_precision, 1, 14);
    1
}

/// Only remembers the setting: no buffer outlives a call here, whatever it says.
unsafe extern "C-unwind" fn encode_keep_buffer(state: *mut lua_State) -> c_int {
    // SAFETY: this is one of `FUNCTIONS`, called by Lua, and owns nothing.
    let (stack, settings) = unsafe { begin(state, 1) };
    switch_option(stack, 1, &mut settings.keep_buffer);
    1
}

unsafe extern "C-unwind" fn encode_invalid_numbers(state: *mut lua_State) -> c_int {
    // SAFETY: this is one of `FUNCTIONS`, called by Lua, and owns nothing.
    let (stack, settings) = unsafe { begin(state, 1) };
    let setting = &mut settings.encode_invalid_numbers;
    match stack.kind(1) {
        ffi::LUA_TNIL => {}
        ffi::LUA_TBOOLEAN if stack.boolean(1) => *setting = InvalidNumbers::Print,
        ffi::LUA_TBOOLEAN => *setting = InvalidNumbers::Error,
        _ => {
            *setting = match check_option(stack, 1, &[c"off", c"on", c"null"]) {
                0 => InvalidNumbers::Error,
                1 => InvalidNumbers::Print,
                _ => InvalidNumbers::Null,
            }
        }
    }
    match *setting {
        InvalidNumbers::Null => stack.push_bytes(b"null"),
        other => stack.push_boolean(other == InvalidNumbers::Print),
    }
    1
}

unsafe extern "C-unwind" fn decode_invalid_numbers(state: *mut lua_State) -> c_int {
    // SAFETY: this is one of `FUNCTIONS`, called by Lua, and owns nothing.
    let (stack, settings) = unsafe { begin(state, 1) };
    switch_option(stack, 1, &mut settings.decode_invalid_numbers);
    1
}

unsafe extern "C-unwind" fn decode_array_with_array_mt(state: *mut lua_State) -> c_int {
    // SAFETY: this is one of `FUNCTIONS`, called by Lua, and owns nothing.
    let (stack, settings) = unsafe { begin(state, 1) };
    switch_option(stack, 1, &mut settings.array_mt);
    1
}
