//! `cmsgpack.pack` of what nearly all scripts pack, without Lua's API in between: tables that are plain arrays or have
//! strings for keys, and whatever is in them. What has other keys is left to `pack`, which then begins anew.

use super::NESTING_MAX;
use super::form::Head;
use crate::lua_buffer::{Output, Stop, push_written};
use crate::lua_stack::LuaStack;
use crate::luajit_tables::{Node, Shape, Slot, Table, Value, was_readable};
use crate::patience::Patience;
use std::ffi::c_int;

/// Pushes the argument's MessagePack, which is the only one; false, with nothing pushed, if it is none for this module.
#[inline]
pub(super) fn push(stack: LuaStack) -> bool {
    was_readable()
        && push_written(stack, |output| {
            // SAFETY: tables can be read. The value stays in its slot, nothing below touches Lua, and what polls only
            // raises.
            let table = unsafe { Table::at(stack, 1) }.ok_or(Stop::Unusual)?;
            Packer { stack, output, patience: Patience::new() }.table(table, 0)
        })
}

struct Packer<'o, 'm> {
    stack: LuaStack,
    output: &'o mut Output<'m>,
    patience: Patience,
}

impl Packer<'_, '_> {
    fn table(&mut self, table: Table<'_>, level: c_int) -> Result<(), Stop> {
        self.patience.spend(self.stack, 1 + table.places());
        match table.shape() {
            Shape::Array(elements) => self.array(elements, level + 1),
            Shape::Map(_, 0) => self.head(Head::of_array(0)),
            Shape::Map(nodes, pairs) => self.map(nodes, pairs, level + 1),
            Shape::Mixed => Err(Stop::Unusual),
        }
    }

    fn array(&mut self, elements: &[Slot], level: c_int) -> Result<(), Stop> {
        self.head(Head::of_array(elements.len()))?;
        for element in elements {
            self.value(element.value(), level)?;
        }
        Ok(())
    }

    fn map(&mut self, nodes: &[Node], pairs: usize, level: c_int) -> Result<(), Stop> {
        self.head(Head::of_map(pairs))?;
        for node in nodes {
            let Some(key) = node.text() else { continue };
            self.string(key)?;
            self.value(node.value(), level)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn value(&mut self, value: Value<'_>, level: c_int) -> Result<(), Stop> {
        match value {
            Value::String(text) => self.string(text),
            Value::Number(number) => self.number(number),
            Value::Table(table) if level < NESTING_MAX => self.table(table, level),
            Value::Boolean(boolean) => self.output.push(if boolean { 0xc3 } else { 0xc2 }),
            Value::Table(_) | Value::Other(_) | Value::Nil => self.output.push(0xc0),
        }
    }

    #[inline]
    fn string(&mut self, text: &[u8]) -> Result<(), Stop> {
        self.patience.spend_bytes(self.stack, text.len());
        match text.len() {
            len @ 0..32 => self.output.push(0xa0 | len as u8)?,
            len => self.head(Head::of_string(len))?,
        }
        self.output.extend(text)
    }

    #[inline(always)]
    fn number(&mut self, number: f64) -> Result<(), Stop> {
        let short = number as u8;
        if f64::from(short) == number && short < 0x80 {
            return self.output.push(short);
        }
        self.head(Head::of_number(number))
    }

    #[inline(always)]
    fn head(&mut self, head: Head) -> Result<(), Stop> {
        self.output.put(head.bytes())?;
        self.output.take_back(Head::BYTES_MAX - head.len());
        Ok(())
    }
}
