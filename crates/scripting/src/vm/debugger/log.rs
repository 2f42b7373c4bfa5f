//! What the client is told, line by line, until it is sent as one array.

use moonshard_protocol::{Encoding, Reply};
use std::cell::{Cell, RefCell};

/// Bytes of a shown value or reply, unless the client says otherwise.
const LEN_MAX: usize = 256;
/// What the client cannot go below.
const LEN_MIN: i32 = 60;
/// Bytes of lines that wait for the script's next stop; more are dropped.
const WAITING_MAX: usize = 16 << 20;

/// The lines that were not sent yet.
pub(super) struct Log {
    lines: RefCell<Reply>,
    count: Cell<usize>,
    /// Bytes of a shown value; 0 for any number.
    len_max: Cell<usize>,
    hint_given: Cell<bool>,
    /// Whether lines were dropped since the last stop.
    overflowed: Cell<bool>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            lines: RefCell::new(Reply::new(Encoding::Resp2)),
            count: Cell::new(0),
            len_max: Cell::new(LEN_MAX),
            hint_given: Cell::new(false),
            overflowed: Cell::new(false),
        }
    }
}

impl Log {
    /// Adds a line; line ends in it become spaces.
    pub(super) fn line(&self, text: &[u8]) {
        let mut lines = self.lines.borrow_mut();
        if lines.len() + text.len() > WAITING_MAX && !self.overflowed.replace(true) {
            lines.status("<hint> Too much to show before the next stop: lines were dropped.");
            self.count.set(self.count.get() + 1);
        }
        if self.overflowed.get() {
            return;
        }
        let flat: Vec<u8> =
            text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }).collect();
        lines.status_bytes(&flat);
        self.count.set(self.count.get() + 1);
    }

    /// Adds a line that shows a value, cut to what the client wants to see.
    pub(super) fn cut(&self, text: &[u8]) {
        let len_max = self.len_max.get();
        if len_max == 0 || text.len() <= len_max {
            return self.line(text);
        }
        self.line(&[&text[..len_max], b" ..."].concat());
        if !self.hint_given.replace(true) {
            self.line(b"<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.");
        }
    }

    /// Bytes of a value that are worth working out.
    pub(super) fn budget(&self) -> usize {
        match self.len_max.get() {
            0 => super::show::LEN_MAX,
            len_max => len_max + 1,
        }
    }

    /// The `maxlen` command: sets the longest value, if one is given, and tells it.
    pub(super) fn set_len_max(&self, len_max: Option<i32>) {
        if let Some(len_max) = len_max {
            self.hint_given.set(true);
            self.len_max.set(if len_max == 0 { 0 } else { len_max.max(LEN_MIN) as usize });
        }
        match self.len_max.get() {
            0 => self.line(b"<value> replies are unlimited."),
            len_max => self.line(format!("<value> replies are truncated at {len_max} bytes.").as_bytes()),
        }
    }

    /// Takes all lines, as one array.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut all = Reply::new(Encoding::Resp2);
        all.array(self.count.take());
        let lines = std::mem::replace(&mut *self.lines.borrow_mut(), Reply::new(Encoding::Resp2));
        all.raw(lines.as_bytes());
        self.overflowed.set(false);
        all.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_flat_and_values_are_cut() {
        let log = Log::default();
        log.line(b"a\r\nb");
        log.cut(&[b'x'; 300]);
        log.cut(&[b'y'; 300]);
        let text = String::from_utf8(log.take()).unwrap();
        let lines: Vec<&str> = text.split("\r\n").collect();
        assert_eq!(lines[..2], ["*4", "+a  b"]);
        assert_eq!(lines[2], format!("+{} ...", "x".repeat(256)));
        assert!(lines[3].starts_with("+<hint> The above reply was trimmed."));
        assert_eq!(lines[4], format!("+{} ...", "y".repeat(256)));
        assert_eq!(log.take(), b"*0\r\n");
    }

    #[test]
    fn the_length_has_a_least() {
        let log = Log::default();
        for len_max in [None, Some(-1), Some(60), Some(61), Some(0)] {
            log.set_len_max(len_max);
        }
        let text = String::from_utf8(log.take()).unwrap();
        let shown = |len: usize| format!("+<value> replies are truncated at {len} bytes.\r\n");
        let expected =
            [&*shown(256), &shown(60), &shown(60), &shown(61), "+<value> replies are unlimited.\r\n"]
                .concat();
        assert_eq!(text, format!("*5\r\n{expected}"));
    }

    #[test]
    fn what_waits_is_bounded() {
        let log = Log::default();
        let line = vec![b'x'; 1 << 20];
        (0..40).for_each(|_| log.line(&line));
        let bytes = log.take();
        assert!(bytes.len() < WAITING_MAX + (1 << 20));
        assert!(bytes.ends_with(b"lines were dropped.\r\n"));
    }
}
