//! `cjson.encode`.

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};

use super::{ARRAY_MT_UPVALUE, InvalidNumbers, Settings, direct, scan, settings};
use crate::lua_stack::{LuaStack, SpillVec, c_int_of};
use crate::patience::Patience;

/// Why a value has no JSON form.
enum EncodeError {
    /// A value of this type cannot be written.
    Value { kind: c_int, reason: &'static CStr },
    /// Tables are nested deeper than the setting or the Lua stack allows.
    TooDeep(c_int),
}

impl EncodeError {
    fn raise(self, stack: LuaStack) -> ! {
        let state = stack.state();
        // SAFETY: each format takes what is passed, and no frame on the way owns anything.
        unsafe {
            match self {
                Self::Value { kind, reason } => {
                    let name = ffi::lua_typename(state, kind);
                    ffi::luaL_error(state, c"Cannot serialise %s: %s".as_ptr(), name, reason.as_ptr());
                }
                Self::TooDeep(depth) => {
                    ffi::luaL_error(state, c"Cannot serialise, excessive nesting (%d)".as_ptr(), depth);
                }
            }
        }
        unreachable!("luaL_error does not return")
    }
}

pub(super) unsafe extern "C-unwind" fn encode(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    if stack.top() != 1 {
        stack.raise_argument(1, c"expected 1 argument");
    }
    // SAFETY: this is one of cjson's functions. The copy is for finalizers that change settings in the middle.
    let settings = *unsafe { settings(stack) };
    if direct::push(stack, &settings) {
        return 1;
    }
    let (out, open, patience) = (SpillVec::new(stack), SpillVec::new(stack), Patience::new());
    let mut encoder = Encoder { stack, settings, out, open, patience };
    stack.push_copy(1);
    match encoder.run() {
        Ok(()) => {
            stack.push_bytes(encoder.out.as_slice());
            1
        }
        Err(error) => error.raise(stack),
    }
}

/// A table whose end is not written yet. It is on the Lua stack, an object's last key above it.
#[derive(Clone, Copy)]
enum Open {
    /// Both in elements counted from 1; `len` fits an int.
    Array {
        next: i64,
        len: i64,
    },
    Object {
        empty: bool,
    },
}

struct Encoder {
    stack: LuaStack,
    settings: Settings,
    out: SpillVec<u8, 1024>,
    open: SpillVec<Open, 16>,
    patience: Patience,
}

impl Encoder {
    /// Writes the value on top of the stack and pops it. A loop, for a script may nest tables deeper than a
    /// thread's stack can follow.
    fn run(&mut self) -> Result<(), EncodeError> {
        loop {
            self.value()?;
            if !self.advance()? {
                return Ok(());
            }
        }
    }

    /// Writes the scalar on top and pops it, or opens the table on top.
    fn value(&mut self) -> Result<(), EncodeError> {
        if self.scalar()? {
            self.stack.pop(1);
            return Ok(());
        }
        let kind = self.stack.kind(-1);
        match kind {
            ffi::LUA_TTABLE => return self.open_table(),
            ffi::LUA_TNIL => self.out.extend(b"null"),
            ffi::LUA_TLIGHTUSERDATA if self.is_null() => self.out.extend(b"null"),
            _ => return Err(EncodeError::Value { kind, reason: c"type not supported" }),
        }
        self.stack.pop(1);
        Ok(())
    }

    /// Goes to the next value of the innermost open table, which it leaves on top, and closes the tables that have
    /// none. False when all is written.
    fn advance(&mut self) -> Result<bool, EncodeError> {
        loop {
            let Some(innermost) = self.open.last_mut() else { return Ok(false) };
            match innermost {
                Open::Array { next, len } => {
                    let position = *next;
                    if position <= *len {
                        *next += 1;
                        if position > 1 {
                            self.out.push(b',');
                        }
                        self.stack.raw_get_element(position as c_int);
                        return Ok(true);
                    }
                    self.out.push(b']');
                }
                Open::Object { empty } => {
                    if self.stack.next() {
                        let first = std::mem::replace(empty, false);
                        if !first {
                            self.out.push(b',');
                        }
                        self.key()?;
                        return Ok(true);
                    }
                    self.out.push(b'}');
                }
            }
            self.open.pop();
            self.stack.pop(1);
        }
    }

