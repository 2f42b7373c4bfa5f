//! The functions that scripts get: the `redis` library and what replaces functions of Lua's own.

use super::bridge::Bridge;
use super::call::{self, Outcome};
use super::register;
use super::{debugger, errors, sort, strings, to_lua};
use crate::lua;
use crate::lua_stack::{LuaStack, c_int_of};
use crate::sha::Sha;
use mlua::ffi::{self, lua_State};
use moonshard_engine::Args;
use moonshard_engine::command::CommandTable;
use moonshard_protocol::Encoding;
use std::ffi::{CStr, c_char, c_int, c_void};

/// The version of Redis whose behaviour scripts find.
const REDIS_VERSION: &CStr = c"7.0.15";
const REDIS_VERSION_NUM: f64 = 0x0007_000f as f64;

type Functions = &'static [(&'static CStr, ffi::lua_CFunction)];

/// The functions that push replies of commands.
const CALLS: Functions = &[(c"call", call::call), (c"pcall", call::pcall)];

const REDIS: Functions = &[
    (c"log", log),
    (c"setresp", setresp),
    (c"sha1hex", sha1hex),
    (c"error_reply", error_reply),
    (c"status_reply", status_reply),
    (c"set_repl", set_repl),
    (c"acl_check_cmd", acl_check_cmd),
    (c"breakpoint", debugger::breakpoint),
    (c"debug", debugger::debug),
    (c"replicate_commands", replicate_commands),
];

const CONSTANTS: &[(&CStr, f64)] = &[
    (c"LOG_DEBUG", 0.0),
    (c"LOG_VERBOSE", 1.0),
    (c"LOG_NOTICE", 2.0),
    (c"LOG_WARNING", 3.0),
    (c"REPL_NONE", 0.0),
    (c"REPL_AOF", 1.0),
    (c"REPL_SLAVE", 2.0),
    (c"REPL_REPLICA", 2.0),
    (c"REPL_ALL", 3.0),
    (c"REDIS_VERSION_NUM", REDIS_VERSION_NUM),
];

const NATIVES: Functions = &[
    (c"assert_message", assert_message),
    (c"number_text", number_text),
    (c"check_stack", check_stack),
    (c"error_handler", errors::handler),
    (c"gc_touched", gc_touched),
    (c"killed", killed),
    (c"load", load),
    (c"loadstring", loadstring),
    (c"nonexistent", nonexistent),
    (c"random", random),
    (c"randomseed", randomseed),
    (c"readonly", readonly),
    (c"readonly_bare", readonly_bare),
    (c"register_function", register::register_function),
    (c"setn", setn),
    (c"sort", sort::sort),
    (c"insert", sort::insert),
    (c"value_expected", value_expected),
];

