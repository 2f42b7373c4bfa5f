//! `string.find`, `match`, `gmatch` and `gsub`, as Lua 5.1 has them; see [`pattern`] for why they are not Lua's own.

mod pattern;

use super::bridge::Bridge;
use crate::lua_stack::{LuaStack, SpillVec};
use mlua::ffi::{self, lua_State};
use pattern::Matcher;
use std::ffi::{CStr, c_int};

/// The functions; each gets the bridge as its upvalue.
pub(super) const FUNCTIONS: &[(&CStr, ffi::lua_CFunction)] =
    &[(c"find", find), (c"match", match_), (c"gmatch", gmatch), (c"gsub", gsub)];

/// What tells the sandbox when Lua's own functions will do.
pub(super) const CHECKS: &[(&CStr, ffi::lua_CFunction)] =
    &[(c"is_plain", is_plain_text), (c"is_quick", is_quick)];

/// Steps that Lua's own matcher may take, in which nobody can interrupt it: about a millisecond.
const QUICK_STEPS: usize = 1 << 18;

/// What makes a pattern more than a text.
const SPECIALS: &[u8] = b"^$*+?.([%-";

/// Bytes of a result that stay on the thread's stack.
const RESULT_INLINE: usize = 512;

unsafe extern "C-unwind" fn find(state: *mut lua_State) -> c_int {
    // SAFETY: a C function called by Lua.
    unsafe { search(state, true) }
}

unsafe extern "C-unwind" fn match_(state: *mut lua_State) -> c_int {
    // SAFETY: a C function called by Lua.
    unsafe { search(state, false) }
}

/// Where to begin, counted from 0, by an argument that counts from 1 or, negative, from the end.
fn first_byte(stack: LuaStack, arg: c_int, len: usize) -> usize {
    let position = stack.opt_integer(arg, 1);
    let position = if position < 0 { position.wrapping_add(len as i64 + 1).max(0) } else { position };
    usize::try_from(position.saturating_sub(1)).unwrap_or(0).min(len)
}

/// Whether C would find none of the special bytes in the pattern: it stops looking at a NUL.
fn is_plain(pattern: &[u8]) -> bool {
    pattern.iter().take_while(|&&byte| byte != 0).all(|byte| !SPECIALS.contains(byte))
}

/// Whether a value is a text that `find` finds without looking for patterns, in Redis' Lua as in this one.
unsafe extern "C-unwind" fn is_plain_text(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        let stack = LuaStack::new(state);
        let text = stack.kind(1) == ffi::LUA_TSTRING && {
            let text = stack.bytes(1);
            is_plain(text) && !text.contains(&0)
        };
        stack.push_boolean(text);
    }
    1
}

/// Whether going through all matches of a pattern, the second argument, in a subject takes so few steps that Lua's own
/// matcher may do it. With each repetition before the end of the pattern, the work is at most the subject's length
/// times as much. (That Lua's own matcher knows a few things more that begin with `%` does not matter then.)
unsafe extern "C-unwind" fn is_quick(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        let stack = LuaStack::new(state);
        let texts = stack.kind(1) == ffi::LUA_TSTRING && stack.kind(2) == ffi::LUA_TSTRING;
        let quick = texts && quick_steps(stack.bytes(2), stack.bytes(1).len()) <= QUICK_STEPS;
        stack.push_boolean(quick);
    }
    1
}

/// The most steps that all matches of a pattern may take; `usize::MAX` for what Lua 5.1 and LuaJIT do not understand
/// alike.
fn quick_steps(pattern: &[u8], len: usize) -> usize {
    let mut steps = len + 1;
    // A repetition at the end takes what it can and is done.
    let closed = pattern.strip_suffix(b")").unwrap_or(pattern);
    let body = closed.strip_suffix(b"+").or_else(|| closed.strip_suffix(b"*")).unwrap_or(closed);
    let mut bytes = body.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'*' | b'+' | b'-' => steps = steps.saturating_mul(len + 1),
            b'?' => steps = steps.saturating_mul(2),
            0 => return usize::MAX,
            b'%' => match bytes.next() {
                Some(b'b' | b'0'..=b'9') => steps = steps.saturating_mul(len + 1),
                // Classes and frontiers that only one of the two knows; and an end that both complain of.
                Some(b'f' | b'g' | b'G' | 0) | None => return usize::MAX,
                _ => {}
            },
            _ => {}
        }
    }
    steps
}

unsafe fn search(state: *mut lua_State, find: bool) -> c_int {
    // SAFETY: called by C functions; nothing has a destructor, and the arguments stay in their slots.
    let (stack, subject, pattern) = unsafe {
        let stack = LuaStack::new(state);
        (stack, stack.check_bytes(1), stack.check_bytes(2))
    };
    let start = first_byte(stack, 3, subject.len());
    if find && (stack.boolean(4) || is_plain(pattern)) {
        let rest = subject.get(start..).unwrap_or_default();
        let Some(found) = memchr::memmem::find(rest, pattern) else {
            stack.push_nil();
            return 1;
        };
        stack.push_number((start + found + 1) as f64);
        stack.push_number((start + found + pattern.len()) as f64);
        return 2;
    }
    let mut matcher = Matcher::new(stack, subject, pattern);
    let anchored = matcher.take_anchor();
    let last = if anchored { start } else { subject.len() };
    for at in start..=last {
        let Some(end) = matcher.match_at(at) else { continue };
        if !find {
            return matcher.push_captures(at, end, true);
        }
        stack.push_number((at + 1) as f64);
        stack.push_number(end as f64);
        return matcher.push_captures(at, end, false) + 2;
    }
    stack.push_nil();
    1
}

