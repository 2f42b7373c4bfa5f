//! What scripts return as replies.

use super::errors::c_string;
use super::interrupt;
use crate::lua_stack::{LuaStack, c_long};
use crate::luajit_tables::{self, Shape, Table, Value};
use mlua::ffi::{self, lua_State};
use moonshard_engine::Error;
use moonshard_protocol::Reply;
use std::ffi::{CStr, c_int};

/// A table whose elements are being written. They are on Lua's stack as Redis has them there, since the depth at
/// which it gives up depends on it; on Rust's stack there is nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Frame {
    /// The table is on top; the index of the element that comes next, and how many are left.
    Array { next: c_int, left: usize },
    /// The table of the map's fields and the last key are on top; a value comes next if its key was written.
    Map { value_next: bool },
    /// The table of the set's fields and the last key are on top.
    Set,
}

/// Room that Redis asks for at every value.
const SLOTS: c_int = 4;
/// Bytes of a reply: as many as a string may have. Tables that hold each other twice would be replies without end.
const BYTES_MAX: usize = 512 << 20;
/// Values between two looks at what is asked of the script.
const VALUES: u32 = 1 << 12;

/// Writes the value on top of the stack. `resp3` tells whether the script asked for RESP3: it decides on booleans.
///
/// # Errors
/// The error that the value is, that there would be no end to it, or that the script was killed.
pub(super) fn write(
    state: *mut lua_State,
    reply: &mut Reply,
    resp3: bool,
    frames: &mut Vec<Frame>,
) -> Result<(), Error> {
    frames.clear();
    let mark = reply.mark();
    let start = reply.as_bytes().len();
    let mut writer = Writer { state, stack: state, reply, resp3, left: VALUES };
    // SAFETY: the state is idle with the value on top. Nothing below raises: fields are read raw, their names are
    // strings that Lua has, and room is asked for before anything is pushed.
    unsafe {
        if writer.plain_array() {
            ffi::lua_pop(state, 1);
            return Ok(());
        }
        if let Some(line) = writer.error_line() {
            return Err(Error::bytes(line));
        }
        writer.value(frames);
        while let Some(frame) = frames.pop() {
            writer.go_on(frame, frames);
            writer.left = writer.left.saturating_sub(1);
            if writer.left == 0 {
                writer.left = VALUES;
                let too_large = writer.reply.as_bytes().len() - start > BYTES_MAX;
                let too_large = too_large.then_some(Error::fixed("ERR The reply of the script is too large"));
                if let Some(error) = interrupt::killed().or(too_large) {
                    writer.reply.rewind(mark);
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

struct Writer<'a> {
    state: *mut lua_State,
    stack: *mut lua_State,
    reply: &'a mut Reply,
    resp3: bool,
    /// Values until the next look.
    left: u32,
}

impl Writer<'_> {
    /// The line of the value on top, if that is an error.
    unsafe fn error_line(&self) -> Option<Vec<u8>> {
        // SAFETY: the promise of `write`.
        unsafe {
            if ffi::lua_type(self.state, -1) != ffi::LUA_TTABLE || ffi::lua_checkstack(self.state, SLOTS) == 0
            {
                return None;
            }
            let line = self.string_field(c"err").map(<[u8]>::to_vec);
            ffi::lua_pop(self.state, 1);
            line.map(|line| trimmed(c_string(&line)).to_vec())
        }
    }

    /// Pushes a field of the table on top.
    unsafe fn push_field(&self, name: &'static CStr) -> c_int {
        // SAFETY: the promise of `write`.
        unsafe {
            ffi::lua_pushliteral(self.state, name);
            ffi::lua_rawget_(self.state, -2);
            ffi::lua_type(self.state, -1)
        }
    }

    /// Pushes a field of the table on top and borrows it, if it is a string.
    unsafe fn string_field<'s>(&self, name: &'static CStr) -> Option<&'s [u8]> {
        // SAFETY: the promise of `write`; the string stays on the stack as long as the caller uses it.
        unsafe { (self.push_field(name) == ffi::LUA_TSTRING).then(|| LuaStack::new(self.stack).bytes(-1)) }
    }

    /// Writes the value on top and pops it, or leaves a frame that will.
    unsafe fn value(&mut self, frames: &mut Vec<Frame>) {
        // SAFETY: the promise of `write`.
        unsafe {
            if ffi::lua_checkstack(self.state, SLOTS) == 0 {
                self.reply.error(b"ERR reached lua stack limit");
                ffi::lua_pop(self.state, 1);
                return;
            }
            match ffi::lua_type(self.state, -1) {
                ffi::LUA_TSTRING => {
                    let text = LuaStack::new(self.stack).bytes(-1);
                    self.reply.bulk(text);
                }
                ffi::LUA_TNUMBER => self.reply.int(c_long(ffi::lua_tonumber(self.state, -1))),
                ffi::LUA_TBOOLEAN => self.boolean(ffi::lua_toboolean(self.state, -1) != 0),
                ffi::LUA_TTABLE => return self.table(frames),
                _ => self.reply.null(),
            }
            ffi::lua_pop(self.state, 1);
        }
    }

    fn boolean(&mut self, value: bool) {
        match (self.resp3, value) {
            (true, _) => self.reply.bool(value),
            (false, true) => self.reply.int(1),
            (false, false) => self.reply.null(),
        }
    }

    /// Writes the table on top, where it lies, if it has no fields and there is no table in it, which is how most are.
    /// Otherwise nothing is written.
    unsafe fn plain_array(&mut self) -> bool {
        if !luajit_tables::was_readable() {
            return false;
        }
        // SAFETY: the promise of `write`: nothing is asked of Lua until the elements were written.
        let Some(table) = (unsafe { Table::at(LuaStack::new(self.state), -1) }) else { return false };
        if table.places() > VALUES as usize {
            return false;
        }
        let elements = match table.shape() {
            Shape::Array(elements) => elements,
            Shape::Map(_, 0) => &[],
            _ => return false,
        };
        if elements.iter().any(|element| matches!(element.value(), Value::Table(_))) {
            return false;
        }
        self.left = self.left.saturating_sub(elements.len() as u32);
        self.reply.array(elements.len());
        for element in elements {
            match element.value() {
                Value::String(text) => self.reply.bulk(text),
                Value::Number(number) => self.reply.int(c_long(number)),
                Value::Boolean(value) => self.boolean(value),
                Value::Nil | Value::Other(_) | Value::Table(_) => self.reply.null(),
            }
        }
        true
    }

    /// Writes the table on top by its special fields, or begins to write it as an array.
    unsafe fn table(&mut self, frames: &mut Vec<Frame>) {
        // SAFETY: the promise of `write`.
        unsafe {
            if self.plain_array() {
                ffi::lua_pop(self.state, 1);
                return;
            }
            if self.scalar_table() {
                ffi::lua_pop(self.state, 2);
                return;
            }
            if self.push_field(c"map") == ffi::LUA_TTABLE {
                self.reply.map(self.pairs());
                ffi::lua_pushnil(self.state);
                frames.push(Frame::Map { value_next: false });
                return;
            }
            ffi::lua_pop(self.state, 1);
            if self.push_field(c"set") == ffi::LUA_TTABLE {
                self.reply.set(self.pairs());
                ffi::lua_pushnil(self.state);
                frames.push(Frame::Set);
                return;
            }
            ffi::lua_pop(self.state, 1);
            let mut len = 0;
            loop {
                ffi::lua_rawgeti_(self.state, -1, len + 1);
                let end = ffi::lua_type(self.state, -1) == ffi::LUA_TNIL;
                ffi::lua_pop(self.state, 1);
                if end {
                    break;
                }
                len += 1;
            }
            self.reply.array(len as usize);
            frames.push(Frame::Array { next: 1, left: len as usize });
        }
    }

    /// Writes the table on top if a field makes it an error, a status, a number or a text. The field stays on top;
    /// otherwise nothing does.
    unsafe fn scalar_table(&mut self) -> bool {
        // SAFETY: the promise of `write`.
        unsafe {
            if let Some(line) = self.string_field(c"err") {
                self.reply.error(trimmed(c_string(line)));
                return true;
            }
            ffi::lua_pop(self.state, 1);
            if let Some(text) = self.string_field(c"ok") {
                self.reply.status_bytes(c_string(text));
                return true;
            }
            ffi::lua_pop(self.state, 1);
            if self.push_field(c"double") == ffi::LUA_TNUMBER {
                self.reply.double(ffi::lua_tonumber(self.state, -1));
                return true;
            }
            ffi::lua_pop(self.state, 1);
            if let Some(digits) = self.string_field(c"big_number") {
                // Line ends become spaces in a bulk string, too.
                let digits: Vec<u8> = digits
                    .iter()
                    .map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte })
                    .collect();
                self.reply.big_number(&digits);
                return true;
            }
            ffi::lua_pop(self.state, 1);
            if self.push_field(c"verbatim_string") == ffi::LUA_TTABLE && self.verbatim() {
                return true;
            }
            ffi::lua_pop(self.state, 1);
            false
        }
    }

    /// Writes the text whose table is on top, if it is complete.
    unsafe fn verbatim(&mut self) -> bool {
        // SAFETY: the promise of `write`. The table keeps both strings while they are used.
        unsafe {
            let format = self.string_field(c"format");
            ffi::lua_pop(self.state, 1);
            let Some(format) = format else { return false };
            let text = self.string_field(c"string");
            ffi::lua_pop(self.state, 1);
            let Some(text) = text else { return false };
            let mut padded = [b' '; 3];
            for (to, from) in padded.iter_mut().zip(c_string(format)) {
                *to = *from;
            }
            self.reply.verbatim(&padded, text);
            true
        }
    }

    /// Fields of the table on top.
    unsafe fn pairs(&self) -> usize {
        // SAFETY: the promise of `write`.
        unsafe {
            let mut count = 0;
            ffi::lua_pushnil(self.state);
            while ffi::lua_next(self.state, -2) != 0 {
                ffi::lua_pop(self.state, 1);
                count += 1;
            }
            count
        }
    }

    /// Writes what comes next of a table, whose frame was taken.
    unsafe fn go_on(&mut self, frame: Frame, frames: &mut Vec<Frame>) {
        // SAFETY: the promise of `write`; the stack is as the frame says.
        unsafe {
            match frame {
                Frame::Array { left: 0, .. } => ffi::lua_pop(self.state, 1),
                Frame::Array { next, left } => {
                    frames.push(Frame::Array { next: next + 1, left: left - 1 });
                    ffi::lua_rawgeti_(self.state, -1, next);
                    self.value(frames);
                }
                Frame::Map { value_next: true } => {
                    // Stack: map, key, value.
                    frames.push(Frame::Map { value_next: false });
                    self.value(frames);
                }
                Frame::Map { value_next: false } => {
                    if ffi::lua_next(self.state, -2) == 0 {
                        ffi::lua_pop(self.state, 2);
                        return;
                    }
                    // Stack: map, key, value, key.
                    ffi::lua_pushvalue(self.state, -2);
                    frames.push(Frame::Map { value_next: true });
                    self.value(frames);
                }
                Frame::Set => {
                    if ffi::lua_next(self.state, -2) == 0 {
                        ffi::lua_pop(self.state, 2);
                        return;
                    }
                    ffi::lua_pop(self.state, 1);
                    ffi::lua_pushvalue(self.state, -1);
                    frames.push(Frame::Set);
                    self.value(frames);
                }
            }
        }
    }
}

/// A line without the line ends at its end.
fn trimmed(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., b'\r' | b'\n'] = line {
        line = rest;
    }
    line
}
