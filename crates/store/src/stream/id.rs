//! An entry's id.

use std::fmt;
use std::ops::Deref;

/// An entry's id: milliseconds, and a number among the entries of one millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time in milliseconds, or whatever the client chose.
    pub ms: u64,
    /// Tells apart ids of the same milliseconds.
    pub seq: u64,
}

impl StreamId {
    /// The least id, which no entry has.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    /// The greatest id.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// The id of these parts.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The id that comes next; `None` after the greatest.
    pub const fn successor(self) -> Option<Self> {
        match (self.seq.checked_add(1), self.ms.checked_add(1)) {
            (Some(seq), _) => Some(Self { ms: self.ms, seq }),
            (None, Some(ms)) => Some(Self { ms, seq: 0 }),
            (None, None) => None,
        }
    }

    /// The id that comes before; `None` before the least.
    pub const fn predecessor(self) -> Option<Self> {
        match (self.seq.checked_sub(1), self.ms.checked_sub(1)) {
            (Some(seq), _) => Some(Self { ms: self.ms, seq }),
            (None, Some(ms)) => Some(Self { ms, seq: u64::MAX }),
            (None, None) => None,
        }
    }

    /// The difference to `base`, as the packed form keeps it.
    pub(super) const fn delta(self, base: Self) -> (i64, i64) {
        (self.ms.wrapping_sub(base.ms) as i64, self.seq.wrapping_sub(base.seq) as i64)
    }

    /// The id at this difference from `self`.
    #[inline]
    pub(super) const fn at_delta(self, ms: i64, seq: i64) -> Self {
        Self { ms: self.ms.wrapping_add(ms as u64), seq: self.seq.wrapping_add(seq as u64) }
    }

    /// The id as text, `<ms>-<seq>`, without an allocation.
    #[inline]
    pub fn text(self) -> StreamIdText {
        let mut text = StreamIdText { bytes: [0; StreamIdText::LEN_MAX], len: 0 };
        let mut digits = itoa::Buffer::new();
        text.push(digits.format(self.ms).as_bytes());
        text.push(b"-");
        text.push(digits.format(self.seq).as_bytes());
        text
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The text of an id; derefs to its bytes.
#[derive(Clone, Copy, Debug)]
pub struct StreamIdText {
    bytes: [u8; Self::LEN_MAX],
    len: u8,
}

impl StreamIdText {
    /// Twice twenty digits and the dash.
    const LEN_MAX: usize = 41;

    #[inline]
    fn push(&mut self, part: &[u8]) {
        let start = usize::from(self.len);
        self.bytes[start..start + part.len()].copy_from_slice(part);
        self.len += part.len() as u8;
    }
}

impl Deref for StreamIdText {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_and_text() {
        let id = StreamId::new;
        assert_eq!(id(1, 2).successor(), Some(id(1, 3)));
        assert_eq!(id(1, u64::MAX).successor(), Some(id(2, 0)));
        assert_eq!(StreamId::MAX.successor(), None);
        assert_eq!(id(2, 0).predecessor(), Some(id(1, u64::MAX)));
        assert_eq!(StreamId::MIN.predecessor(), None);
        assert_eq!(&*StreamId::MAX.text(), b"18446744073709551615-18446744073709551615");
        assert_eq!(&*StreamId::MIN.text(), b"0-0");
        let (a, b) = (id(5, 9), id(u64::MAX, 3));
        let (ms, seq) = b.delta(a);
        assert_eq!(a.at_delta(ms, seq), b);
    }
}
