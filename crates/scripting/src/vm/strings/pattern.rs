//! Lua 5.1's patterns, matched by this crate rather than by Lua.
//!
//! A pattern can try for longer than the universe lasts, and no hook reaches into a C function of Lua's. This matcher
//! answers what Lua 5.1 answers, byte for byte, and looks every few thousand steps whether its script is to shed its
//! thread or to end.

use crate::lua_stack::LuaStack;
use crate::vm::interrupt;
use mlua::ffi::{self, lua_State};
use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;

/// Lua's limit of captures.
const CAPTURES_MAX: usize = 32;
/// Nested attempts: each takes some of the thread's stack. Lua 5.1 has no limit but the end of the stack.
const DEPTH_MAX: u32 = 1000;
/// Steps between two looks at what is asked of the script: some tens of microseconds.
const STEPS: usize = 1 << 14;

/// One capture of a match.
#[derive(Clone, Copy)]
struct Capture {
    start: usize,
    len: CaptureLen,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CaptureLen {
    Unfinished,
    Position,
    Bytes(usize),
}

/// A subject and a pattern. It has no destructor, and raises Lua errors: for patterns that are none, and when its
/// script was killed.
pub(super) struct Matcher<'a> {
    stack: LuaStack,
    subject: &'a [u8],
    /// Up to its first NUL, as C reads it.
    pattern: &'a [u8],
    level: usize,
    /// The first `level` are written.
    captures: [MaybeUninit<Capture>; CAPTURES_MAX],
    depth: u32,
    /// Steps until the next look.
    steps: usize,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(stack: LuaStack, subject: &'a [u8], pattern: &'a [u8]) -> Self {
        let end = memchr::memchr(0, pattern).unwrap_or(pattern.len());
        Self {
            stack,
            subject,
            pattern: pattern.get(..end).unwrap_or(pattern),
            level: 0,
            captures: [const { MaybeUninit::uninit() }; CAPTURES_MAX],
            depth: 0,
            steps: STEPS,
        }
    }

    /// Takes a leading `^` off the pattern. Returns whether there was one.
    pub(super) fn take_anchor(&mut self) -> bool {
        match self.pattern.split_first() {
            Some((b'^', rest)) => {
                self.pattern = rest;
                true
            }
            _ => false,
        }
    }

    /// Where the match ends that begins at `at`, if there is one.
    #[inline]
    pub(super) fn match_at(&mut self, at: usize) -> Option<usize> {
        self.level = 0;
        self.depth = 0;
        self.matches(at, 0)
    }

    fn raise(&self, message: &CStr) -> ! {
        self.stack.raise(message)
    }

