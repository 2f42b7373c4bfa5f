//! `cjson.encode` of what nearly all scripts encode, without Lua's API in between: tables of strings, numbers,
//! booleans, nulls and such tables, each of them a plain array or with strings for keys. Whatever else there is, errors
//! too, is left to `encode`, which then begins anew.

use super::{InvalidNumbers, Settings, scan};
use crate::decimal;
use crate::lua_buffer::{Output, Stop, push_written};
use crate::lua_stack::LuaStack;
use crate::luajit_tables::{Node, Shape, Slot, Table, Value};
use crate::patience::Patience;

/// Tables within tables.
const DEPTH_MAX: u32 = 64;
/// Elements of an array up to which no setting can make it a sparse one.
const ELEMENTS_MAX: usize = 1 << 20;
const SPARSE_RATIO_MAX: i32 = 1 << 10;

/// Pushes the JSON of the value at slot 1; false, with nothing pushed, if it is none for this module.
#[inline]
pub(super) fn push(stack: LuaStack, settings: &Settings) -> bool {
    let usual = settings.number_precision == 14
        && settings.encode_invalid_numbers == InvalidNumbers::Error
        && settings.sparse_ratio < SPARSE_RATIO_MAX;
    if !usual || settings.null == 0 {
        return false;
    }
    let depth = u32::try_from(settings.encode_max_depth).unwrap_or(0).min(DEPTH_MAX);
    let null = settings.null;
    push_written(stack, |output| {
        // SAFETY: `null` says that tables can be read. The value stays in its slot, nothing below touches Lua, and what
        // polls only raises.
        let table = unsafe { Table::at(stack, 1) }.ok_or(Stop::Unusual)?;
        Encoder { stack, output, null, patience: Patience::new() }.table(table, depth)
    })
}

struct Encoder<'o, 'm> {
    stack: LuaStack,
    output: &'o mut Output<'m>,
    /// The bits of cjson.null.
    null: u64,
    patience: Patience,
}

impl Encoder<'_, '_> {
    /// Writes a table, within which there may be `depth - 1` more.
    fn table(&mut self, table: Table<'_>, depth: u32) -> Result<(), Stop> {
        // Of a metatable only `encode` knows whether it marks arrays.
        if depth == 0 || table.has_metatable() {
            return Err(Stop::Unusual);
        }
        self.patience.spend(self.stack, 1 + table.places());
        match table.shape() {
            Shape::Array(elements) => self.array(elements, depth - 1),
            Shape::Map(nodes, _) => self.object(nodes, depth - 1),
            Shape::Mixed => Err(Stop::Unusual),
        }
    }

    fn array(&mut self, elements: &[Slot], depth: u32) -> Result<(), Stop> {
        if elements.len() > ELEMENTS_MAX {
            return Err(Stop::Unusual);
        }
        self.output.push(b'[')?;
        for element in elements {
            self.value(element.value(), depth)?;
            self.output.push(b',')?;
        }
        self.output.take_back(1);
        self.output.push(b']')
    }

    fn object(&mut self, nodes: &[Node], depth: u32) -> Result<(), Stop> {
        self.output.push(b'{')?;
        let mut empty = true;
        for node in nodes {
            let Some(key) = node.text() else { continue };
            empty = false;
            self.string(key)?;
            self.output.push(b':')?;
            self.value(node.value(), depth)?;
            self.output.push(b',')?;
        }
        if !empty {
            self.output.take_back(1);
        }
        self.output.push(b'}')
    }

    #[inline(always)]
    fn value(&mut self, value: Value<'_>, depth: u32) -> Result<(), Stop> {
        match value {
            Value::String(text) => self.string(text),
            Value::Number(number) => self.number(number),
            Value::Table(table) => self.table(table, depth),
            Value::Boolean(true) => self.output.put(*b"true"),
            Value::Boolean(false) => self.output.put(*b"false"),
            Value::Other(bits) if bits == self.null => self.output.put(*b"null"),
            Value::Other(_) | Value::Nil => Err(Stop::Unusual),
        }
    }

    #[inline]
    fn number(&mut self, number: f64) -> Result<(), Stop> {
        let len = decimal::write(number, self.output.chunk()?);
        if len == 0 {
            return self.other_number(number);
        }
        // SAFETY: so many were written.
        unsafe { self.output.written(len) };
        Ok(())
    }

    #[cold]
    fn other_number(&mut self, number: f64) -> Result<(), Stop> {
        if !number.is_finite() {
            return Err(Stop::Unusual);
        }
        const TEXT_MAX: usize = 32;
        let room = self.output.room(TEXT_MAX)?;
        // SAFETY: there is room for so many bytes, and the format takes a double. It writes 21 at most.
        unsafe {
            let len = libc::snprintf(room.as_mut_ptr().cast(), TEXT_MAX, c"%.14g".as_ptr(), number);
            self.output.written(usize::try_from(len).unwrap_or(0).min(TEXT_MAX));
        }
        Ok(())
    }

    #[inline]
    fn string(&mut self, text: &[u8]) -> Result<(), Stop> {
        self.patience.spend_bytes(self.stack, text.len());
        let room = self.output.room(text.len() + 2)?;
        room[0].write(b'"');
        let copied = scan::copy_unescaped(text, &mut room[1..text.len() + 1]);
        if copied == text.len() {
            room[copied + 1].write(b'"');
            // SAFETY: the text and the quotes were written.
            unsafe { self.output.written(copied + 2) };
            return Ok(());
        }
        // SAFETY: as above, up to the escape.
        unsafe { self.output.written(copied + 1) };
        self.escaped(&text[copied..])
    }

    /// Writes the rest of a string, which begins with what is written as an escape, and the quote behind it.
    fn escaped(&mut self, mut text: &[u8]) -> Result<(), Stop> {
        while let Some((&byte, after)) = text.split_first() {
            match super::encode::ESCAPES[usize::from(byte)] {
                b'u' => {
                    let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
                    self.output.put([b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)])?;
                }
                letter => self.output.put([b'\\', letter])?,
            }
            let copied = scan::copy_unescaped(after, self.output.room(after.len())?);
            // SAFETY: so many were written.
            unsafe { self.output.written(copied) };
            text = &after[copied..];
        }
        self.output.push(b'"')
    }
}
