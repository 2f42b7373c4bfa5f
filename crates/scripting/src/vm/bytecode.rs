//! What compiled scripts are changed in, and what is learnt from them.
//!
//! Lua 5.1 keeps the frame of a function that ends in `return redis.call(...)`, since what it calls is written in C;
//! LuaJIT gives the frame up, and with it the line of whatever goes wrong. So tail calls of the library's functions,
//! and only those (see [`aliases`](super::aliases)), become calls whose results are returned. That is done in the form in which LuaJIT itself dumps and
//! loads functions. Numbers of instructions are learnt from it by compiling samples: should another version of LuaJIT
//! look different, scripts stay as they are.

use super::aliases::{Load, Nest};
use crate::lua::Lua;
use mlua::ffi::{self, lua_State};
use std::ffi::{CStr, c_int, c_void};

/// The numbers of the instructions that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opcodes {
    pub(super) get_global: u8,
    pub(super) set_global: u8,
    pub(super) get_field: u8,
    pub(super) get_upvalue: u8,
    pub(super) move_slot: u8,
    pub(super) new_function: u8,
    pub(super) call: u8,
    call_results: u8,
    pub(super) tail_call: u8,
    pub(super) tail_call_results: u8,
    return_results: u8,
    pub(super) return_nothing: u8,
    pub(super) close_upvalues: u8,
    pub(super) jump: u8,
}

/// A compiled script in the dumped form.
pub(super) struct Rewritten {
    /// The function, to be loaded again.
    pub(super) code: Vec<u8>,
    /// Whether any of its functions assigns to a global variable.
    pub(super) sets_globals: bool,
}

/// One instruction: the number, A, and C and B or together D.
pub(super) type Instruction = [u8; 4];

/// How far a call's first argument is above its function.
const FIRST_ARGUMENT: u8 = 2;

impl Opcodes {
    /// Learns the numbers from what the compiler makes of samples.
    pub(super) fn learn(lua: &mut Lua) -> Option<Self> {
        let [get_upvalue, ..] = sample(lua, "local a return function() return a() end")?.first()?[..] else {
            return None;
        };
        let mut sample = |text| sample(lua, text)?.pop();
        let [get_global, get_field, _, tail_call] = sample("return a.b(c)")?[..] else { return None };
        let [_, _, _, _, tail_call_results] = sample("return a.b(c())")?[..] else { return None };
        // A function that makes others closes their upvalues before it returns.
        let [_, _, new_function, close_upvalues, _] = sample("return a.b(function() end)")?[..] else {
            return None;
        };
        let [_, _, call, return_results] = sample("return 1, a()")?[..] else { return None };
        let [_, _, _, _, call_results, _] = sample("return 1, a(b())")?[..] else { return None };
        let [_, _, _, jump, _] = sample("while true do a() end")?[..] else { return None };
        let [_, set_global, return_nothing] = sample("a = 1")?[..] else { return None };
        let [_, move_slot, get_method, _] = sample("local a return a:b()")?[..] else { return None };
        let all = [
            get_global,
            set_global,
            get_field,
            get_upvalue,
            move_slot,
            new_function,
            call,
            call_results,
            tail_call,
            tail_call_results,
            return_results,
            return_nothing,
            close_upvalues,
            jump,
        ];
        let distinct = (1..all.len()).all(|at| !all[..at].contains(&all[at]));
        (distinct && get_method == get_field).then_some(Self {
            get_global,
            set_global,
            get_field,
            get_upvalue,
            move_slot,
            new_function,
            call,
            call_results,
            tail_call,
            tail_call_results,
            return_results,
            return_nothing,
            close_upvalues,
            jump,
        })
    }

    /// Changes the function on top of the stack so that errors can be told their lines. Returns whether it may set a
    /// global. Raises nothing.
    ///
    /// # Safety
    /// A function is on top of the stack, which has room for one more.
    pub(super) unsafe fn replace(&self, state: *mut lua_State, name: &CStr) -> bool {
        let Some(Rewritten { code, sets_globals }) = self.rewrite(state) else { return true };
        // SAFETY: the caller's promise; loading is protected by Lua itself.
        unsafe {
            if ffi::luaL_loadbuffer(state, code.as_ptr().cast(), code.len(), name.as_ptr()) == ffi::LUA_OK {
                ffi::lua_replace(state, -2);
                sets_globals
            } else {
                ffi::lua_pop(state, 1);
                true
            }
        }
    }

