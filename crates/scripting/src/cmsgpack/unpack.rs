//! `cmsgpack.unpack` and its kin.

use crate::key_cache::KeyCache;
use crate::lua_stack::{LuaStack, SLOTS_MAX, SpillVec};
use crate::patience::Patience;
use mlua::ffi::{self, lua_State};
use std::ffi::{CStr, c_int};

/// Where the functions find the keys that were read last.
const KEYS_UPVALUE: c_int = ffi::lua_upvalueindex(1);
const KEY_TEXTS_UPVALUE: c_int = ffi::lua_upvalueindex(2);

/// Open tables for which a C function has room without asking for it.
const SHALLOW: usize = 6;

/// What a declared length may make a new table reserve: lengths come from outside, and the elements may be missing.
const RESERVED_MAX: usize = 64;

pub(super) unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    unpack_stream(stack, 0, 0)
}

pub(super) unsafe extern "C-unwind" fn unpack_one(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    let offset = stack.opt_integer(2, 0);
    keep_first(stack);
    unpack_stream(stack, 1, offset)
}

pub(super) unsafe extern "C-unwind" fn unpack_limit(state: *mut lua_State) -> c_int {
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
    // SAFETY: this is one of cmsgpack's functions, and the closure keeps the userdata.
    let keys = unsafe { ffi::lua_touserdata(state, KEYS_UPVALUE) }.cast();
    let is_first = stack.top() <= 3;
    let mut unpacker = Unpacker { stack, keys, rest, open, open_arrays: 0, is_first, patience };
    let mut count = 0;
    while !unpacker.rest.is_empty() && i64::from(count) < limit {
        unpacker.run();
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

/// What is around a value: nothing, or a container that lacks elements. Its table is on the Lua stack, a map's last key
/// above it.
#[derive(Clone, Copy)]
enum Around {
    Nothing,
    Array {
        done: u32,
        len: u32,
    },
    /// The key of a map comes next, so many pairs before its end.
    Key {
        left: u32,
    },
    /// Its value comes next, and the key is known to be a string or not.
    Value {
        left: u32,
        of_text: bool,
    },
}

/// What was read and pushed.
enum Pushed {
    Text,
    Scalar,
    /// The table of a container that is not empty.
    Container(Around),
}

/// Leaves by raising where the input is no MessagePack.
struct Unpacker<'t> {
    stack: LuaStack,
    keys: *mut KeyCache,
    rest: &'t [u8],
    /// What is around the innermost container, from outside.
    open: SpillVec<Around, 16>,
    /// How many arrays are open.
    open_arrays: c_int,
    /// Whether nothing was unpacked before, and there are only the arguments that count.
    is_first: bool,
    patience: Patience,
}

impl Unpacker<'_> {
    /// Reads one value and pushes it. A loop, for the input may nest deeper than a thread's stack can follow.
    fn run(&mut self) {
        let mut around = Around::Nothing;
        loop {
            let pushed = self.value(matches!(around, Around::Key { .. }));
            if let Pushed::Container(opened) = pushed {
                self.open_arrays += c_int::from(matches!(opened, Around::Array { .. }));
                self.open.push(around);
                around = opened;
                continue;
            }
            let mut of_text = matches!(pushed, Pushed::Text);
            loop {
                match self.close_value(around, of_text) {
                    Some(next) => {
                        around = next;
                        break;
                    }
                    None if matches!(around, Around::Nothing) => return,
                    None => around = self.open.take_last().unwrap_or(Around::Nothing),
                }
                of_text = false;
            }
        }
    }

    /// Puts the value on top where it belongs. Returns what is around the next one, nothing if all around it is complete.
    #[inline(always)]
    fn close_value(&mut self, around: Around, of_text: bool) -> Option<Around> {
        match around {
            Around::Nothing => None,
            Around::Array { done, len } => {
                let done = done + 1;
                self.stack.raw_set_element(done as c_int);
                if done < len {
                    return Some(Around::Array { done, len });
                }
                self.open_arrays -= 1;
                None
            }
            Around::Key { left } => Some(Around::Value { left, of_text }),
            Around::Value { left, of_text } => {
                if !of_text {
                    self.check_key();
                }
                self.stack.raw_set();
                (left > 1).then_some(Around::Key { left: left - 1 })
            }
        }
    }

    /// Raises if the key below the value on top is none.
    #[inline(never)]
    fn check_key(&self) {
        match self.stack.kind(-2) {
            ffi::LUA_TNIL => self.stack.raise_bare(c"table index is nil"),
            ffi::LUA_TNUMBER if self.stack.number(-2).is_nan() => {
                self.stack.raise_bare(c"table index is NaN")
            }
            _ => {}
        }
    }

    /// Pushes the next scalar, or the table of the next container.
    #[inline(always)]
    fn value(&mut self, is_key: bool) -> Pushed {
        if self.rest.is_empty() {
            self.missing();
        }
        self.reserve(c"too many return values at once; use unpack_one or unpack_limit instead.");
        let [tag] = self.take();
        let stack = self.stack;
        self.patience.spend(stack, 1);
        match tag {
            0..=0x7f => stack.push_integer(i64::from(tag)),
            0xe0..=0xff => stack.push_integer(i64::from(tag as i8)),
            0x80..=0x8f => return self.open_map(u32::from(tag & 15)),
            0x90..=0x9f => return self.open_array(u32::from(tag & 15)),
            0xa0..=0xbf => return self.string(usize::from(tag & 31), is_key),
            0xc0 => stack.push_nil(),
            0xc2 | 0xc3 => stack.push_boolean(tag == 0xc3),
            0xca => stack.push_number(f64::from(f32::from_be_bytes(self.take()))),
            0xcb => stack.push_number(f64::from_be_bytes(self.take())),
            0xcc => stack.push_integer(i64::from(u8::from_be_bytes(self.take()))),
            0xcd => stack.push_integer(i64::from(u16::from_be_bytes(self.take()))),
            0xce => stack.push_integer(i64::from(u32::from_be_bytes(self.take()))),
            // Unsigned 64-bit numbers wrap: they are pushed as Lua's signed integer.
            0xcf | 0xd3 => stack.push_integer(i64::from_be_bytes(self.take())),
            0xd0 => stack.push_integer(i64::from(i8::from_be_bytes(self.take()))),
            0xd1 => stack.push_integer(i64::from(i16::from_be_bytes(self.take()))),
            0xd2 => stack.push_integer(i64::from(i32::from_be_bytes(self.take()))),
            0xd9 => {
                let [len] = self.take();
                return self.string(usize::from(len), is_key);
            }
            0xda => {
                let len = u16::from_be_bytes(self.take());
                return self.string(usize::from(len), is_key);
            }
            0xdb => {
                let len = u32::from_be_bytes(self.take());
                return self.string(len as usize, is_key);
            }
            0xdc => {
                let len = u16::from_be_bytes(self.take());
                return self.open_array(u32::from(len));
            }
            0xdd => {
                let len = u32::from_be_bytes(self.take());
                return self.open_array(len);
            }
            0xde => {
                let len = u16::from_be_bytes(self.take());
                return self.open_map(u32::from(len));
            }
            0xdf => {
                let len = u32::from_be_bytes(self.take());
                return self.open_map(len);
            }
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => self.stack.raise(c"Bad data format in input."),
        }
        Pushed::Scalar
    }

    #[inline]
    fn open_array(&mut self, len: u32) -> Pushed {
        self.stack.push_table(self.reserved(len), 0);
        self.reserve(c"in function mp_decode_to_lua_array");
        if len > 0 { Pushed::Container(Around::Array { done: 0, len }) } else { Pushed::Scalar }
    }

    #[inline]
    fn open_map(&mut self, len: u32) -> Pushed {
        self.stack.push_table(0, self.reserved(len));
        if len > 0 { Pushed::Container(Around::Key { left: len }) } else { Pushed::Scalar }
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

    #[inline(always)]
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else { self.missing() };
        self.rest = rest;
        *bytes
    }

    #[inline]
    fn string(&mut self, len: usize, is_key: bool) -> Pushed {
        let Some((text, rest)) = self.rest.split_at_checked(len) else { self.missing() };
        if is_key {
            // SAFETY: the cache and the table are those of the state, and there is room for a key and its value.
            unsafe { KeyCache::push(self.keys, self.stack, KEY_TEXTS_UPVALUE, text) };
        } else {
            self.stack.push_bytes(text);
        }
        self.rest = rest;
        Pushed::Text
    }

    #[cold]
    #[inline(never)]
    fn missing(&self) -> ! {
        self.stack.raise(c"Missing bytes in input.")
    }
}
