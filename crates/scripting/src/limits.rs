//! How long a script may run, and how much memory it may take.

use crate::flags::quoting;
use moonshard_engine::Error;

/// Limits of one run of a script; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Milliseconds.
    pub max_ms: u64,
    /// Bytes that it may take beyond those that its VM had when it began.
    pub memory_bytes: usize,
}

/// The smaller of two limits, of which 0 is none.
pub(crate) fn stricter(one: u64, other: u64) -> u64 {
    match (one, other) {
        (0, limit) | (limit, 0) => limit,
        (one, other) => one.min(other),
    }
}

impl Limits {
    /// Takes over an option of a script's or library's first line, `max-ms=..` or `memory-limit=..`, also by the names
    /// of the settings, which begin with `script-`. False if it is none of them.
    ///
    /// # Errors
    /// A value that is no number, or 0: a script cannot lift the server's limits.
    pub(crate) fn take_option(&mut self, option: &[u8]) -> Result<bool, Error> {
        let option = option.strip_prefix(b"script-").unwrap_or(option);
        if let Some(value) = option.strip_prefix(b"max-ms=") {
            let ms = number(value).filter(|&ms| ms > 0);
            self.max_ms = ms.ok_or_else(|| quoting("ERR Invalid max-ms in script shebang: ", value))?;
            return Ok(true);
        }
        if let Some(value) = option.strip_prefix(b"memory-limit=") {
            let bytes = bytes(value).filter(|&bytes| bytes > 0);
            let bytes =
                bytes.ok_or_else(|| quoting("ERR Invalid memory-limit in script shebang: ", value))?;
            self.memory_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            return Ok(true);
        }
        Ok(false)
    }
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

/// Bytes as the configuration takes them: `64mb`, `1000`.
fn bytes(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (value, unit) = text.split_at(digits);
    let factor = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    number(value)?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let mut limits = Limits::default();
        assert_eq!(limits.take_option(b"max-ms=20"), Ok(true));
        assert_eq!(limits.take_option(b"memory-limit=2MB"), Ok(true));
        assert_eq!(limits.take_option(b"flags=no-writes"), Ok(false));
        assert_eq!(limits, Limits { max_ms: 20, memory_bytes: 2 << 20 });
        assert_eq!(limits.take_option(b"script-max-ms=30"), Ok(true));
        assert_eq!(limits.take_option(b"script-memory-limit=3k"), Ok(true));
        assert_eq!(limits, Limits { max_ms: 30, memory_bytes: 3000 });
        assert_eq!(limits.take_option(b"script-flags=no-writes"), Ok(false));
        for wrong in ["max-ms=", "max-ms=0", "max-ms=1s", "max-ms=-1", "memory-limit=0", "memory-limit=1tb"] {
            assert!(limits.take_option(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(limits.take_option(b"memory-limit=99999999999999999999").ok(), None);
        assert_eq!(limits.take_option(b"memory-limit=99999999999999gb").ok(), None);
    }

    #[test]
    fn none_is_the_laxest() {
        assert_eq!((stricter(0, 0), stricter(0, 5), stricter(5, 0), stricter(5, 3)), (0, 5, 5, 3));
    }
}
