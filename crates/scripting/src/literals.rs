//! Numbers that only LuaJIT reads: `1LL`, `1ULL` and `1i`.
//!
//! They are values of its interface to C, which its compiler would open for them in the middle of a script. To Lua 5.1
//! they are no numbers. A text that seems to have one is compiled in a state of its own first.

use crate::lua::{Lua, ShortText, chunk_id, top_text};
use mlua::ffi::{self, lua_State};
use std::ffi::{CStr, c_int, c_void};

/// What is wrong with a text that may have such a number, or `None` if it can be compiled. `limit` is that of the
/// memory, in bytes. O(n), without allocation for texts in which nothing looks like one.
pub(crate) fn complaint(text: &[u8], name: &CStr, limit: usize) -> Option<ShortText> {
    let literal = find(text)?;
    let mut complaint = ShortText::new();
    let Ok(mut lua) = Lua::new() else {
        complaint.push(b"not enough memory");
        return Some(complaint);
    };
    // 0 would be no limit.
    lua.set_limit(lua.bytes().saturating_add(limit));
    let state = lua.state();
    // SAFETY: the state is new; compiling is protected by Lua itself, and leaves a function or a text, which is copied.
    unsafe {
        if ffi::luaL_loadbuffer(state, text.as_ptr().cast(), text.len(), name.as_ptr()) != ffi::LUA_OK {
            complaint.push(top_text(state));
            return Some(complaint);
        }
        if !uses_c(state) {
            return None;
        }
    }
    let line = 1 + memchr::memchr_iter(b'\n', &text[..literal.start]).count();
    complaint.push(&chunk_id(name.to_bytes()));
    complaint.push(format!(":{line}: malformed number near '").as_bytes());
    complaint.push(&text[literal]);
    complaint.push(b"'");
    Some(complaint)
}

/// The first of what may be such a number. There are none that it does not find, and some in strings, comments and
/// names that are none.
fn find(text: &[u8]) -> Option<std::ops::Range<usize>> {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    let word_before = |end: usize| end - text[..end].iter().rev().take_while(|byte| is_word(byte)).count();
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        // The letters that such a number may end with, and nothing of a word after them.
        let at =
            from + rest.iter().position(|byte| matches!(byte, b'i' | b'I' | b'l' | b'L' | b'u' | b'U'))?;
        from = at + 1;
        if text.get(from).is_some_and(is_word) {
            continue;
        }
        let mut start = word_before(at);
        // What follows the point of a number need not begin with a digit: `0xA.Fi`.
        if !text[start].is_ascii_digit() && start > 0 && text[start - 1] == b'.' {
            start = word_before(start - 1);
        }
        if text[start].is_ascii_digit() {
            return Some(start..from);
        }
    }
}

/// Whether the function on top of the stack has values of the interface to C among its constants.
unsafe fn uses_c(state: *mut lua_State) -> bool {
    /// A bit of the flags, which follow the four bytes that all dumped functions begin with.
    const USES_C: u8 = 4;

    unsafe extern "C-unwind" fn take_flags(
        _state: *mut lua_State,
        bytes: *const c_void,
        len: usize,
        flags: *mut c_void,
    ) -> c_int {
        // SAFETY: Lua hands over the header first, and the byte of this call; no other piece is asked for.
        unsafe {
            if len > 4 {
                *flags.cast::<u8>() = *bytes.cast::<u8>().add(4);
            }
        }
        1
    }

    let mut flags = USES_C;
    // SAFETY: a function is on top; the writer gets the byte.
    unsafe { ffi::lua_dump_(state, take_flags, (&raw mut flags).cast()) };
    flags & USES_C != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint_of(text: &str) -> Option<String> {
        let complaint = complaint(text.as_bytes(), c"@name", usize::MAX)?;
        Some(String::from_utf8_lossy(&complaint).into_owned())
    }

    #[test]
    fn numbers_of_c_are_none() {
        for literal in [
            "1LL", "1ll", "1lL", "1ULL", "1uLl", "0x1fLL", "0xAull", "1i", "1I", "1.5i", "1.i", "0xA.Fi",
            "1e5i", "1e+5i", "0x1p-5i", ".5i", "0b1LL", "5LLU",
        ] {
            for text in
                [format!("return {literal}"), format!("\nlocal f = function() return -{literal}+1 end")]
            {
                // SAFETY: the state is new.
                let reads_it = unsafe {
                    let lua = Lua::new().unwrap();
                    let status = ffi::luaL_loadbuffer(
                        lua.state(),
                        text.as_ptr().cast(),
                        text.len(),
                        c"@name".as_ptr(),
                    );
                    status == ffi::LUA_OK
                };
                let complaint = complaint_of(&text).expect(&text);
                assert!(complaint.starts_with("name:"), "{complaint}");
                assert!(complaint.contains(": malformed number near '"), "{text}: {complaint}, {reads_it}");
            }
        }
        assert_eq!(complaint_of("x = 1\ny = 2LL").unwrap(), "name:2: malformed number near '2LL'");
        assert_eq!(complaint_of("x = a..1i").unwrap(), "name:1: malformed number near '1i'");
    }

    #[test]
    fn what_looks_like_one_may_be_none() {
        for text in [
            "return '1LL'",
            "return [[\n1i]] -- 5ULL",
            "local a1i, x2ll = 1, 2 return a1i + x2ll",
            "return redis.call('GET', KEYS[1]) if else local all",
            "local t = {i = 1} return t.i",
            "local t1 = {i = 1} return t1.i, t1 .ll",
        ] {
            assert_eq!(complaint_of(text), None, "{text}");
        }
        // What does not compile is not compiled again.
        assert_eq!(complaint_of("return 1LL)").unwrap(), "name:1: '<eof>' expected near ')'");
    }
}