    /// Rewrites the function on top of the stack, or `None` if it is not understood.
    fn rewrite(&self, state: *mut lua_State) -> Option<Rewritten> {
        let code = dump(state)?;
        let mut reader = Reader::new(&code);
        let mut out = reader.header()?.to_vec();
        let mut sets_globals = false;
        let mut functions = Vec::new();
        while let Some(function) = reader.function()? {
            sets_globals |= function.instructions().any(|instruction| instruction[0] == self.set_global);
            functions.push(function);
        }
        let nest = Nest::new(self, functions)?;
        for index in 0..nest.functions.len() {
            self.rewrite_function(&nest, index, &mut out)?;
        }
        out.push(0);
        Some(Rewritten { code: out, sets_globals })
    }

    fn rewrite_function(&self, nest: &Nest<'_>, index: usize, out: &mut Vec<u8>) -> Option<()> {
        let function = &nest.functions[index];
        let mut code: Vec<Instruction> = function.instructions().collect();
        let mut appended_lines = Vec::new();
        for at in 0..function.count {
            let Some(load) = nest.library_tail_call(index, at) else { continue };
            let start = code.len();
            let [number, a, argument, high] = code[at];
            // What names the function stands before the call, as the messages of errors look for it there.
            match load {
                Load::Again(load) => code.extend_from_within(load),
                Load::Method(constant) => {
                    let object = a.wrapping_add(FIRST_ARGUMENT);
                    code.push([self.move_slot, a, object, 0]);
                    code.push([self.move_slot, object, a, 0]);
                    code.push([self.get_field, a, constant, a]);
                }
            }
            let distance = code.len() - (at + 1);
            if high != 0 || distance >= 0x7FFF {
                code.truncate(start);
                continue;
            }
            let call = if number == self.tail_call { self.call } else { self.call_results };
            code.push([call, a, argument, 0]);
            code.push([self.return_results, a, 0, 0]);
            let [low, high] = (distance as u16 + 0x8000).to_le_bytes();
            // A jump keeps the slots below its A alive: all of the frame.
            code[at] = [self.jump, function.frame_size, low, high];
            appended_lines.extend(std::iter::repeat_n(at, code.len() - start));
        }
        function.write(&code, &appended_lines, out)
    }
}

/// The numbers of the instructions of all functions of a text: those inside of a function come before it.
fn sample(lua: &mut Lua, text: &str) -> Option<Vec<Vec<u8>>> {
    lua.compile(text.as_bytes()).ok()?;
    let code = dump(lua.state());
    // SAFETY: the function that was just compiled.
    unsafe { ffi::lua_pop(lua.state(), 1) };
    let code = code?;
    let mut reader = Reader::new(&code);
    reader.header()?;
    let mut functions = Vec::new();
    while let Some(function) = reader.function()? {
        functions.push(function.instructions().map(|instruction| instruction[0]).collect());
    }
    Some(functions)
}

/// One function in the dumped form.
pub(super) struct Function<'a> {
    /// Flags, parameters, frame and upvalues, a byte each.
    head: &'a [u8],
    frame_size: u8,
    constants: [u32; 2],
    count: usize,
    first_line: u32,
    lines: u32,
    code: &'a [u8],
    /// Upvalues and constants.
    data: &'a [u8],
    debug: &'a [u8],
}

