//! `struct`: C-like records for scripts, byte for byte what Redis 7.0.15 makes of them, sizes checked.

use std::ffi::{CStr, c_int};

use mlua::ffi::{self, lua_State};

use crate::lua_stack::{LuaStack, SpillVec, c_long, c_unsigned_long, push_library};

/// The largest integer that `in` and `In` take, in bytes.
const INTEGER_SIZE_MAX: usize = 32;

/// What `!` without a number aligns to.
const NATIVE_ALIGNMENT: usize = 8;

const FUNCTIONS: &[(&CStr, ffi::lua_CFunction)] = &[(c"pack", pack), (c"unpack", unpack), (c"size", size)];

/// Pushes the `struct` table. Raises a Lua error when memory runs out.
///
/// # Safety
/// `state` is a live Lua state with ten free slots on its stack, and no value with a destructor is alive in a frame
/// between this call and the protected call around it.
pub unsafe fn open_struct(state: *mut lua_State) {
    // SAFETY: the caller's promises.
    unsafe { push_library(state, FUNCTIONS, 0) }
}

/// A format string as it is read, with the options set so far.
struct Format<'f> {
    stack: LuaStack,
    rest: &'f [u8],
    big_endian: bool,
    alignment: usize,
}

/// One letter of a format. For letters that are no data, `size` is 0.
struct Item {
    letter: u8,
    size: usize,
}

impl Format<'_> {
    /// The format in argument 1.
    fn new(stack: LuaStack) -> Self {
        // SAFETY: the argument stays in its slot.
        let text = unsafe { stack.check_bytes(1) };
        let rest = text.split(|&byte| byte == 0).next().unwrap_or(text);
        Self { stack, rest, big_endian: false, alignment: 1 }
    }

    /// The next letter with its size. `control` has to follow for those that are no data.
    fn next(&mut self) -> Option<Item> {
        let (&letter, rest) = self.rest.split_first()?;
        self.rest = rest;
        let size = match letter {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.digits(1),
            b'i' | b'I' => self.integer_size(),
            _ => 0,
        };
        Some(Item { letter, size })
    }

    fn integer_size(&mut self) -> usize {
        let size = self.digits(4);
        if size > INTEGER_SIZE_MAX {
            let format = c"integral size %d is larger than limit of %d".as_ptr();
            // SAFETY: the format takes two ints, and no frame on the way owns anything.
            unsafe {
                ffi::luaL_error(self.stack.state(), format, size as c_int, INTEGER_SIZE_MAX as c_int);
            }
        }
        size
    }

    /// The number that follows, at most the largest int.
    fn digits(&mut self, default: usize) -> usize {
        let mut number = None::<c_int>;
        while let Some((&digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            let digit = c_int::from(digit - b'0');
            number = number.unwrap_or(0).checked_mul(10).and_then(|tens| tens.checked_add(digit));
            if number.is_none() {
                self.stack.raise(c"integral size overflow");
            }
            self.rest = rest;
        }
        number.map_or(default, |number| number as usize)
    }

    /// How many bytes of padding `item` needs at an offset.
    fn padding(&self, offset: usize, item: &Item) -> usize {
        if item.size == 0 || item.letter == b'c' {
            return 0;
        }
        // For a size that is no power of two this is no alignment, but it is what Redis computes.
        let unit = item.size.min(self.alignment);
        unit.wrapping_sub(offset & (unit - 1)) & (unit - 1)
    }

    /// Takes the letters that set options, and raises an error for unknown ones.
    fn control(&mut self, letter: u8) {
        match letter {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let alignment = self.digits(NATIVE_ALIGNMENT);
                if !alignment.is_power_of_two() {
                    let format = c"alignment %d is not a power of 2".as_ptr();
                    // SAFETY: the format takes an int, and no frame on the way owns anything.
                    unsafe { ffi::luaL_error(self.stack.state(), format, alignment as c_int) };
                }
                self.alignment = alignment;
            }
            _ => {
                let format = c"invalid format option '%c'".as_ptr();
                // SAFETY: the format takes an int, the text lives on the Lua stack, no frame owns anything.
                unsafe {
                    let message = ffi::lua_pushfstring(self.stack.state(), format, c_int::from(letter));
                    self.stack.raise_argument(1, CStr::from_ptr(message));
                }
            }
        }
    }
}

unsafe extern "C-unwind" fn pack(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    let mut format = Format::new(stack);
    // A missing argument reads as this nil.
    stack.push_nil();
    let mut out = SpillVec::<u8, 512>::new(stack);
    let mut arg = 2;
    while let Some(item) = format.next() {
        for _ in 0..format.padding(out.len(), &item) {
            out.push(0);
        }
        match item.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = packed_integer(stack.check_number(arg));
                arg += 1;
                push_integer(&mut out, value, item.size, format.big_endian);
            }
            b'x' => out.push(0),
            b'f' => {
                let value = stack.check_number(arg) as f32;
                arg += 1;
                out.extend(&if format.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
            }
            b'd' => {
                let value = stack.check_number(arg);
                arg += 1;
                out.extend(&if format.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
            }
            b'c' | b's' => {
                // SAFETY: the argument stays in its slot.
                let text = unsafe { stack.check_bytes(arg) };
                arg += 1;
                let size = if item.size == 0 { text.len() } else { item.size };
                let Some(text) = text.get(..size) else {
                    stack.raise_argument(arg, c"string too short");
                };
                out.extend(text);
                if item.letter == b's' {
                    out.push(0);
                }
            }
            letter => format.control(letter),
        }
    }
    stack.push_bytes(out.as_slice());
    1
}

