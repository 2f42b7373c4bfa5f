//! `cmsgpack`: MessagePack for scripts, byte for byte what Redis 7.0.15 makes of it.

mod direct;
mod form;
mod unpack;

use form::Head;
use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};

use crate::key_cache;
use crate::lua_stack::{LuaStack, SpillVec, c_int_of, push_library, set_text};
use crate::luajit_tables;
use crate::patience::Patience;

/// Tables nested deeper than this are packed as nil, so that cycles end.
const NESTING_MAX: c_int = 16;

const FUNCTIONS: &[(&CStr, ffi::lua_CFunction)] = &[
    (c"pack", pack),
    (c"unpack", unpack::unpack),
    (c"unpack_one", unpack::unpack_one),
    (c"unpack_limit", unpack::unpack_limit),
];

/// Pushes the `cmsgpack` table. Raises a Lua error when memory runs out.
///
/// # Safety
/// `state` is a live Lua state with ten free slots on its stack, and no value with a destructor is alive in a frame
/// between this call and the protected call around it.
pub unsafe fn open_cmsgpack(state: *mut lua_State) {
    // SAFETY: the caller's promises.
    unsafe {
        luajit_tables::readable(state);
        ffi::luaL_checkstack(state, 12, c"no room for a library".as_ptr());
        key_cache::push_cache(state);
        push_library(state, FUNCTIONS, 2);
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