unsafe extern "C-unwind" fn gmatch(state: *mut lua_State) -> c_int {
    // SAFETY: a C function; nothing has a destructor.
    unsafe {
        let stack = LuaStack::new(state);
        stack.check_bytes(1);
        stack.check_bytes(2);
        ffi::lua_settop(state, 2);
        stack.push_number(0.0);
        ffi::lua_pushcclosure(state, gmatch_next, 3);
    }
    1
}

unsafe extern "C-unwind" fn gmatch_next(state: *mut lua_State) -> c_int {
    const POSITION: c_int = ffi::lua_upvalueindex(3);
    // SAFETY: `gmatch` made the upvalues: two strings, which the closure keeps, and a number. Nothing has a destructor.
    unsafe {
        let stack = LuaStack::new(state);
        let subject = stack.bytes(ffi::lua_upvalueindex(1));
        let mut matcher = Matcher::new(stack, subject, stack.bytes(ffi::lua_upvalueindex(2)));
        for at in stack.number(POSITION) as usize..=subject.len() {
            if let Some(end) = matcher.match_at(at) {
                let next = if end == at { end + 1 } else { end };
                stack.push_number(next as f64);
                ffi::lua_replace(state, POSITION);
                return matcher.push_captures(at, end, true);
            }
        }
    }
    0
}

/// What is put in the place of a match.
struct Replacement<'a> {
    stack: LuaStack,
    /// The type of the third argument.
    kind: c_int,
    /// The argument, if it is a text.
    text: &'a [u8],
}

type Output = SpillVec<u8, RESULT_INLINE>;

impl Replacement<'_> {
    /// Appends what replaces the match from `start` to `end`.
    fn append(&self, matcher: &Matcher<'_>, subject: &[u8], start: usize, end: usize, out: &mut Output) {
        let (stack, state) = (self.stack, self.stack.state());
        match self.kind {
            // SAFETY: a slot is made sure of for the function; its arguments and result follow Lua's rules.
            ffi::LUA_TFUNCTION => unsafe {
                ffi::luaL_checkstack(state, 2, c"too many captures".as_ptr());
                ffi::lua_pushvalue(state, 3);
                let count = matcher.push_captures(start, end, true);
                ffi::lua_call(state, count, 1);
            },
            // SAFETY: the key is on top, and the table in its slot.
            ffi::LUA_TTABLE => unsafe {
                matcher.push_capture(0, start, end);
                ffi::lua_gettable(state, 3);
            },
            _ => return self.append_text(matcher, subject, start, end, out),
        }
        // SAFETY: the replacement is on top; a string stays there until it is copied.
        unsafe {
            if !stack.boolean(-1) {
                out.extend(subject.get(start..end).unwrap_or_default());
            } else if ffi::lua_isstring(state, -1) != 0 {
                // The array may have to put its memory on the stack, so the position is counted from below.
                out.extend(stack.bytes(stack.top()));
            } else {
                let name = ffi::lua_typename(state, stack.kind(-1));
                ffi::luaL_error(state, c"invalid replacement value (a %s)".as_ptr(), name);
            }
        }
        stack.pop(1);
    }

    fn append_text(&self, matcher: &Matcher<'_>, subject: &[u8], start: usize, end: usize, out: &mut Output) {
        let mut rest = self.text;
        while let Some(escape) = memchr::memchr(b'%', rest) {
            let (before, after) = rest.split_at(escape);
            out.extend(before);
            // C reads the NUL behind a string that ends with a `%`.
            let (&byte, after) = after.get(1..).and_then(<[u8]>::split_first).unwrap_or((&0, &[]));
            match byte {
                b'0' => out.extend(subject.get(start..end).unwrap_or_default()),
                b'1'..=b'9' => {
                    matcher.push_capture(usize::from(byte - b'1'), start, end);
                    // SAFETY: a capture is a string or a number, and is copied before it is dropped.
                    out.extend(unsafe { self.stack.bytes(self.stack.top()) });
                    self.stack.pop(1);
                }
                other => out.push(other),
            }
            rest = after;
        }
        out.extend(rest);
    }
}

unsafe extern "C-unwind" fn gsub(state: *mut lua_State) -> c_int {
    // SAFETY: a C function with the bridge as its upvalue; nothing has a destructor, and the arguments stay in their
    // slots.
    unsafe {
        let stack = LuaStack::new(state);
        let subject = stack.check_bytes(1);
        let pattern = stack.check_bytes(2);
        let kind = stack.kind(3);
        let count_max = stack.opt_integer(4, subject.len() as i64 + 1) as c_int;
        let text = match kind {
            ffi::LUA_TSTRING | ffi::LUA_TNUMBER => stack.bytes(3),
            ffi::LUA_TFUNCTION | ffi::LUA_TTABLE => {
                if Bridge::of(state).stack_is_deep() {
                    stack.raise(c"C stack overflow");
                }
                b"".as_slice()
            }
            _ => stack.raise_argument(3, c"string/function/table expected"),
        };
        let replacement = Replacement { stack, kind, text };
        let mut out = Output::new(stack);
        let mut matcher = Matcher::new(stack, subject, pattern);
        let anchored = matcher.take_anchor();
        let (mut at, mut count) = (0, 0);
        while count < count_max {
            let end = matcher.match_at(at);
            if let Some(end) = end {
                count += 1;
                replacement.append(&matcher, subject, at, end, &mut out);
            }
            match (end, subject.get(at)) {
                (Some(end), _) if end > at => at = end,
                (_, Some(&byte)) => {
                    out.push(byte);
                    at += 1;
                }
                _ => break,
            }
            if anchored {
                break;
            }
        }
        out.extend(subject.get(at..).unwrap_or_default());
        stack.push_bytes(out.as_slice());
        stack.push_number(f64::from(count));
    }
    2
}