    fn open_table(&mut self) -> Result<(), EncodeError> {
        let depth = self.open.len() as c_int + 1;
        if depth > self.settings.encode_max_depth || !self.stack.reserve(3) {
            return Err(EncodeError::TooDeep(depth));
        }
        self.patience.spend_table(self.stack);
        if self.scalars()? {
            self.stack.pop(1);
            return Ok(());
        }
        let marked = self.is_marked_array();
        let len = if marked { self.marked_len() } else { self.array_len()? };
        if len > 0 || marked {
            self.out.push(b'[');
            self.open.push(Open::Array { next: 1, len: i64::from(len) });
        } else {
            self.out.push(b'{');
            self.stack.push_nil();
            self.open.push(Open::Object { empty: true });
        }
        Ok(())
    }

    /// Writes the table on top if it is an array of strings, numbers and booleans without holes, in one walk; writes
    /// nothing if it turns out to be none.
    fn scalars(&mut self) -> Result<bool, EncodeError> {
        let (start, len) = (self.out.len(), self.stack.raw_len(-1));
        if len == 0 {
            return Ok(false);
        }
        let mut found = 0;
        self.stack.push_nil();
        while self.stack.next() {
            self.out.push(if found == 0 { b'[' } else { b',' });
            found += 1;
            let in_order = self.stack.kind(-2) == ffi::LUA_TNUMBER && self.stack.number(-2) == found as f64;
            if !in_order || !self.scalar()? {
                self.stack.pop(2);
                self.out.truncate(start);
                return Ok(false);
            }
            self.stack.pop(1);
        }
        if found != len {
            self.out.truncate(start);
            return Ok(false);
        }
        self.out.push(b']');
        Ok(true)
    }

