//! Values of Lua and replies of commands, as people read them.

use mlua::ffi::{self, lua_State};
use moonshard_engine::Args;
use moonshard_protocol::split_args::quote;
use moonshard_protocol::tape::{Item, Tape};
use moonshard_protocol::{Encoding, Reply};
use std::ffi::c_int;

/// Levels of a table that are shown.
const DEPTH_MAX: u32 = 10;
/// Bytes of a value that are shown to who wants to see all of it.
pub(super) const LEN_MAX: usize = 4 << 20;
/// Arguments of a command that are shown.
const ARGS_SHOWN: usize = 10;

/// A command that is called.
pub(super) fn command(args: Args<'_>) -> Vec<u8> {
    let mut line = b"<redis>".to_vec();
    for (at, arg) in args.iter().enumerate() {
        if at == ARGS_SHOWN {
            line.extend_from_slice(format!(" ... ({} more)", args.len() - at - 1).as_bytes());
            break;
        }
        line.push(b' ');
        line.extend_from_slice(arg);
    }
    line
}

/// A number as C's `%g` prints it.
pub(super) fn number(value: f64, out: &mut Vec<u8>) {
    const DIGITS: i32 = 6;
    if !value.is_finite() {
        let sign = if value.is_sign_negative() { "-" } else { "" };
        let name = if value.is_nan() { "nan" } else { "inf" };
        out.extend([sign.as_bytes(), name.as_bytes()].concat());
        return;
    }
    let scientific = format!("{value:.5e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..DIGITS).contains(&exponent) {
        let fixed = format!("{value:.*}", (DIGITS - 1 - exponent) as usize);
        out.extend_from_slice(without_zeros(&fixed).as_bytes());
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        let text = format!("{}e{sign}{:02}", without_zeros(digits), exponent.unsigned_abs());
        out.extend_from_slice(text.as_bytes());
    }
}

fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// Shows the value at `index`; stops once some `budget` bytes are there.
///
/// # Safety
/// `state` runs a hook or a C function, and its memory has no limit: nothing raises then.
pub(super) unsafe fn value(state: *mut lua_State, index: c_int, budget: usize, out: &mut Vec<u8>) {
    // SAFETY: the caller's promise.
    unsafe {
        let index = ffi::lua_absindex(state, index);
        if ffi::lua_checkstack(state, 4 * (DEPTH_MAX as c_int + 1)) != 0 {
            value_at(state, index, 0, out.len() + budget, out);
        }
    }
}

unsafe fn value_at(state: *mut lua_State, index: c_int, depth: u32, len_max: usize, out: &mut Vec<u8>) {
    if depth == DEPTH_MAX {
        out.extend_from_slice(b"<max recursion level reached! Nested table?>");
        return;
    }
    // SAFETY: as `value`; strings are only read as what they are, so that no key of a table changes its type.
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TSTRING => {
                let mut len = 0;
                let start = ffi::lua_tolstring(state, index, &raw mut len);
                let bytes = std::slice::from_raw_parts(start.cast(), len);
                quote(&bytes[..len.min(len_max)], out);
            }
            ffi::LUA_TBOOLEAN if ffi::lua_toboolean(state, index) != 0 => out.extend(b"true"),
            ffi::LUA_TBOOLEAN => out.extend(b"false"),
            ffi::LUA_TNUMBER => number(ffi::lua_tonumber(state, index), out),
            ffi::LUA_TNIL => out.extend(b"nil"),
            ffi::LUA_TTABLE => table_at(state, index, depth, len_max, out),
            kind => {
                let name = match kind {
                    ffi::LUA_TFUNCTION => "function",
                    ffi::LUA_TUSERDATA => "userdata",
                    ffi::LUA_TTHREAD => "thread",
                    ffi::LUA_TLIGHTUSERDATA => "light-userdata",
                    _ => return out.extend(b"\"<unknown-lua-type>\""),
                };
                let address = ffi::lua_topointer(state, index);
                // So C prints a null pointer, which is what `cjson.null` is.
                let null = kind == ffi::LUA_TLIGHTUSERDATA && ffi::lua_touserdata(state, index).is_null();
                let address = if null { "(nil)".to_owned() } else { format!("{address:p}") };
                out.extend_from_slice(format!("\"{name}@{address}\"").as_bytes());
            }
        }
    }
}