/// The 64 bits of a number, converted as C converts on x86-64.
fn packed_integer(value: f64) -> u64 {
    if value < 0.0 { c_long(value) as u64 } else { c_unsigned_long(value) }
}

/// Appends the low `size` bytes of a value, zeros beyond its eight.
fn push_integer(out: &mut SpillVec<u8, 512>, value: u64, size: usize, big_endian: bool) {
    let mut bytes = [0; INTEGER_SIZE_MAX];
    bytes[..8].copy_from_slice(&value.to_le_bytes());
    let bytes = &mut bytes[..size];
    if big_endian {
        bytes.reverse();
    }
    out.extend(bytes);
}

unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    let mut format = Format::new(stack);
    // SAFETY: the argument stays in its slot.
    let data = unsafe { stack.check_bytes(2) };
    let start = stack.opt_integer(3, 1);
    if start == 0 {
        stack.raise_argument(3, c"offset must be 1 or greater");
    }
    // A negative start is a huge one, which the first item finds to be beyond the data.
    let mut position = (start as usize).wrapping_sub(1);
    let mut results = 0;
    while let Some(item) = format.next() {
        position = position.wrapping_add(format.padding(position, &item));
        let mut text = field(stack, data, position, item.size);
        if !stack.reserve(2) {
            stack.raise_stack_overflow(c"too many results");
        }
        if let Some(value) = number(item.letter, text, format.big_endian) {
            stack.push_number(value);
            results += 1;
            position += text.len();
            continue;
        }
        results += match item.letter {
            b'c' if item.size == 0 => {
                // The string takes the place of its length.
                let size = previous_size(stack, results);
                stack.pop(1);
                text = field(stack, data, position, size);
                stack.push_bytes(text);
                0
            }
            b'c' => {
                stack.push_bytes(text);
                1
            }
            b's' => {
                let rest = &data[position..];
                let Some(len) = rest.iter().position(|&byte| byte == 0) else {
                    stack.raise(c"unfinished string in data");
                };
                stack.push_bytes(&rest[..len]);
                text = &rest[..=len];
                1
            }
            b'x' => 0,
            letter => {
                format.control(letter);
                0
            }
        };
        position += text.len();
    }
    stack.push_number((position as i64).wrapping_add(1) as f64);
    results + 1
}

/// The value of a field that holds a number; nothing for other letters.
fn number(letter: u8, bytes: &[u8], big_endian: bool) -> Option<f64> {
    Some(match letter {
        b'b' | b'h' | b'l' | b'i' => signed(bytes, big_endian),
        b'B' | b'H' | b'L' | b'T' | b'I' => unsigned(bytes, big_endian) as f64,
        b'f' => f64::from(f32::from_bits(unsigned(bytes, big_endian) as u32)),
        b'd' => f64::from_bits(unsigned(bytes, big_endian)),
        _ => return None,
    })
}

/// The bytes of one field; raises when the data ends before.
fn field(stack: LuaStack, data: &[u8], position: usize, size: usize) -> &[u8] {
    let found = position.checked_add(size).and_then(|end| data.get(position..end));
    match found {
        Some(bytes) => bytes,
        None => stack.raise_argument(2, c"data string too short"),
    }
}

/// The size that `c0` takes from the result before it.
fn previous_size(stack: LuaStack, results: c_int) -> usize {
    // SAFETY: with a result there is a value on top.
    if results == 0 || unsafe { ffi::lua_isnumber(stack.state(), -1) } == 0 {
        stack.raise(c"format 'c0' needs a previous size");
    }
    c_unsigned_long(stack.number(-1)) as usize
}

/// The last eight bytes of an integer, counted from its most significant one.
fn unsigned(bytes: &[u8], big_endian: bool) -> u64 {
    let append = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
    if big_endian { bytes.iter().fold(0, append) } else { bytes.iter().rev().fold(0, append) }
}

fn signed(bytes: &[u8], big_endian: bool) -> f64 {
    let mut value = unsigned(bytes, big_endian);
    // Beyond eight bytes, and for none, the shift wraps as it does on x86-64.
    let mask = u64::MAX.wrapping_shl((bytes.len() as u32).wrapping_mul(8).wrapping_sub(1));
    if value & mask != 0 {
        value |= mask;
    }
    value as i64 as f64
}

unsafe extern "C-unwind" fn size(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this with its running state; neither this frame nor those below own anything.
    let stack = unsafe { LuaStack::new(state) };
    let mut format = Format::new(stack);
    let mut position = 0_usize;
    while let Some(item) = format.next() {
        position = position.wrapping_add(format.padding(position, &item));
        match item.letter {
            b's' => stack.raise_argument(1, c"option 's' has no fixed size"),
            b'c' if item.size == 0 => stack.raise_argument(1, c"option 'c0' has no fixed size"),
            // Unknown letters are ignored here, unlike in `pack` and `unpack`.
            letter if letter.is_ascii_alphanumeric() => {}
            letter => format.control(letter),
        }
        position = position.wrapping_add(item.size);
    }
    stack.push_integer(position as i64);
    1
}
