//! `cmsgpack`: MessagePack for scripts, byte for byte what Redis 7.0.15 makes of it.

mod direct;
mod form;

use form::Head;
use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};

use crate::lua_stack::{LuaStack, SLOTS_MAX, SpillVec, c_int_of, push_library, set_text};
use crate::luajit_tables;
use crate::patience::Patience;

/// Tables nested deeper than this are packed as nil, so that cycles end.
const NESTING_MAX: c_int = 16;

/// Open tables for which a C function has room without asking for it.
const SHALLOW: usize = 6;

/// What a declared length may make a new table reserve: lengths come from outside, and the elements may be missing.
const RESERVED_MAX: usize = 64;

const FUNCTIONS: &[(&CStr, ffi::lua_CFunction)] =
    &[(c"pack", pack), (c"unpack", unpack), (c"unpack_one", unpack_one), (c"unpack_limit", unpack_limit)];

/// Pushes the `cmsgpack` table. Raises a Lua error when memory runs out.
///
/// # Safety
/// `state` is a live Lua state with ten free slots on its stack, and no value with a destructor is alive in a frame
/// between this call and the protected call around it.
pub unsafe fn open_cmsgpack(state: *mut lua_State) {
    // SAFETY: the caller's promises.
    unsafe {
        luajit_tables::readable(state);
        push_library(state, FUNCTIONS, 0);
        set_text(state, c"_NAME", c"cmsgpack");
        set_text(state, c"_VERSION", c"lua-cmsgpack 0.4.0");
        set_text(state, c"_COPYRIGHT", c"Copyright (C) 2012, Salvatore Sanfilippo");
        set_text(state, c"_DESCRIPTION", c"MessagePack C implementation for Lua");
    }
}

unsafe extern "C-unwind" fn pack(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    let args = stack.top();
    if args == 1 && direct::push(stack) {
        return 1;
    }
    if args == 0 {
        stack.raise_argument(0, c"MessagePack pack needs input.");
    }
    if !stack.reserve(args) {
        stack.raise_argument(0, c"Too many arguments for MessagePack pack.");
    }
    let mut packer = Packer { stack, out: SpillVec::new(stack), patience: Patience::new() };
    for arg in 1..=args {
        if !stack.reserve(1) {
            stack.raise_stack_overflow(c"in function mp_check");
        }
        stack.push_copy(arg);
        packer.value(0);
    }
    stack.push_bytes(packer.out.as_slice());
    1
}

struct Packer {
    stack: LuaStack,
    out: SpillVec<u8, 1024>,
    patience: Patience,
}

impl Packer {
    /// Packs the value on top of the stack and pops it.
    fn value(&mut self, level: c_int) {
        if !self.scalar(-1) {
            if self.stack.kind(-1) == ffi::LUA_TTABLE && level < NESTING_MAX {
                self.table(level);
            } else {
                self.out.push(0xc0);
            }
        }
        self.stack.pop(1);
    }

    /// Packs a string, a boolean or a number; nothing else.
    #[inline]
    fn scalar(&mut self, index: c_int) -> bool {
        self.patience.spend(self.stack, 1);
        match self.stack.kind(index) {
            ffi::LUA_TSTRING => {
                // SAFETY: a string is there, and it stays until it is written.
                let text = unsafe { self.stack.bytes(index) };
                self.string(text);
            }
            ffi::LUA_TBOOLEAN => self.out.push(if self.stack.boolean(index) { 0xc3 } else { 0xc2 }),
            ffi::LUA_TNUMBER => self.head(Head::of_number(self.stack.number(index))),
            _ => return false,
        }
        true
    }

    fn string(&mut self, text: &[u8]) {
        self.patience.spend_bytes(self.stack, text.len());
        self.head(Head::of_string(text.len()));
        self.out.extend(text);
    }

    fn head(&mut self, head: Head) {
        self.out.extend(head.as_slice());
    }

    fn table(&mut self, level: c_int) {
        if !self.stack.reserve(3) {
            self.stack.raise_stack_overflow(c"in function table_is_an_array");
        }
        self.patience.spend_table(self.stack);
        if self.scalars() {
            return;
        }
        if self.is_array() { self.array(level) } else { self.map(level) }
    }