/// Pushes a table of functions that have the bridge as their upvalue.
///
/// # Safety
/// `state` runs in protected mode, with four slots free; the bridge outlives it.
unsafe fn push_functions(state: *mut lua_State, functions: Functions, bridge: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe {
        ffi::lua_createtable(state, 0, 24);
        for (name, function) in functions {
            ffi::lua_pushlightuserdata(state, bridge);
            ffi::lua_pushcclosure(state, *function, 1);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
    }
}

/// Pushes what the sandbox is made with.
///
/// # Safety
/// As `push_functions`.
pub(super) unsafe fn push_natives(state: *mut lua_State, bridge: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe {
        push_functions(state, NATIVES, bridge);
        push_functions(state, strings::FUNCTIONS, bridge);
        ffi::lua_setfield(state, -2, c"string".as_ptr());
        push_functions(state, strings::CHECKS, bridge);
        ffi::lua_setfield(state, -2, c"patterns".as_ptr());
    }
}

/// Pushes the `redis` library.
///
/// # Safety
/// As `push_functions`.
pub(super) unsafe fn push_redis(state: *mut lua_State, bridge: *mut c_void) {
    // SAFETY: the caller's promise.
    unsafe {
        push_functions(state, REDIS, bridge);
        for (name, function) in CALLS {
            ffi::lua_pushlightuserdata(state, bridge);
            let upvalues = 1 + to_lua::push_upvalues(state);
            ffi::lua_pushcclosure(state, *function, upvalues);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        for (name, value) in CONSTANTS {
            ffi::lua_pushnumber(state, *value);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        ffi::lua_pushliteral(state, REDIS_VERSION);
        ffi::lua_setfield(state, -2, c"REDIS_VERSION".as_ptr());
    }
}

/// Sets KEYS and ARGV and calls the script. Upvalues: the bridge, the globals, and the two names.
pub(super) unsafe extern "C-unwind" fn start(state: *mut lua_State) -> c_int {
    // SAFETY: called by `Ready::run` in protected mode, whose arguments outlive the call. Nothing has a destructor.
    unsafe {
        let start = Bridge::of(state).start;
        set_array(state, 3, &*start.keys);
        set_array(state, 4, &*start.argv);
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, start.function);
        ffi::lua_call(state, 0, 1);
        1
    }
}

/// Calls a function with its keys and arguments. Upvalue: the bridge.
pub(super) unsafe extern "C-unwind" fn start_function(state: *mut lua_State) -> c_int {
    // SAFETY: as in `start`.
    unsafe {
        let start = Bridge::of(state).start;
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, start.function);
        push_array(state, &*start.keys);
        push_array(state, &*start.argv);
        ffi::lua_call(state, 2, 1);
        1
    }
}

#[inline]
unsafe fn set_array(state: *mut lua_State, name: c_int, values: &[&[u8]]) {
    // SAFETY: called by `start`.
    unsafe {
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(name));
        push_array(state, values);
        ffi::lua_rawset(state, ffi::lua_upvalueindex(2));
    }
}

#[inline]
unsafe fn push_array(state: *mut lua_State, values: &[&[u8]]) {
    // SAFETY: called by `start` and `start_function`.
    unsafe {
        ffi::lua_createtable(state, values.len() as c_int, 0);
        for (index, value) in (1..).zip(values) {
            ffi::lua_pushlstring_(state, value.as_ptr().cast(), value.len());
            ffi::lua_rawseti_(state, -2, index);
        }
    }
}

unsafe extern "C-unwind" fn log(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; what has a destructor is gone before anything raises.
    unsafe {
        let count = ffi::lua_gettop(state);
        if count < 2 {
            errors::raise(state, "ERR redis.log() requires two arguments or more.");
        }
        if ffi::lua_isnumber(state, 1) == 0 {
            errors::raise(state, "ERR First argument must be a number (log level).");
        }
        let level = c_int_of(ffi::lua_tonumber(state, 1));
        if !(0..=3).contains(&level) {
            errors::raise(state, "ERR Invalid debug level.");
        }
        // Numbers become strings in Lua first, since that may raise.
        for index in 2..=count {
            if ffi::lua_isstring(state, index) != 0 {
                ffi::lua_tolstring(state, index, std::ptr::null_mut());
            }
        }
        let strings = (2..=count).filter(|&index| ffi::lua_type(state, index) == ffi::LUA_TSTRING);
        write_log(level, strings.map(|index| LuaStack::new(state).bytes(index)));
        0
    }
}

fn write_log<'a>(level: c_int, parts: impl Iterator<Item = &'a [u8]>) {
    let text = parts.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    match level {
        0 => tracing::trace!(target: "script", "{text}"),
        1 => tracing::debug!(target: "script", "{text}"),
        2 => tracing::info!(target: "script", "{text}"),
        _ => tracing::warn!(target: "script", "{text}"),
    }
}