impl<'a> Function<'a> {
    /// The constants, without the upvalues before them.
    pub(super) fn constant_data(&self) -> Option<&'a [u8]> {
        let upvalues = usize::from(*self.head.get(3)?);
        self.data.get(2 * upvalues..)
    }

    /// How many of the constants are objects, which come first.
    pub(super) const fn object_count(&self) -> u32 {
        self.constants[0]
    }

    /// The line of an instruction, from 1.
    pub(super) fn line(&self, at: usize) -> Option<u32> {
        let width = self.line_width();
        let bytes = self.debug.get(at * width..(at + 1) * width)?;
        let mut number = [0; 4];
        number[..width].copy_from_slice(bytes);
        Some(self.first_line + u32::from_le_bytes(number))
    }

    /// Which variable of the function around each upvalue is.
    pub(super) fn upvalues(&self) -> impl Iterator<Item = u16> {
        let bytes = self.data.get(..2 * usize::from(self.head[3])).unwrap_or_default();
        bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
    }

    /// The instructions between which each local variable is alive, in the order in which they are declared.
    pub(super) fn variables(&self) -> Option<Vec<(usize, usize)>> {
        /// Names below this byte are those of the compiler's own variables; 0 ends the list.
        const NAMED: u8 = 7;
        let mut debug = Reader::new(self.debug);
        debug.take(self.count * self.line_width())?;
        for _ in 0..self.head[3] {
            debug.text()?;
        }
        let mut variables = Vec::new();
        let mut start = 0;
        loop {
            match *debug.take(1)?.first()? {
                0 => return Some(variables),
                1..NAMED => {}
                _ => debug.text()?,
            }
            start += debug.number()? as usize;
            let end = start + debug.number()? as usize;
            // They are counted with the function's header, which is no instruction of the dumped form.
            variables.push((start.saturating_sub(1), end.saturating_sub(1)));
        }
    }

    pub(super) fn instructions(&self) -> impl Iterator<Item = Instruction> {
        self.code.chunks_exact(4).map(|bytes| [bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    /// Bytes of an instruction's line in the debug information.
    const fn line_width(&self) -> usize {
        match self.lines {
            0..256 => 1,
            256..65536 => 2,
            _ => 4,
        }
    }

    /// Appends the function with other code, whose instructions after the old ones have the lines of these.
    fn write(&self, code: &[Instruction], appended_lines: &[usize], out: &mut Vec<u8>) -> Option<()> {
        let width = self.line_width();
        let (lines, names) = self.debug.split_at_checked(self.count * width)?;
        let mut body = self.head.to_vec();
        uleb128(self.constants[0], &mut body);
        uleb128(self.constants[1], &mut body);
        uleb128(u32::try_from(code.len()).ok()?, &mut body);
        uleb128(u32::try_from(self.debug.len() + appended_lines.len() * width).ok()?, &mut body);
        uleb128(self.first_line, &mut body);
        uleb128(self.lines, &mut body);
        body.extend(code.iter().flatten());
        body.extend_from_slice(self.data);
        body.extend_from_slice(lines);
        for &at in appended_lines {
            body.extend_from_slice(&lines[at * width..(at + 1) * width]);
        }
        body.extend_from_slice(names);
        uleb128(u32::try_from(body.len()).ok()?, out);
        out.extend_from_slice(&body);
        Some(())
    }
}

fn uleb128(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads the dumped form.
pub(super) struct Reader<'a> {
    code: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(code: &'a [u8]) -> Self {
        Self { code, at: 0 }
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let taken = self.code.get(self.at..self.at.checked_add(len)?)?;
        self.at += len;
        Some(taken)
    }

    /// Passes over a text that ends with a zero byte.
    fn text(&mut self) -> Option<()> {
        while *self.take(1)?.first()? != 0 {}
        Some(())
    }

    pub(super) fn number(&mut self) -> Option<u32> {
        let (mut value, mut shift) = (0u32, 0);
        loop {
            let byte = *self.take(1)?.first()?;
            value |= u32::from(byte & 0x7F).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
            shift += 7;
        }
    }

    /// The header: of version 2, with debug information, in this machine's order of bytes.
    pub(super) fn header(&mut self) -> Option<&'a [u8]> {
        const BIG_ENDIAN_OR_STRIPPED: u32 = 3;
        if self.take(4)? != b"\x1bLJ\x02" || self.number()? & BIG_ENDIAN_OR_STRIPPED != 0 {
            return None;
        }
        let len = self.number()?;
        self.take(len as usize)?;
        self.code.get(..self.at)
    }

    /// The next function, `Some(None)` after the last.
    pub(super) fn function(&mut self) -> Option<Option<Function<'a>>> {
        let len = self.number()? as usize;
        if len == 0 {
            return Some(None);
        }
        let mut body = Reader::new(self.take(len)?);
        let head = body.take(4)?;
        let constants = [body.number()?, body.number()?];
        let count = body.number()? as usize;
        let debug_len = body.number()? as usize;
        if debug_len == 0 {
            return None;
        }
        let (first_line, lines) = (body.number()?, body.number()?);
        let code = body.take(count.checked_mul(4)?)?;
        let rest = &body.code[body.at..];
        let (data, debug) = rest.split_at_checked(rest.len().checked_sub(debug_len)?)?;
        Some(Some(Function {
            head,
            frame_size: head[2],
            constants,
            count,
            first_line,
            lines,
            code,
            data,
            debug,
        }))
    }
}

