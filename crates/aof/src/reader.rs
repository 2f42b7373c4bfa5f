//! Finds the commands in a file of the log.

mod command;
#[cfg(test)]
mod tests;

pub use command::Command;

use std::io::{self, Read};

/// What a file begins with that is in Redis' RDB format, or has such a part before its commands.
pub const RDB_MAGIC: &[u8] = b"REDIS";

/// Bytes that are asked for at once, at least.
const CHUNK: usize = 1 << 18;
/// Memory that is not kept for the next item.
const KEPT_MAX: usize = 4 << 20;
/// Bytes of an annotation, its end included, that Redis reads as one.
const ANNOTATION_MAX: usize = 1023;
/// The highest number of arguments.
const ARGS_MAX: u64 = i32::MAX as u64;
/// The highest length of an argument that is worth waiting for.
const ARG_LEN_MAX: u64 = 1 << 40;

/// What a file consists of.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A command, which may be MULTI or EXEC.
    Command(Command<'a>),
    /// A line that begins with `#`, without its end. Redis passes over it.
    Annotation(&'a [u8]),
}

/// Why a file cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The end is missing, of a command or of a transaction: what a crash leaves behind.
    #[error("it ends at byte {len}, before what begins at byte {valid_up_to} is complete")]
    Torn {
        /// Where the last whole command ends that is in no open transaction: the file's length once it is repaired.
        valid_up_to: u64,
        /// The file's length.
        len: u64,
    },
    /// There is something that the log never writes.
    #[error("at byte {offset}: {reason}")]
    Corrupt {
        /// As in [`Damage::Torn`].
        valid_up_to: u64,
        /// Where it is.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// The system's.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads a file of commands item by item. Memory is taken for bytes that are there, whatever a length says: at most about
/// twice the longest item.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
    /// Where in the buffer the current item begins.
    at: usize,
    /// The current item's length, once it is known.
    len: usize,
    /// Where the buffer lies in the file.
    begin: u64,
    /// The arguments of the current command, from its begin.
    spans: Vec<(usize, usize)>,
    in_transaction: bool,
    valid_up_to: u64,
}

impl<R: Read> Reader<R> {
    /// A reader of what `source` reads, which needs no buffer of its own.
    pub const fn new(source: R) -> Self {
        Self::starting_at(source, 0)
    }

    /// A reader whose source stands at this byte of its file: behind a part in the RDB format.
    pub const fn starting_at(source: R, offset: u64) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            at: 0,
            len: 0,
            begin: offset,
            spans: Vec::new(),
            in_transaction: false,
            valid_up_to: offset,
        }
    }

    /// Where the last whole item ends that is in no open transaction. A file that is cut there is whole.
    pub const fn valid_up_to(&self) -> u64 {
        self.valid_up_to
    }

    /// Where the last item ends.
    pub const fn offset(&self) -> u64 {
        self.begin + (self.at + self.len) as u64
    }

    /// Whether MULTI was read, and not yet its EXEC.
    pub const fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// The next item; `None` at the file's end. Linear in its bytes.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read. Nothing more is to be read then.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Item<'_>>, Damage> {
        self.at += self.len;
        self.len = 0;
        self.spans.clear();
        if self.buffer.capacity() > KEPT_MAX && self.buffer.len() - self.at < KEPT_MAX / 2 {
            self.compact();
            self.buffer.shrink_to(KEPT_MAX);
        }
        if !self.fill(1)? {
            return if self.in_transaction { Err(self.torn()) } else { Ok(None) };
        }
        match self.byte(0)? {
            b'*' => self.command()?,
            b'#' => self.annotation()?,
            other => {
                return Err(self.corrupt(0, &format!("a command begins with '*', not with {}", shown(other))));
            }
        }
        if !self.in_transaction {
            self.valid_up_to = self.offset();
        }
        let item = &self.buffer[self.at..self.at + self.len];
        Ok(Some(if self.spans.is_empty() {
            Item::Annotation(item.strip_suffix(b"\r\n").or(item.strip_suffix(b"\n")).unwrap_or(item))
        } else {
            Item::Command(Command::new(item, &self.spans, self.begin + self.at as u64))
        }))
    }

    fn command(&mut self) -> Result<(), Damage> {
        let (count, mut at) = self.number(1)?;
        if count == 0 || count > ARGS_MAX {
            return Err(self.corrupt(1, &format!("{count} is no number of arguments")));
        }
        for _ in 0..count {
            match self.byte(at)? {
                b'$' => {}
                other => {
                    return Err(
                        self.corrupt(at, &format!("an argument begins with '$', not with {}", shown(other)))
                    );
                }
            }
            let (len, start) = self.number(at + 1)?;
            if len > ARG_LEN_MAX {
                return Err(self.corrupt(at + 1, &format!("{len} is no length of an argument")));
            }
            let end = start + len as usize;
            if !self.fill(end + 2)? {
                // What has come of the line's end must be right for the rest to be merely missing.
                let wrong = self.buffer.get(self.at + end).is_some_and(|&byte| byte != b'\r');
                return Err(if wrong { self.no_line_end(end) } else { self.torn() });
            }
            self.line_end(end)?;
            self.spans.push((start, end));
            at = end + 2;
        }
        self.len = at;
        self.follow_transaction()
    }

    /// Notes that the current command begins or ends a transaction.
    fn follow_transaction(&mut self) -> Result<(), Damage> {
        const LEN: usize = 5;
        let Some(&(start, end)) = self.spans.first() else { return Ok(()) };
        if end - start > LEN {
            return Ok(());
        }
        let name = &self.buffer[self.at + start..self.at + end];
        let begins = name.eq_ignore_ascii_case(b"multi");
        let ends = name.eq_ignore_ascii_case(b"exec");
        match (begins, ends, self.in_transaction) {
            (true, _, true) => return Err(self.corrupt(0, "MULTI inside a transaction")),
            (_, true, false) => return Err(self.corrupt(0, "EXEC without MULTI")),
            (true, ..) => self.in_transaction = true,
            (_, true, _) => self.in_transaction = false,
            _ => {}
        }
        Ok(())
    }

    fn annotation(&mut self) -> Result<(), Damage> {
        let mut seen = 0;
        loop {
            let there = self.buffer.get(self.at + seen..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', there) {
                self.len = seen + at + 1;
                break;
            }
            seen += there.len();
            if seen > ANNOTATION_MAX {
                break;
            }
            if !self.fill(seen + 1)? {
                return Err(self.torn());
            }
        }
        if self.len > ANNOTATION_MAX || self.len == 0 {
            self.len = 0;
            return Err(self.corrupt(0, &format!("an annotation of more than {ANNOTATION_MAX} bytes")));
        }
        Ok(())
    }

    /// The number from `at` on, and where its line ends.
    fn number(&mut self, at: usize) -> Result<(u64, usize), Damage> {
        /// Digits of numbers that fit, with zeros before them.
        const DIGITS_MAX: usize = 18;
        let (mut value, mut digits) = (0u64, 0);
        loop {
            match self.byte(at + digits)? {
                byte @ b'0'..=b'9' if digits < DIGITS_MAX => {
                    value = value * 10 + u64::from(byte - b'0');
                    digits += 1;
                }
                b'\r' if digits > 0 => break,
                other => {
                    return Err(self.corrupt(at + digits, &format!("{} in a number", shown(other))));
                }
            }
        }
        self.line_end(at + digits)?;
        Ok((value, at + digits + 2))
    }

    /// Wants the end of a line at `at`.
    #[inline]
    fn line_end(&mut self, at: usize) -> Result<(), Damage> {
        if self.byte(at)? == b'\r' && self.byte(at + 1)? == b'\n' {
            Ok(())
        } else {
            Err(self.no_line_end(at))
        }
    }

    #[cold]
    fn no_line_end(&self, at: usize) -> Damage {
        self.corrupt(at, "no end of a line where there must be one")
    }

    /// The byte at this distance from the current item's begin.
    #[inline]
    fn byte(&mut self, at: usize) -> Result<u8, Damage> {
        loop {
            if let Some(&byte) = self.buffer.get(self.at + at) {
                return Ok(byte);
            }
            if !self.fill(at + 1)? {
                return Err(self.torn());
            }
        }
    }

    /// Has at least `needed` bytes of the current item in the buffer; false when the file ends before.
    fn fill(&mut self, needed: usize) -> io::Result<bool> {
        while self.buffer.len() - self.at < needed {
            self.compact();
            // As much again as has come, so that a length that lies does not take memory.
            let missing = needed - self.buffer.len();
            let step = CHUNK.max(missing.min(self.buffer.len()));
            let read = (&mut self.source).take(step as u64).read_to_end(&mut self.buffer)?;
            if read == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Drops what lies before the current item.
    fn compact(&mut self) {
        self.buffer.drain(..self.at);
        self.begin += self.at as u64;
        self.at = 0;
    }

    /// The file has ended too early.
    #[cold]
    fn torn(&self) -> Damage {
        Damage::Torn { valid_up_to: self.valid_up_to, len: self.begin + self.buffer.len() as u64 }
    }

    #[cold]
    fn corrupt(&self, at: usize, reason: &str) -> Damage {
        let offset = self.begin + (self.at + at) as u64;
        Damage::Corrupt { valid_up_to: self.valid_up_to, offset, reason: reason.to_owned() }
    }
}

/// A byte as people read it.
fn shown(byte: u8) -> String {
    if byte.is_ascii_graphic() { format!("'{}'", char::from(byte)) } else { format!("byte 0x{byte:02x}") }
}