    /// Writes the value on top if it is a string, a number or a boolean, and leaves it there.
    fn scalar(&mut self) -> Result<bool, EncodeError> {
        self.patience.spend(self.stack, 1);
        match self.stack.kind(-1) {
            ffi::LUA_TSTRING => self.string(-1),
            ffi::LUA_TNUMBER => self.number(self.stack.number(-1))?,
            ffi::LUA_TBOOLEAN if self.stack.boolean(-1) => self.out.extend(b"true"),
            ffi::LUA_TBOOLEAN => self.out.extend(b"false"),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether the table on top was decoded as an array under `decode_array_with_array_mt`.
    fn is_marked_array(&self) -> bool {
        let state = self.stack.state();
        // SAFETY: a table is on top, `open_table` reserved slots, and the upvalue exists.
        unsafe {
            if ffi::lua_getmetatable(state, -1) == 0 {
                return false;
            }
            let marked = ffi::lua_rawequal(state, -1, ARRAY_MT_UPVALUE) != 0;
            ffi::lua_pop(state, 1);
            marked
        }
    }

    fn marked_len(&self) -> c_int {
        c_int::try_from(self.stack.raw_len(-1)).unwrap_or(c_int::MAX)
    }

    /// The largest key of the table on top if all are positive integers, else -1. Raises no error for a sparse
    /// array that is to become an object: that is -1 as well.
    fn array_len(&self) -> Result<c_int, EncodeError> {
        let (mut max, mut items): (c_int, c_int) = (0, 0);
        self.stack.push_nil();
        while self.stack.next() {
            let key = if self.stack.kind(-2) == ffi::LUA_TNUMBER { self.stack.number(-2) } else { 0.0 };
            if key < 1.0 || key.floor() != key {
                self.stack.pop(2);
                return Ok(-1);
            }
            if key > f64::from(max) {
                max = c_int_of(key);
            }
            items += 1;
            self.stack.pop(1);
        }
        let settings = &self.settings;
        let sparse = settings.sparse_ratio > 0
            && max > items.wrapping_mul(settings.sparse_ratio)
            && max > settings.sparse_safe;
        match sparse {
            false => Ok(max),
            true if settings.sparse_convert => Ok(-1),
            true => Err(EncodeError::Value { kind: ffi::LUA_TTABLE, reason: c"excessively sparse array" }),
        }
    }

    fn is_null(&self) -> bool {
        // SAFETY: a value is on top.
        unsafe { ffi::lua_touserdata(self.stack.state(), -1).is_null() }
    }

    /// Writes the key below the value on top.
    fn key(&mut self) -> Result<(), EncodeError> {
        let kind = self.stack.kind(-2);
        match kind {
            ffi::LUA_TNUMBER => {
                self.out.push(b'"');
                self.number(self.stack.number(-2))?;
                self.out.extend(b"\":");
            }
            ffi::LUA_TSTRING => {
                self.string(-2);
                self.out.push(b':');
            }
            _ => {
                let reason = c"table key must be a number or string";
                return Err(EncodeError::Value { kind, reason });
            }
        }
        Ok(())
    }

    fn string(&mut self, index: c_int) {
        // SAFETY: the caller saw a string there, and it stays until it is written.
        let text = unsafe { self.stack.bytes(index) };
        self.patience.spend_bytes(self.stack, text.len());
        let (plain, mut special) = text.split_at(scan::unescaped_len(text));
        self.out.extend_with([b'"'], plain);
        while let Some((&byte, after)) = special.split_first() {
            match ESCAPES[usize::from(byte)] {
                b'u' => {
                    let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
                    self.out.extend(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
                }
                letter => self.out.extend(&[b'\\', letter]),
            }
            let (plain, rest) = after.split_at(scan::unescaped_len(after));
            self.out.extend(plain);
            special = rest;
        }
        self.out.push(b'"');
    }

    fn number(&mut self, value: f64) -> Result<(), EncodeError> {
        if !value.is_finite() {
            match self.settings.encode_invalid_numbers {
                InvalidNumbers::Error => {
                    let reason = c"must not be NaN or Inf";
                    return Err(EncodeError::Value { kind: ffi::LUA_TNUMBER, reason });
                }
                InvalidNumbers::Print if value.is_nan() => self.out.extend(b"nan"),
                InvalidNumbers::Print if value > 0.0 => self.out.extend(b"inf"),
                InvalidNumbers::Print => self.out.extend(b"-inf"),
                InvalidNumbers::Null => self.out.extend(b"null"),
            }
            return Ok(());
        }
        let precision = self.settings.number_precision;
        let integer = value as i64;
        let whole = integer as f64 == value && (integer != 0 || value.is_sign_positive());
        if whole && precision == 14 && integer.unsigned_abs() < 100_000_000_000_000 {
            let mut digits = itoa::Buffer::new();
            self.out.extend(digits.format(integer).as_bytes());
            return Ok(());
        }
        let mut text = [0_u8; 32];
        // SAFETY: the text has its size, and the format takes an int and a double.
        let len = unsafe {
            libc::snprintf(text.as_mut_ptr().cast(), text.len(), c"%.*g".as_ptr(), precision, value)
        };
        let len = usize::try_from(len).unwrap_or(0).min(text.len() - 1);
        self.out.extend(&text[..len]);
        Ok(())
    }
}

/// The letter after the backslash for each byte that is escaped, `u` standing for the `\u00XX` form.
pub(super) const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 32 {
        table[byte] = b'u';
        byte += 1;
    }
    table[127] = b'u';
    table[8] = b'b';
    table[9] = b't';
    table[10] = b'n';
    table[12] = b'f';
    table[13] = b'r';
    table[b'"' as usize] = b'"';
    table[b'/' as usize] = b'/';
    table[b'\\' as usize] = b'\\';
    table
};