/// The function on top of the stack in the dumped form.
pub(super) fn dump(state: *mut lua_State) -> Option<Vec<u8>> {
    let mut code = Vec::<u8>::new();
    // SAFETY: a function is on top; dumping is protected by Lua itself, and `append` gets the buffer it is given.
    let status = unsafe { ffi::lua_dump_(state, append, (&raw mut code).cast()) };
    (status == 0).then_some(code)
}

unsafe extern "C-unwind" fn append(
    _state: *mut lua_State,
    bytes: *const c_void,
    len: usize,
    code: *mut c_void,
) -> c_int {
    // SAFETY: called by `dump` with its buffer.
    unsafe { (*code.cast::<Vec<u8>>()).extend_from_slice(std::slice::from_raw_parts(bytes.cast(), len)) };
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops(text: &str) -> (Vec<u8>, bool, Opcodes) {
        let mut lua = Lua::new().unwrap();
        let opcodes = Opcodes::learn(&mut lua).expect("LuaJIT's bytecode is as expected");
        lua.compile(text.as_bytes()).unwrap();
        let rewritten = opcodes.rewrite(lua.state()).unwrap();
        let mut reader = Reader::new(&rewritten.code);
        reader.header().unwrap();
        let mut all = Vec::new();
        while let Some(function) = reader.function().unwrap() {
            all.extend(function.instructions().map(|instruction| instruction[0]));
        }
        // SAFETY: what was rewritten is loaded and nothing runs.
        let status = unsafe {
            ffi::luaL_loadbuffer(
                lua.state(),
                rewritten.code.as_ptr().cast(),
                rewritten.code.len(),
                c"@user_script".as_ptr(),
            )
        };
        assert_eq!(status, ffi::LUA_OK, "{text}");
        (all, rewritten.sets_globals, opcodes)
    }

    #[test]
    fn tail_calls_of_the_library_become_calls() {
        for text in [
            "return redis.call('get', KEYS[1])",
            "return tonumber(x)",
            "return f(g(1))",
            "return a.b(c.d())",
            "local call = redis.call return call('get', KEYS[1])",
            "local x, call, y = 1, redis.call, 2 return call(x, y)",
            "local r = redis return r.call('get', KEYS[1])",
            "local call = redis.call local again = call return again('get')",
            "local call = redis.call local function get(key) return call('get', key) end get('a')",
            "local r = redis local f = function() return function(key) return r.call('get', key) end end",
            "local next = coroutine.wrap(f) next() return next()",
            "local s = 'x' return s:rep({})",
            "return ('x'):format(1)",
            "local s = 'x' return s:rep(f())",
        ] {
            let (ops, _, known) = ops(text);
            assert!(!ops.contains(&known.tail_call) && !ops.contains(&known.tail_call_results), "{text}");
            assert!(ops.contains(&known.jump), "{text}");
        }
    }

    #[test]
    fn tail_calls_of_scripts_stay() {
        for text in [
            "local function f(n) return f(n) end",
            "local t = {} return t.x(1)",
            "local t = {} return t:x(1)",
            "local call = redis.call call = function() end return call('get')",
            "local call = redis.call local function f(n) return f(n) end f(call)",
            "do local call = redis.call call('x') end local function f() return f() end f()",
            "local call = redis.call local function set() call = set end set() local g = function() return call() end",
            "local function f(call) return call() end",
        ] {
            let (ops, _, known) = ops(text);
            assert!(ops.contains(&known.tail_call) && !ops.contains(&known.jump), "{text}");
        }
    }

    #[test]
    fn assignments_to_globals_are_seen_anywhere() {
        assert!(ops("x = 1").1);
        assert!(ops("local function f() return function() x = 1 end end").1);
        assert!(!ops("local x = 1; x = 2; y.z = 3; return x").1);
    }

    #[test]
    fn long_functions_keep_their_lines() {
        let text = format!("{}return error('here')", "local x = 1\n".repeat(150));
        ops(&text);
        let text = format!("{}return error('here')", "\n".repeat(300));
        ops(&text);
        let text = format!("{}return error('here')", "\n".repeat(70_000));
        ops(&text);
    }
}