/// A table: an array if its keys come as 1, 2, 3.
unsafe fn table_at(state: *mut lua_State, index: c_int, depth: u32, len_max: usize, out: &mut Vec<u8>) {
    // SAFETY: as `value`; the room for a key and a value of each level was made.
    unsafe {
        let is_array = is_array(state, index);
        out.push(b'{');
        let mut first = true;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, index) != 0 {
            if out.len() > len_max {
                ffi::lua_pop(state, 2);
                break;
            }
            if !std::mem::take(&mut first) {
                out.extend_from_slice(b"; ");
            }
            let top = ffi::lua_gettop(state);
            if !is_array {
                out.push(b'[');
                value_at(state, top - 1, depth + 1, len_max, out);
                out.extend_from_slice(b"]=");
            }
            value_at(state, top, depth + 1, len_max, out);
            ffi::lua_pop(state, 1);
        }
        out.push(b'}');
    }
}

unsafe fn is_array(state: *mut lua_State, index: c_int) -> bool {
    // SAFETY: as `table_at`.
    unsafe {
        let mut expected = 1.0;
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, index) != 0 {
            ffi::lua_pop(state, 1);
            if ffi::lua_type(state, -1) != ffi::LUA_TNUMBER || ffi::lua_tonumber(state, -1) != expected {
                ffi::lua_pop(state, 1);
                return false;
            }
            expected += 1.0;
        }
        true
    }
}

/// The reply in a tape; stops once some `budget` bytes are there.
pub(super) fn reply(tape: &[u8], budget: usize) -> Vec<u8> {
    let mut out = b"<reply> ".to_vec();
    item(&mut Tape::new(tape), budget, &mut out);
    out
}

fn item(tape: &mut Tape<'_>, budget: usize, out: &mut Vec<u8>) {
    let Some(found) = tape.next() else { return };
    match found {
        Item::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Item::Bulk(bytes) => quote(&bytes[..bytes.len().min(budget)], out),
        Item::Status(text) => quote(&[b"+", text].concat(), out),
        Item::Error(line) => quote(&[b"-", line].concat(), out),
        Item::Null2 => out.extend(b"NULL"),
        Item::Null3 => out.extend(b"(null)"),
        Item::Bool(value) => out.extend(if value { &b"#true"[..] } else { b"#false" }),
        Item::Double(value) => {
            out.extend(b"(double) ");
            let mut text = Reply::new(Encoding::Resp3);
            text.double(value);
            out.extend(text.as_bytes()[1..].trim_ascii_end());
        }
        Item::Array(len) => items(tape, len, (b"[", b"]"), budget, out),
        Item::Set(len) => items(tape, len, (b"~(", b")"), budget, out),
        Item::Map(len) => {
            out.push(b'{');
            for at in 0..len {
                if out.len() > budget {
                    break;
                }
                out.extend_from_slice(if at > 0 { b"," } else { b"" });
                item(tape, budget, out);
                out.extend(b" => ");
                item(tape, budget, out);
            }
            out.push(b'}');
        }
        Item::Verbatim(_, text) => quote(&text[..text.len().min(budget)], out),
        Item::BigNumber(digits) => out.extend_from_slice(digits),
    }
}

fn items(tape: &mut Tape<'_>, len: usize, around: (&[u8], &[u8]), budget: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(around.0);
    for at in 0..len {
        if out.len() > budget {
            break;
        }
        out.extend_from_slice(if at > 0 { b"," } else { b"" });
        item(tape, budget, out);
    }
    out.extend_from_slice(around.1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(value: f64) -> String {
        let mut out = Vec::new();
        number(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_have_six_digits() {
        let shown = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-12.5, "-12.5"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.333333"),
            (123_456.0, "123456"),
            (999_999.5, "1e+06"),
            (1_234_567.0, "1.23457e+06"),
            (0.0001, "0.0001"),
            (0.000_012_345_67, "1.23457e-05"),
            (1e100, "1e+100"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (value, text) in shown {
            assert_eq!(numbered(value), text);
        }
    }

    #[test]
    fn replies_are_shown() {
        let mut tape = Reply::new(Encoding::Tape3);
        tape.array(5);
        tape.int(-1);
        tape.bulk(b"a\"\n\x01");
        tape.status("OK");
        tape.null();
        tape.map(1);
        tape.bulk(b"k");
        tape.double(0.5);
        let shown = reply(tape.as_bytes(), 1000);
        assert_eq!(
            String::from_utf8(shown).unwrap(),
            r#"<reply> [-1,"a\"\n\x01","+OK",(null),{"k" => (double) 0.5}]"#
        );
    }

    #[test]
    fn commands_are_shown_with_ten_words() {
        let words: Vec<&[u8]> = (0..12).map(|_| &b"x"[..]).collect();
        assert_eq!(command(Args::new(&words)), b"<redis> x x x x x x x x x x ... (1 more)");
    }
}