    /// Packs the table on top if it is an array of scalars, in one walk; writes nothing if it turns out to be none.
    fn scalars(&mut self) -> bool {
        let (start, len) = (self.out.len(), self.stack.raw_len(-1));
        if len == 0 {
            return false;
        }
        self.head(Head::of_array(len));
        let mut found = 0;
        self.stack.push_nil();
        while self.stack.next() {
            found += 1;
            let in_order = self.stack.kind(-2) == ffi::LUA_TNUMBER && self.stack.number(-2) == found as f64;
            if !in_order || !self.scalar(-1) {
                self.stack.pop(2);
                self.out.truncate(start);
                return false;
            }
            self.stack.pop(1);
        }
        if found != len {
            self.out.truncate(start);
        }
        found == len
    }

    /// Whether the keys of the table on top are exactly 1 to n.
    fn is_array(&self) -> bool {
        let (mut count, mut max): (c_int, f64) = (0, 0.0);
        self.stack.push_nil();
        while self.stack.next() {
            self.stack.pop(1);
            let key = if self.stack.kind(-1) == ffi::LUA_TNUMBER { self.stack.number(-1) } else { 0.0 };
            if key <= 0.0 || f64::from(c_int_of(key)) != key {
                self.stack.pop(1);
                return false;
            }
            max = max.max(key);
            count += 1;
        }
        max == f64::from(count)
    }

    fn array(&mut self, level: c_int) {
        let len = self.stack.raw_len(-1);
        self.head(Head::of_array(len));
        for position in 1..=len {
            self.stack.raw_get_element(position as c_int);
            self.value(level + 1);
        }
    }

    fn map(&mut self, level: c_int) {
        // Most have few pairs, whose number takes one byte.
        let start = self.out.len();
        self.out.push(0);
        let mut count = 0;
        self.stack.push_nil();
        while self.stack.next() {
            if !self.scalar(-2) {
                self.stack.push_copy(-2);
                self.value(level + 1);
            }
            self.value(level + 1);
            count += 1;
        }
        let end = self.out.len();
        self.head(Head::of_map(count));
        self.out.move_last(end, start);
    }
}

unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    unpack_stream(stack, 0, 0)
}

unsafe extern "C-unwind" fn unpack_one(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    let offset = stack.opt_integer(2, 0);
    keep_first(stack);
    unpack_stream(stack, 1, offset)
}

unsafe extern "C-unwind" fn unpack_limit(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    let limit = stack.check_integer(2);
    let offset = stack.opt_integer(3, 0);
    keep_first(stack);
    unpack_stream(stack, limit, offset)
}

/// Drops all arguments but the first.
fn keep_first(stack: LuaStack) {
    let more = stack.top() - 1;
    if more > 0 {
        stack.pop(more);
    }
}

/// Pushes up to `limit` values of the string in argument 1 from `offset` on, and returns how many results there are.
/// With neither, all values; otherwise the offset of the next one, -1 at the end, comes before them.
fn unpack_stream(stack: LuaStack, limit: i64, offset: i64) -> c_int {
    // SAFETY: the argument stays in its slot.
    let text = unsafe { stack.check_bytes(1) };
    let state = stack.state();
    let Some(start) = usize::try_from(offset).ok().filter(|_| limit >= 0) else {
        let format = c"Invalid request to unpack with offset of %d and limit of %d.".as_ptr();
        // SAFETY: the format takes two ints, and no frame on the way owns anything. The second is the length of
        // the input: so the message always was.
        unsafe { ffi::luaL_error(state, format, offset as c_int, text.len() as c_int) };
        unreachable!("luaL_error does not return")
    };
    if start > text.len() {
        let format = c"Start offset %d greater than input length %d.".as_ptr();
        // SAFETY: the format takes two ints, and no frame on the way owns anything.
        unsafe { ffi::luaL_error(state, format, start as c_int, text.len() as c_int) };
    }
    let all = limit == 0 && offset == 0;
    let limit = if all { i64::from(c_int::MAX) } else { limit };
    let open = SpillVec::inserting_at(stack, stack.top() + 1);
    let (rest, patience) = (&text[start..], Patience::new());
    let mut unpacker = Unpacker { stack, rest, open, open_arrays: 0, is_first: stack.top() <= 3, patience };
    let mut count = 0;
    while !unpacker.rest.is_empty() && i64::from(count) < limit {
        if let Err(error) = unpacker.run() {
            error.raise(stack);
        }
        unpacker.is_first = false;
        count += 1;
    }
    if all {
        return count;
    }
    unpacker.reserve(c"in function mp_unpack_full");
    let left = unpacker.rest.len();
    stack.push_integer(if left == 0 { -1 } else { (text.len() - left) as i64 });
    // SAFETY: `count` results are below the number that was just pushed.
    unsafe { ffi::lua_insert(state, -count - 1) };
    count + 1
}

