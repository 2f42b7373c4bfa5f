//! Reads a manifest's text, as strictly as Redis and with its words.

use super::{FileEntry, Manifest};
use moonshard_protocol::split_args::split_args;

/// Bytes of a line, its end included.
const LINE_MAX: usize = 1024;

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", self.place())]
pub struct ManifestError {
    /// Redis' text.
    pub reason: &'static str,
    /// The number of the line, beginning with 1, and the line without blanks around it; `None` where Redis tells no
    /// line.
    pub line: Option<(usize, Vec<u8>)>,
}

impl ManifestError {
    fn place(&self) -> String {
        self.line.as_ref().map_or_else(String::new, |(number, text)| {
            format!(", at line {number}: '{}'", String::from_utf8_lossy(text))
        })
    }
}

const MALFORMED: &str = "Invalid AOF manifest file format";

impl Manifest {
    /// Reads a manifest's text. Keywords that are not known, and comments, are passed over.
    ///
    /// # Errors
    /// For all that Redis refuses, with its words.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let refused = |reason, line| Err(ManifestError { reason, line });
        if text.is_empty() {
            return refused("Found an empty AOF manifest", None);
        }
        let mut manifest = Self::default();
        for (index, piece) in Pieces(text).enumerate() {
            if piece.first() == Some(&b'#') {
                continue;
            }
            let Some(line) = piece.strip_suffix(b"\n").filter(|line| !line.contains(&0)) else {
                return refused("The AOF manifest file contains too long line", None);
            };
            let line = trimmed(line);
            if let Err(reason) = manifest.take_line(line) {
                return refused(reason, Some((index + 1, line.to_vec())));
            }
        }
        manifest.skip_numbers_of_history();
        Ok(manifest)
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        /// Words of a line that has all that is needed.
        const WORDS_MIN: usize = 6;
        let words = split_args(line).filter(|words| words.len() >= WORDS_MIN && words.len() % 2 == 0);
        let (mut name, mut sequence, mut kind) = (None, 0, 0);
        for pair in words.ok_or(MALFORMED)?.chunks_exact(2) {
            let [key, value] = pair else { continue };
            if key.eq_ignore_ascii_case(b"file") {
                // C's strings end at a NUL.
                let value = value.split(|&byte| byte == 0).next().unwrap_or_default();
                if value.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
                    return Err("File can't be a path, just a filename");
                }
                name = Some(value.to_vec());
            } else if key.eq_ignore_ascii_case(b"seq") {
                sequence = leading_integer(value);
            } else if key.eq_ignore_ascii_case(b"type") {
                kind = value.first().copied().unwrap_or(0);
            }
        }
        // The highest number leaves none for the next file.
        let name = name.filter(|_| sequence != 0 && sequence != i64::MAX && kind != 0).ok_or(MALFORMED)?;
        let entry = FileEntry { name, sequence };
        match kind {
            b'b' if self.base.is_some() => return Err("Found duplicate base file information"),
            b'b' => {
                self.last_base = sequence;
                self.base = Some(entry);
            }
            b'h' => self.history.push(entry),
            b'i' if sequence <= self.last_increment => return Err("Found a non-monotonic sequence number"),
            b'i' => {
                self.last_increment = sequence;
                self.increments.push(entry);
            }
            _ => return Err("Unknown AOF file type"),
        }
        Ok(())
    }

    /// No new file is given the name of one that is history, which may yet have to be removed.
    fn skip_numbers_of_history(&mut self) {
        let numbers_of = |part: &[u8]| {
            let of_kind =
                self.history.iter().filter(|entry| entry.name.windows(part.len()).any(|at| at == part));
            of_kind.map(|entry| entry.sequence).filter(|&number| number < i64::MAX).max().unwrap_or(0)
        };
        let (bases, increments) = (numbers_of(b".base."), numbers_of(b".incr."));
        self.last_base = self.last_base.max(bases);
        self.last_increment = self.last_increment.max(increments);
    }
}

/// A text in lines with their ends. A line that is too long falls into pieces, each of which counts as a line, as C's
/// `fgets` hands them to Redis.
struct Pieces<'a>(&'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let within = self.0.get(..LINE_MAX).unwrap_or(self.0);
        let len = memchr::memchr(b'\n', within).map_or(within.len(), |at| at + 1);
        let (piece, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        (!piece.is_empty()).then_some(piece)
    }
}

fn trimmed(mut line: &[u8]) -> &[u8] {
    const fn is_blank(byte: u8) -> bool {
        matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
    }
    while let [first, rest @ ..] = line
        && is_blank(*first)
    {
        line = rest;
    }
    while let [rest @ .., last] = line
        && is_blank(*last)
    {
        line = rest;
    }
    line
}

/// What C's `atoll` makes of a text.
fn leading_integer(text: &[u8]) -> i64 {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let text = text.get(blanks..).unwrap_or_default();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    digits.iter().take_while(|byte| byte.is_ascii_digit()).fold(0i64, |value, byte| {
        let digit = i64::from(byte - b'0');
        let value = value.saturating_mul(10);
        if negative { value.saturating_sub(digit) } else { value.saturating_add(digit) }
    })
}