unsafe extern "C-unwind" fn setresp(state: *mut lua_State) -> c_int {
    // SAFETY: a C function of the running script; nothing has a destructor.
    unsafe {
        let bridge = Bridge::of(state);
        let Some(cx) = bridge.cx() else {
            errors::raise(state, "ERR redis.setresp can only be called inside a script invocation")
        };
        if ffi::lua_gettop(state) != 1 {
            errors::raise(state, "ERR redis.setresp() requires one argument.");
        }
        match c_int_of(ffi::lua_tonumber(state, 1)) {
            2 => {
                bridge.resp3 = false;
                cx.reply.set_encoding(Encoding::Tape2);
            }
            3 => {
                bridge.resp3 = true;
                cx.reply.set_encoding(Encoding::Tape3);
            }
            _ => errors::raise(state, "ERR RESP version must be 2 or 3."),
        }
        0
    }
}

unsafe extern "C-unwind" fn sha1hex(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            errors::raise(state, "ERR wrong number of arguments");
        }
        let bytes = if ffi::lua_isstring(state, 1) != 0 { LuaStack::new(state).bytes(1) } else { b"" };
        let sha = Sha::of(bytes);
        ffi::lua_pushlstring_(state, sha.as_bytes().as_ptr().cast(), sha.as_bytes().len());
        1
    }
}

/// The one string that a function takes; otherwise an error is pushed, which it returns.
unsafe fn one_string<'a>(state: *mut lua_State) -> Option<&'a [u8]> {
    // SAFETY: called by C functions; the string stays in its slot.
    unsafe {
        if ffi::lua_gettop(state) != 1 || ffi::lua_type(state, 1) != ffi::LUA_TSTRING {
            errors::push(state, b"ERR wrong number or type of arguments");
            return None;
        }
        Some(LuaStack::new(state).bytes(1))
    }
}

unsafe extern "C-unwind" fn error_reply(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        let Some(text) = one_string(state) else { return 1 };
        let text = errors::c_string(text);
        let text = text.strip_prefix(b"-").unwrap_or(text);
        debugger::note_reply(text);
        ffi::lua_createtable(state, 0, 1);
        match memchr::memchr(b' ', text) {
            Some(space) => {
                push_bytes(state, &text[..=space]);
                push_bytes(state, trimmed(&text[space + 1..]));
            }
            None => {
                ffi::lua_pushliteral(state, c"ERR ");
                push_bytes(state, trimmed(text));
            }
        }
        ffi::lua_concat(state, 2);
        ffi::lua_setfield(state, -2, c"err".as_ptr());
        1
    }
}

unsafe fn push_bytes(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: called by C functions with room on the stack; Lua copies the bytes.
    unsafe { ffi::lua_pushlstring_(state, bytes.as_ptr().cast(), bytes.len()) }
}

/// A text without line ends before and after it.
fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] | [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    text
}

unsafe extern "C-unwind" fn status_reply(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        if one_string(state).is_some() {
            ffi::lua_createtable(state, 0, 1);
            ffi::lua_pushvalue(state, 1);
            ffi::lua_setfield(state, -2, c"ok".as_ptr());
        }
        1
    }
}

unsafe extern "C-unwind" fn set_repl(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            errors::raise(state, "ERR redis.set_repl() requires two arguments.");
        }
        /// The bit for the log. That for replicas decides nothing: there are none.
        const LOG: c_int = 1;
        let targets = c_int_of(ffi::lua_tonumber(state, 1));
        if targets & !3 != 0 {
            errors::raise(
                state,
                "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
            );
        }
        Bridge::of(state).keep_back(targets & LOG == 0);
        0
    }
}

unsafe extern "C-unwind" fn acl_check_cmd(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; the arguments are borrowed only while nothing raises.
    unsafe {
        let bridge = Bridge::of(state);
        let outcome = bridge.borrow_args(state);
        let args = Args::new(&bridge.args);
        let entry = (outcome == Outcome::Reply).then(|| CommandTable::get().find(args)).flatten();
        let access = bridge.cx().and_then(|cx| cx.access);
        let allowed = entry.map(|entry| access.is_none_or(|access| access.user.check(entry, args).is_ok()));
        bridge.drop_args();
        match outcome {
            Outcome::Empty => {
                errors::raise(state, "ERR Please specify at least one argument for this redis lib call")
            }
            Outcome::WrongType => {
                errors::raise(state, "ERR Lua redis lib command arguments must be strings or integers")
            }
            _ => match allowed {
                None => errors::raise(state, "ERR Invalid command passed to redis.acl_check_cmd()"),
                Some(allowed) => ffi::lua_pushboolean(state, c_int::from(allowed)),
            },
        }
        1
    }
}

