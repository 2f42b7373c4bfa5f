//! The lines of the debugged text: which one runs, which ones have a breakpoint.

use super::log::Log;
use mlua::ffi::{self, lua_Debug, lua_State};
use std::cell::RefCell;
use std::ffi::{CStr, c_int};

/// Most breakpoints.
const BREAKPOINTS_MAX: usize = 64;

/// Whether a chunk of this name is the user's, and not code that the user's made or the server's own.
pub(super) fn is_users(source: &CStr) -> bool {
    source == c"@user_script" || source == c"@user_function"
}

/// The text and its breakpoints. Lines are counted from 1.
#[derive(Default)]
pub(super) struct Source {
    lines: Vec<Vec<u8>>,
    breakpoints: RefCell<Vec<c_int>>,
}

/// What became of a wish for a breakpoint.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Added {
    Yes,
    /// There is no such line, or it has one already.
    WrongLine,
    TooMany,
}

impl Source {
    pub(super) fn new(text: &[u8]) -> Self {
        let mut text = text;
        while let [rest @ .., b'\n' | b'\r'] = text {
            text = rest;
        }
        // A line is shown up to its first NUL.
        let line = |line: &[u8]| line.iter().copied().take_while(|&byte| byte != 0).collect();
        let lines =
            if text.is_empty() { Vec::new() } else { text.split(|&b| b == b'\n').map(line).collect() };
        Self { lines, breakpoints: RefCell::default() }
    }

    pub(super) fn has_breakpoint(&self, line: c_int) -> bool {
        self.breakpoints.borrow().contains(&line)
    }

    pub(super) fn breakpoints(&self) -> Vec<c_int> {
        self.breakpoints.borrow().clone()
    }

    pub(super) fn add_breakpoint(&self, line: i64) -> Added {
        if self.breakpoints.borrow().len() == BREAKPOINTS_MAX {
            return Added::TooMany;
        }
        match c_int::try_from(line) {
            Ok(line) if line > 0 && line as usize <= self.lines.len() && !self.has_breakpoint(line) => {
                self.breakpoints.borrow_mut().push(line);
                Added::Yes
            }
            _ => Added::WrongLine,
        }
    }

    /// Returns whether there was one.
    pub(super) fn remove_breakpoint(&self, line: i64) -> bool {
        let mut breakpoints = self.breakpoints.borrow_mut();
        let found = breakpoints.iter().position(|&at| i64::from(at) == line);
        found.map(|at| breakpoints.remove(at)).is_some()
    }

    pub(super) fn clear_breakpoints(&self) {
        self.breakpoints.borrow_mut().clear();
    }

    /// Shows a line, with a mark if it is the current one or has a breakpoint.
    pub(super) fn show(&self, log: &Log, line: c_int, current: c_int) {
        let mark = match (line == current, self.has_breakpoint(line)) {
            (true, true) => "->#",
            (true, false) => "-> ",
            (false, true) => "  #",
            (false, false) => "   ",
        };
        let text = usize::try_from(i64::from(line) - 1).ok().and_then(|at| self.lines.get(at));
        let text = text.map_or(&b"<out of range source code line>"[..], Vec::as_slice);
        log.line(&[format!("{mark}{line:<3} ").as_bytes(), text].concat());
    }

    /// Shows the lines that are no further than `context` from `around`.
    pub(super) fn list(&self, log: &Log, around: c_int, context: c_int, current: c_int) {
        for line in 1..=c_int::try_from(self.lines.len()).unwrap_or(c_int::MAX) {
            if around == 0 || i64::from(around.abs_diff(line)) <= i64::from(context) {
                self.show(log, line, current);
            }
        }
    }
}

/// Where each active function was last, to tell the begin of a line from a return into its middle: LuaJIT's hook runs
/// at both, Lua's only at the first.
#[derive(Default)]
pub(super) struct Progress {
    state: usize,
    /// By depth: the last line of the function there.
    lines: Vec<(usize, c_int)>,
}

impl Progress {
    /// Notes that a line runs, and tells whether it only goes on, after a call that it made.
    ///
    /// # Safety
    /// `state` runs a hook.
    pub(super) unsafe fn is_return(&mut self, state: *mut lua_State, line: c_int) -> bool {
        if self.state != state as usize {
            // Coroutines have stacks of their own, to which LuaJIT returns without a hook.
            self.state = state as usize;
            self.lines.clear();
        }
        // SAFETY: the caller's promise.
        let depth = unsafe { depth(state, self.lines.last().map_or(1, |&(depth, _)| depth)) };
        let mut came_back = false;
        while self.lines.last().is_some_and(|&(deeper, _)| deeper > depth) {
            self.lines.pop();
            came_back = true;
        }
        match self.lines.last_mut() {
            Some((same, last)) if *same == depth => {
                let goes_on = came_back && *last == line;
                *last = line;
                goes_on
            }
            _ => {
                self.lines.push((depth, line));
                false
            }
        }
    }
}

/// How many functions are active. `guess` is about how many there are.
unsafe fn depth(state: *mut lua_State, guess: usize) -> usize {
    // SAFETY: a C structure of numbers and pointers, which lua_getstack fills; the caller's promise.
    let exists = |level: usize| unsafe {
        let mut place: lua_Debug = std::mem::zeroed();
        ffi::lua_getstack(state, c_int::try_from(level).unwrap_or(c_int::MAX), &raw mut place) != 0
    };
    let mut depth = guess;
    while exists(depth) {
        depth += 1;
    }
    while depth > 0 && !exists(depth - 1) {
        depth -= 1;
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(show: impl FnOnce(&Log)) -> Vec<String> {
        let log = Log::default();
        show(&log);
        let text = String::from_utf8(log.take()).unwrap();
        text.split("\r\n").filter_map(|line| line.strip_prefix('+')).map(str::to_owned).collect()
    }

    #[test]
    fn lines_are_listed_around_one() {
        let source = Source::new(b"one\ntwo\r\n\nfour\0hidden\n\r\n");
        assert_eq!(source.add_breakpoint(2), Added::Yes);
        let all = shown(|log| source.list(log, 0, 0, 4));
        assert_eq!(all, ["   1   one", "  #2   two ", "   3   ", "-> 4   four"]);
        assert_eq!(shown(|log| source.list(log, 2, 1, 2)), ["   1   one", "->#2   two ", "   3   "]);
        assert_eq!(shown(|log| source.list(log, 2, -1, 2)).len(), 0);
        assert_eq!(shown(|log| source.show(log, 9, 1)), ["   9   <out of range source code line>"]);
        assert!(shown(|log| Source::new(b"\n").list(log, 0, 0, 1)).is_empty());
    }

    #[test]
    fn breakpoints_are_on_lines_that_exist() {
        let source = Source::new(&b"x\n".repeat(100)[..]);
        assert_eq!(source.add_breakpoint(101), Added::WrongLine);
        assert_eq!((source.add_breakpoint(1), source.add_breakpoint(1)), (Added::Yes, Added::WrongLine));
        source.clear_breakpoints();
        for line in 1..=64 {
            assert_eq!(source.add_breakpoint(line), Added::Yes);
        }
        assert_eq!(source.add_breakpoint(1), Added::TooMany);
        assert!(source.remove_breakpoint(7) && !source.remove_breakpoint(7));
        assert_eq!(source.add_breakpoint(65), Added::Yes);
        assert_eq!(source.breakpoints().len(), 64);
        source.clear_breakpoints();
        assert!(!source.has_breakpoint(1));
    }
}
