//! Which globals a compiled script names, read from the form in which LuaJIT dumps functions.

use super::bytecode::{Function, Opcodes, Reader, dump};
use mlua::ffi::lua_State;
use std::collections::BTreeMap;

/// Kinds of constants; a string's kind has its length added.
mod constant {
    pub(super) const FUNCTION: u32 = 0;
    pub(super) const TABLE: u32 = 1;
    pub(super) const STRING: u32 = 5;
}

/// Kinds of a table's keys and values; a string's kind has its length added.
mod element {
    pub(super) const TRUE: u32 = 2;
    pub(super) const INTEGER: u32 = 3;
    pub(super) const NUMBER: u32 = 4;
    pub(super) const STRING: u32 = 5;
}

/// Names of globals, and the first line of each on which it is used so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Globals {
    pub(crate) read: BTreeMap<Vec<u8>, u32>,
    pub(crate) assigned: BTreeMap<Vec<u8>, u32>,
}

impl Opcodes {
    /// The globals that the function on top of the stack and those inside of it name; `None` if it is not understood.
    pub(super) fn globals(&self, state: *mut lua_State) -> Option<Globals> {
        let code = dump(state)?;
        let mut reader = Reader::new(&code);
        reader.header()?;
        let mut globals = Globals::default();
        while let Some(function) = reader.function()? {
            let strings = strings(&function)?;
            for (at, [number, _, low, high]) in function.instructions().enumerate() {
                let of = match number {
                    _ if number == self.get_global => &mut globals.read,
                    _ if number == self.set_global => &mut globals.assigned,
                    _ => continue,
                };
                // Constants are numbered from the last on.
                let constant = strings.len().checked_sub(1 + usize::from(u16::from_le_bytes([low, high])))?;
                let line = function.line(at)?;
                let first = of.entry(strings.get(constant)?.to_vec()).or_insert(line);
                *first = line.min(*first);
            }
        }
        Some(globals)
    }
}

/// The constants of a function that are objects, with an empty string for each that is no string.
pub(super) fn strings<'a>(function: &Function<'a>) -> Option<Vec<&'a [u8]>> {
    let mut reader = Reader::new(function.constant_data()?);
    let mut strings = Vec::new();
    for _ in 0..function.object_count() {
        let string: &[u8] = match reader.number()? {
            constant::FUNCTION => b"",
            constant::TABLE => {
                skip_table(&mut reader)?;
                b""
            }
            // Values of LuaJIT's interface to C, which are none of Lua's, are in no script.
            kind => reader.take(kind.checked_sub(constant::STRING)? as usize)?,
        };
        strings.push(string);
    }
    Some(strings)
}

fn skip_numbers(reader: &mut Reader<'_>, count: usize) -> Option<()> {
    for _ in 0..count {
        reader.number()?;
    }
    Some(())
}

fn skip_table(reader: &mut Reader<'_>) -> Option<()> {
    let (elements, pairs) = (reader.number()?, reader.number()?);
    for _ in 0..u64::from(elements) + 2 * u64::from(pairs) {
        match reader.number()? {
            0..=element::TRUE => {}
            element::INTEGER => skip_numbers(reader, 1)?,
            element::NUMBER => skip_numbers(reader, 2)?,
            kind => drop(reader.take((kind - element::STRING) as usize)?),
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lua::Lua;

    type Lines = Vec<(String, u32)>;

    fn globals(text: &str) -> (Lines, Lines) {
        let mut lua = Lua::new().unwrap();
        let opcodes = Opcodes::learn(&mut lua).expect("LuaJIT's bytecode is as expected");
        lua.compile(text.as_bytes()).unwrap();
        let globals = opcodes.globals(lua.state()).expect("understood");
        let named = |names: BTreeMap<Vec<u8>, u32>| {
            names.into_iter().map(|(name, line)| (String::from_utf8(name).unwrap(), line)).collect()
        };
        (named(globals.read), named(globals.assigned))
    }

    #[test]
    fn names_and_lines_are_found_anywhere() {
        let text = "local a = redis\nlocal function f()\n  total = count + 1\n  return function() total = x end\nend\n\
                    return total";
        let (read, assigned) = globals(text);
        let expected = [("count", 3), ("redis", 1), ("total", 6), ("x", 4)];
        assert_eq!(read, expected.map(|(name, line)| (name.to_owned(), line)));
        assert_eq!(assigned, [("total".to_owned(), 3)]);
    }

    #[test]
    fn all_kinds_of_constants_are_passed_over() {
        let text = "local t = {1, 2.5, 'x', true, false, nil, a = 'b', [7] = -1, c = {}, ['long key'] = 1e300}\n\
                    for k = 1, 1e9 do t[k] = 'some text that is longer than a short one' .. k end\n\
                    return after";
        assert_eq!(globals(text).0, [("after".to_owned(), 3)]);
        let many: String = (0..500).map(|n| format!("t.k{n} = 'v{n}'\n")).collect();
        assert_eq!(globals(&format!("local t = {{}}\n{many}return last")).0, [("last".to_owned(), 502)]);
        let lines = "\n".repeat(70_000);
        assert_eq!(globals(&format!("local t{lines}return last")).0, [("last".to_owned(), 70_001)]);
    }
}