unsafe extern "C-unwind" fn replicate_commands(state: *mut lua_State) -> c_int {
    // SAFETY: a C function.
    unsafe { ffi::lua_pushboolean(state, 1) };
    1
}

unsafe extern "C-unwind" fn gc_touched(state: *mut lua_State) -> c_int {
    // SAFETY: a C function with the bridge as its upvalue.
    unsafe { Bridge::of(state).touch_gc() };
    0
}

unsafe extern "C-unwind" fn killed(state: *mut lua_State) -> c_int {
    // SAFETY: a C function with the bridge as its upvalue.
    unsafe {
        let killed = Bridge::of(state).control.is_killed();
        ffi::lua_pushboolean(state, c_int::from(killed));
    }
    1
}

unsafe extern "C-unwind" fn loadstring(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        let text = LuaStack::new(state).check_bytes(1);
        let name = if ffi::lua_type(state, 2) <= ffi::LUA_TNIL {
            ffi::lua_tolstring(state, 1, std::ptr::null_mut())
        } else {
            LuaStack::new(state).check_bytes(2).as_ptr().cast::<c_char>()
        };
        loaded(state, text, name)
    }
}

/// Compiles for a script, and says so if it cannot be done.
unsafe fn loaded(state: *mut lua_State, text: &[u8], name: *const c_char) -> c_int {
    // SAFETY: called by C functions with Lua's strings, which end with a NUL.
    unsafe {
        let name = CStr::from_ptr(name);
        if lua::load_text(state, text, name) == ffi::LUA_OK {
            if let Some(opcodes) = Bridge::of(state).opcodes {
                opcodes.replace(state, name);
            }
            return 1;
        }
        ffi::lua_pushnil(state);
        ffi::lua_insert(state, -2);
        2
    }
}

unsafe extern "C-unwind" fn load(state: *mut lua_State) -> c_int {
    const PIECES_MAX: c_int = 64;
    // SAFETY: a C function; nothing has a destructor. The stack holds the reader, the name and the pieces.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TFUNCTION);
        let name = if ffi::lua_type(state, 2) <= ffi::LUA_TNIL {
            c"=(load)".as_ptr()
        } else {
            LuaStack::new(state).check_bytes(2).as_ptr().cast::<c_char>()
        };
        ffi::lua_settop(state, 2);
        ffi::luaL_checkstack(state, PIECES_MAX + 4, c"too many nested functions".as_ptr());
        ffi::lua_pushliteral(state, c"");
        loop {
            ffi::lua_pushvalue(state, 1);
            if ffi::lua_pcall(state, 0, 1, 0) != ffi::LUA_OK {
                ffi::lua_pushnil(state);
                ffi::lua_insert(state, -2);
                return 2;
            }
            match ffi::lua_type(state, -1) {
                ffi::LUA_TNIL => break,
                ffi::LUA_TSTRING | ffi::LUA_TNUMBER if LuaStack::new(state).bytes(-1).is_empty() => break,
                ffi::LUA_TSTRING | ffi::LUA_TNUMBER => {}
                _ => {
                    ffi::lua_pushnil(state);
                    ffi::lua_pushliteral(state, c"reader function must return a string");
                    return 2;
                }
            }
            if ffi::lua_gettop(state) > PIECES_MAX {
                ffi::lua_concat(state, ffi::lua_gettop(state) - 2);
            }
        }
        ffi::lua_pop(state, 1);
        ffi::lua_concat(state, ffi::lua_gettop(state) - 2);
        let text = LuaStack::new(state).bytes(-1);
        loaded(state, text, name)
    }
}