    /// A byte of the pattern; 0 after its end.
    #[inline(always)]
    fn item(&self, at: usize) -> u8 {
        self.pattern.get(at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn tick(&mut self, steps: usize) {
        match self.steps.checked_sub(steps) {
            Some(left) => self.steps = left,
            None => self.look(),
        }
    }

    #[cold]
    #[inline(never)]
    fn look(&mut self) {
        self.steps = STEPS;
        // SAFETY: nothing with a destructor is alive in this frame or those of the functions that call it.
        unsafe { interrupt::poll(self.stack.state()) };
    }

    /// The end of the class that begins at `at`.
    #[inline]
    fn class_end(&self, at: usize) -> usize {
        match self.item(at) {
            b'%' => {
                if at + 1 >= self.pattern.len() {
                    self.raise(c"malformed pattern (ends with '%')");
                }
                at + 2
            }
            b'[' => self.set_end(at + 1),
            _ => at + 1,
        }
    }

    fn set_end(&self, mut at: usize) -> usize {
        if self.item(at) == b'^' {
            at += 1;
        }
        loop {
            if at >= self.pattern.len() {
                self.raise(c"malformed pattern (missing ']')");
            }
            let escapes = self.item(at) == b'%';
            at += 1;
            if escapes && at < self.pattern.len() {
                at += 1;
            }
            if self.item(at) == b']' {
                return at + 1;
            }
        }
    }

    /// Whether a byte is in the set from `[` at `at` to `]` at `end`.
    fn in_set(&self, byte: u8, mut at: usize, end: usize) -> bool {
        let mut found = true;
        if self.item(at + 1) == b'^' {
            found = false;
            at += 1;
        }
        at += 1;
        while at < end {
            if self.item(at) == b'%' {
                at += 1;
                if in_class(byte, self.item(at)) {
                    return found;
                }
            } else if self.item(at + 1) == b'-' && at + 2 < end {
                if (self.item(at)..=self.item(at + 2)).contains(&byte) {
                    return found;
                }
                at += 2;
            } else if self.item(at) == byte {
                return found;
            }
            at += 1;
        }
        !found
    }

    /// Whether the byte at `at` is there and of the class.
    #[inline(always)]
    fn single(&self, at: usize, class: usize, end: usize) -> bool {
        let Some(&byte) = self.subject.get(at) else { return false };
        match self.item(class) {
            b'.' => true,
            b'%' => in_class(byte, self.item(class + 1)),
            b'[' => self.in_set(byte, class, end - 1),
            other => other == byte,
        }
    }

    /// One level deeper.
    #[inline]
    fn attempt(&mut self, at: usize, pattern: usize) -> Option<usize> {
        if self.depth >= DEPTH_MAX {
            self.raise(c"pattern too complex");
        }
        self.depth += 1;
        let end = self.matches(at, pattern);
        self.depth -= 1;
        end
    }

    fn matches(&mut self, mut at: usize, mut pattern: usize) -> Option<usize> {
        loop {
            self.tick(1);
            let Some(&first) = self.pattern.get(pattern) else { return Some(at) };
            match first {
                b'(' if self.item(pattern + 1) == b')' => {
                    return self.open(at, pattern + 2, CaptureLen::Position);
                }
                b'(' => return self.open(at, pattern + 1, CaptureLen::Unfinished),
                b')' => return self.close(at, pattern + 1),
                b'$' if pattern + 1 == self.pattern.len() => return (at == self.subject.len()).then_some(at),
                b'%' => match self.item(pattern + 1) {
                    b'b' => {
                        at = self.balance(at, pattern + 2)?;
                        pattern += 4;
                        continue;
                    }
                    b'f' => {
                        pattern = self.frontier(at, pattern + 2)?;
                        continue;
                    }
                    digit if digit.is_ascii_digit() => {
                        at = self.repeat(at, digit)?;
                        pattern += 2;
                        continue;
                    }
                    _ => {}
                },
                _ => {}
            }
            let end = self.class_end(pattern);
            match self.item(end) {
                b'?' => {
                    if self.single(at, pattern, end)
                        && let Some(found) = self.attempt(at + 1, end + 1)
                    {
                        return Some(found);
                    }
                    pattern = end + 1;
                }
                b'*' => return self.most(at, pattern, end),
                b'+' => {
                    return if self.single(at, pattern, end) {
                        self.most(at + 1, pattern, end)
                    } else {
                        None
                    };
                }
                b'-' => return self.fewest(at, pattern, end),
                _ => {
                    if !self.single(at, pattern, end) {
                        return None;
                    }
                    at += 1;
                    pattern = end;
                }
            }
        }
    }

    /// As many as there are, then fewer.
    fn most(&mut self, at: usize, class: usize, end: usize) -> Option<usize> {
        let mut count = 0;
        if self.item(class) == b'.' {
            count = self.subject.len().saturating_sub(at);
        } else {
            while self.single(at + count, class, end) {
                count += 1;
                self.tick(1);
            }
        }
        loop {
            if let Some(found) = self.attempt(at + count, end + 1) {
                return Some(found);
            }
            count = count.checked_sub(1)?;
        }
    }

    /// None, then more.
    fn fewest(&mut self, mut at: usize, class: usize, end: usize) -> Option<usize> {
        loop {
            if let Some(found) = self.attempt(at, end + 1) {
                return Some(found);
            }
            if !self.single(at, class, end) {
                return None;
            }
            at += 1;
        }
    }

    fn open(&mut self, at: usize, pattern: usize, len: CaptureLen) -> Option<usize> {
        let Some(capture) = self.captures.get_mut(self.level) else { self.raise(c"too many captures") };
        capture.write(Capture { start: at, len });
        self.level += 1;
        let end = self.attempt(at, pattern);
        if end.is_none() {
            self.level -= 1;
        }
        end
    }

    fn close(&mut self, at: usize, pattern: usize) -> Option<usize> {
        let open = |capture: &Capture| capture.len == CaptureLen::Unfinished;
        let Some(index) = self.taken().iter().rposition(open) else { self.raise(c"invalid pattern capture") };
        self.set_len(index, |capture| CaptureLen::Bytes(at.wrapping_sub(capture.start)));
        let end = self.attempt(at, pattern);
        if end.is_none() {
            self.set_len(index, |_| CaptureLen::Unfinished);
        }
        end
    }

    fn set_len(&mut self, index: usize, len: impl FnOnce(&Capture) -> CaptureLen) {
        if let Some(capture) = self.taken().get(index) {
            let changed = Capture { start: capture.start, len: len(capture) };
            if let Some(place) = self.captures.get_mut(index) {
                place.write(changed);
            }
        }
    }

    /// The captures so far.
    fn taken(&self) -> &[Capture] {
        // SAFETY: `open` writes a capture before it counts it, and counts no more than there are.
        unsafe { std::slice::from_raw_parts(self.captures.as_ptr().cast(), self.level) }
    }

    /// `%1` and its like: the same bytes as a capture's once more.
    fn repeat(&mut self, at: usize, digit: u8) -> Option<usize> {
        let index = usize::from(digit).checked_sub(usize::from(b'1'));
        let capture = index.and_then(|index| self.taken().get(index).copied());
        let (start, len) = match capture {
            None | Some(Capture { len: CaptureLen::Unfinished, .. }) => self.raise(c"invalid capture index"),
            Some(Capture { len: CaptureLen::Position, .. }) => return None,
            Some(Capture { start, len: CaptureLen::Bytes(len) }) => (start, len),
        };
        self.tick(len / 16);
        let captured = self.subject.get(start..start + len)?;
        (self.subject.get(at..at + len)? == captured).then_some(at + len)
    }

    /// `%b()`.
    fn balance(&mut self, at: usize, pattern: usize) -> Option<usize> {
        let (open, close) = (self.item(pattern), self.item(pattern + 1));
        if open == 0 || close == 0 {
            self.raise(c"unbalanced pattern");
        }
        let rest = self.subject.get(at..)?;
        if rest.first() != Some(&open) {
            return None;
        }
        let mut nested = 1_usize;
        for (offset, &byte) in rest.iter().enumerate().skip(1) {
            self.tick(1);
            if byte == close {
                nested -= 1;
                if nested == 0 {
                    return Some(at + offset + 1);
                }
            } else if byte == open {
                nested += 1;
            }
        }
        None
    }

    /// `%f[set]`: where the set begins. Returns what follows it in the pattern.
    fn frontier(&self, at: usize, pattern: usize) -> Option<usize> {
        if self.item(pattern) != b'[' {
            self.raise(c"missing '[' after '%f' in pattern");
        }
        let end = self.class_end(pattern);
        let byte = |at: Option<usize>| at.and_then(|at| self.subject.get(at)).copied().unwrap_or(0);
        let (before, here) = (byte(at.checked_sub(1)), byte(Some(at)));
        (!self.in_set(before, pattern, end - 1) && self.in_set(here, pattern, end - 1)).then_some(end)
    }

    /// Pushes a capture; the first one of a pattern without captures is the whole match.
    pub(super) fn push_capture(&self, index: usize, start: usize, end: usize) {
        match self.taken().get(index) {
            None if index == 0 => self.push_slice(start, end - start),
            None => self.raise(c"invalid capture index"),
            Some(capture) => match capture.len {
                CaptureLen::Unfinished => self.raise(c"unfinished capture"),
                CaptureLen::Position => self.stack.push_number((capture.start + 1) as f64),
                CaptureLen::Bytes(len) => self.push_slice(capture.start, len),
            },
        }
    }

    fn push_slice(&self, start: usize, len: usize) {
        self.stack.push_bytes(self.subject.get(start..start + len).unwrap_or_default());
    }

    /// Pushes all captures, or the whole match if `whole` and the pattern has none. Returns how many.
    pub(super) fn push_captures(&self, start: usize, end: usize, whole: bool) -> c_int {
        let count = if self.level == 0 && whole { 1 } else { self.level };
        let state: *mut lua_State = self.stack.state();
        // SAFETY: nothing here has a destructor.
        unsafe { ffi::luaL_checkstack(state, count as c_int, c"too many captures".as_ptr()) };
        for index in 0..count {
            self.push_capture(index, start, end);
        }
        count as c_int
    }
}

/// Whether a byte is of the class of this letter, as C's library tells in the C locale; a letter of no class is itself.
#[inline]
fn in_class(byte: u8, class: u8) -> bool {
    let is = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => matches!(byte, b' ' | b'\t'..=b'\r'),
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    is == class.is_ascii_lowercase()
}