enum UnpackError {
    Missing,
    BadFormat,
    NilKey,
    NanKey,
}

impl UnpackError {
    fn raise(self, stack: LuaStack) -> ! {
        match self {
            Self::Missing => stack.raise(c"Missing bytes in input."),
            Self::BadFormat => stack.raise(c"Bad data format in input."),
            Self::NilKey => stack.raise_bare(c"table index is nil"),
            Self::NanKey => stack.raise_bare(c"table index is NaN"),
        }
    }
}

/// A container that lacks elements. Its table is on the Lua stack, a map's last key above it.
#[derive(Clone, Copy)]
enum Open {
    Array { done: u32, len: u32 },
    Map { key_read: bool, left: u32 },
}

struct Unpacker<'t> {
    stack: LuaStack,
    rest: &'t [u8],
    open: SpillVec<Open, 16>,
    /// How many of `open` are arrays.
    open_arrays: c_int,
    /// Whether nothing was unpacked before, and there are only the arguments that count.
    is_first: bool,
    patience: Patience,
}

impl Unpacker<'_> {
    /// Reads one value and pushes it. A loop, for the input may nest deeper than a thread's stack can follow.
    fn run(&mut self) -> Result<(), UnpackError> {
        loop {
            if let Some(opened) = self.value()? {
                self.open_arrays += c_int::from(matches!(opened, Open::Array { .. }));
                self.open.push(opened);
            } else if self.close_value()? {
                return Ok(());
            }
        }
    }

    /// Pushes the next scalar, or the table of the next container; returns the latter if it has elements.
    fn value(&mut self) -> Result<Option<Open>, UnpackError> {
        if self.rest.is_empty() {
            return Err(UnpackError::Missing);
        }
        self.reserve(c"too many return values at once; use unpack_one or unpack_limit instead.");
        let [tag] = self.take()?;
        let stack = self.stack;
        self.patience.spend(stack, 1);
        match tag {
            0..=0x7f => stack.push_integer(i64::from(tag)),
            0xe0..=0xff => stack.push_integer(i64::from(tag as i8)),
            0x80..=0x8f => return Ok(self.open_map(u32::from(tag & 15))),
            0x90..=0x9f => return Ok(self.open_array(u32::from(tag & 15))),
            0xa0..=0xbf => self.string(usize::from(tag & 31))?,
            0xc0 => stack.push_nil(),
            0xc2 | 0xc3 => stack.push_boolean(tag == 0xc3),
            0xca => stack.push_number(f64::from(f32::from_be_bytes(self.take()?))),
            0xcb => stack.push_number(f64::from_be_bytes(self.take()?)),
            0xcc => stack.push_integer(i64::from(u8::from_be_bytes(self.take()?))),
            0xcd => stack.push_integer(i64::from(u16::from_be_bytes(self.take()?))),
            0xce => stack.push_integer(i64::from(u32::from_be_bytes(self.take()?))),
            // Unsigned 64-bit numbers wrap: they are pushed as Lua's signed integer.
            0xcf | 0xd3 => stack.push_integer(i64::from_be_bytes(self.take()?)),
            0xd0 => stack.push_integer(i64::from(i8::from_be_bytes(self.take()?))),
            0xd1 => stack.push_integer(i64::from(i16::from_be_bytes(self.take()?))),
            0xd2 => stack.push_integer(i64::from(i32::from_be_bytes(self.take()?))),
            0xd9 => {
                let [len] = self.take()?;
                self.string(usize::from(len))?;
            }
            0xda => {
                let len = u16::from_be_bytes(self.take()?);
                self.string(usize::from(len))?;
            }
            0xdb => {
                let len = u32::from_be_bytes(self.take()?);
                self.string(len as usize)?;
            }
            0xdc => {
                let len = u16::from_be_bytes(self.take()?);
                return Ok(self.open_array(u32::from(len)));
            }
            0xdd => {
                let len = u32::from_be_bytes(self.take()?);
                return Ok(self.open_array(len));
            }
            0xde => {
                let len = u16::from_be_bytes(self.take()?);
                return Ok(self.open_map(u32::from(len)));
            }
            0xdf => {
                let len = u32::from_be_bytes(self.take()?);
                return Ok(self.open_map(len));
            }
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => return Err(UnpackError::BadFormat),
        }
        Ok(None)
    }

    /// Puts the value on top into its container, and so on with each container that is complete. True when the
    /// outermost value is.
    fn close_value(&mut self) -> Result<bool, UnpackError> {
        loop {
            let Some(innermost) = self.open.last_mut() else { return Ok(true) };
            let complete = match innermost {
                Open::Array { done, len } => {
                    *done += 1;
                    self.stack.raw_set_element(*done as c_int);
                    self.open_arrays -= c_int::from(done == len);
                    done == len
                }
                Open::Map { key_read: read @ false, .. } => {
                    *read = true;
                    false
                }
                Open::Map { key_read, left } => {
                    match self.stack.kind(-2) {
                        ffi::LUA_TNIL => return Err(UnpackError::NilKey),
                        ffi::LUA_TNUMBER if self.stack.number(-2).is_nan() => {
                            return Err(UnpackError::NanKey);
                        }
                        _ => self.stack.raw_set(),
                    }
                    *key_read = false;
                    *left -= 1;
                    *left == 0
                }
            };
            if !complete {
                return Ok(false);
            }
            self.open.pop();
        }
    }

    fn open_array(&mut self, len: u32) -> Option<Open> {
        self.stack.push_table(self.reserved(len), 0);
        self.reserve(c"in function mp_decode_to_lua_array");
        (len > 0).then_some(Open::Array { done: 0, len })
    }

    fn open_map(&mut self, len: u32) -> Option<Open> {
        self.stack.push_table(0, self.reserved(len));
        (len > 0).then_some(Open::Map { key_read: false, left: len })
    }

    /// How many elements a table of a declared length reserves: no more than there can be.
    fn reserved(&self, len: u32) -> c_int {
        (len as usize).min(self.rest.len()).min(RESERVED_MAX) as c_int
    }

    /// Makes room for one more value, or raises the stack overflow that names `place`. The limit counts a slot for
    /// the index of each open array, which Redis keeps on the stack, so that both give up at the same depth.
    #[inline]
    fn reserve(&self, place: &'static CStr) {
        // A function has 20 slots: at first there is room for the argument, and a table and a key of each open one.
        if !(self.is_first && self.open.len() <= SHALLOW) {
            self.reserve_deep(place);
        }
    }

    fn reserve_deep(&self, place: &'static CStr) {
        let own = c_int::from(self.open.is_spilled());
        if self.stack.top() - own + self.open_arrays + 1 > SLOTS_MAX || !self.stack.reserve(1) {
            self.stack.raise_stack_overflow(place);
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], UnpackError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(UnpackError::Missing)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn string(&mut self, len: usize) -> Result<(), UnpackError> {
        let (text, rest) = self.rest.split_at_checked(len).ok_or(UnpackError::Missing)?;
        self.stack.push_bytes(text);
        self.rest = rest;
        Ok(())
    }
}