unsafe extern "C-unwind" fn nonexistent(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        if ffi::lua_gettop(state) != 2 {
            ffi::luaL_error(state, c"Wrong number of arguments to luaProtectedTableError".as_ptr());
        }
        if ffi::lua_isstring(state, 2) == 0 {
            ffi::luaL_error(
                state,
                c"Second argument to luaProtectedTableError must be a string or number".as_ptr(),
            );
        }
        let name = ffi::lua_tolstring(state, 2, std::ptr::null_mut());
        ffi::luaL_error(state, c"Script attempted to access nonexistent global variable '%s'".as_ptr(), name)
    }
}

unsafe extern "C-unwind" fn readonly(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe { ffi::luaL_error(state, c"Attempt to modify a readonly table".as_ptr()) }
}

unsafe extern "C-unwind" fn readonly_bare(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        ffi::lua_pushliteral(state, c"Attempt to modify a readonly table");
        ffi::lua_error(state)
    }
}

/// `assert` of Lua 5.1 takes only a text for its message.
unsafe extern "C-unwind" fn assert_message(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe { ffi::luaL_checklstring(state, 2, std::ptr::null_mut()) };
    0
}

/// A number as C prints it. LuaJIT's own printing is off by one in the last digit of some very small and large ones.
unsafe extern "C-unwind" fn number_text(state: *mut lua_State) -> c_int {
    let mut text = [0_u8; 32];
    // SAFETY: a C function; nothing has a destructor. The text has its size, and the format takes a double.
    unsafe {
        let number = ffi::luaL_checknumber(state, 1);
        let len = libc::snprintf(text.as_mut_ptr().cast(), text.len(), c"%.14g".as_ptr(), number);
        let len = usize::try_from(len).unwrap_or(0).min(text.len() - 1);
        ffi::lua_pushlstring_(state, text.as_ptr().cast(), len);
    }
    1
}

/// Raises when calls from C to Lua and back have taken much of the thread's stack.
unsafe extern "C-unwind" fn check_stack(state: *mut lua_State) -> c_int {
    // SAFETY: a C function with the bridge as its upvalue; nothing has a destructor.
    unsafe {
        if Bridge::of(state).stack_is_deep() {
            ffi::luaL_error(state, c"C stack overflow".as_ptr());
        }
        0
    }
}

/// `xpcall` of Lua 5.1 looks at its second argument first.
unsafe extern "C-unwind" fn value_expected(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe { ffi::luaL_argerror(state, 2, c"value expected".as_ptr()) }
}

unsafe extern "C-unwind" fn setn(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        ffi::luaL_error(state, c"'setn' is obsolete".as_ptr())
    }
}

unsafe extern "C-unwind" fn random(state: *mut lua_State) -> c_int {
    // SAFETY: a C function with the bridge as its upvalue; nothing has a destructor.
    unsafe {
        let drawn = Bridge::of(state).random.next();
        let stack = LuaStack::new(state);
        let int = |arg| stack.check_integer(arg) as c_int;
        let value = match stack.top() {
            0 => drawn,
            1 => {
                let upper = int(1);
                if upper < 1 {
                    stack.raise_argument(1, c"interval is empty");
                }
                (drawn * f64::from(upper)).floor() + 1.0
            }
            2 => {
                let (lower, upper) = (int(1), int(2));
                if lower > upper {
                    stack.raise_argument(2, c"interval is empty");
                }
                // The width wraps as C's does.
                let width = upper.wrapping_sub(lower).wrapping_add(1);
                (drawn * f64::from(width)).floor() + f64::from(lower)
            }
            _ => stack.raise(c"wrong number of arguments"),
        };
        ffi::lua_pushnumber(state, value);
        1
    }
}

unsafe extern "C-unwind" fn randomseed(state: *mut lua_State) -> c_int {
    // SAFETY: a C function with the bridge as its upvalue; nothing has a destructor.
    unsafe {
        let seed = LuaStack::new(state).check_integer(1) as c_int;
        Bridge::of(state).random.seed(seed);
        0
    }
}
