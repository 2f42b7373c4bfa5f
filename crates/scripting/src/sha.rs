//! The name of a script: the SHA1 of its text.

use sha1::{Digest, Sha1};

/// A SHA1 as forty lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha([u8; 40]);

impl Sha {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 40];
        for (pair, byte) in text.chunks_exact_mut(2).zip(Sha1::digest(bytes)) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(text)
    }

    /// What a client calls a script by: forty bytes, capital letters made small. Whether they are digits is left
    /// to the look-up, which would not find them.
    #[inline]
    pub fn from_client(text: &[u8]) -> Option<Self> {
        let mut sha: [u8; 40] = text.try_into().ok()?;
        sha.make_ascii_lowercase();
        Some(Self(sha))
    }

    /// The digits.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8; 40] {
        &self.0
    }

    /// The digits as text; empty if a client's bytes were none.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// 64 of its bits: a hash as good as any, since the digest is one.
    #[inline]
    pub(crate) fn bits(&self) -> u64 {
        let mut bits = 0u64;
        for digit in &self.0[..16] {
            // '0'..='9' are 0x30..=0x39, 'a'..='f' are 0x61..=0x66.
            bits = (bits << 4) | u64::from((digit & 15) + 9 * (digit >> 6));
        }
        bits
    }
}

/// So that a map of scripts is asked for the bytes that a client sent, without a copy of them.
impl std::borrow::Borrow<[u8; 40]> for Sha {
    fn borrow(&self) -> &[u8; 40] {
        &self.0
    }
}

impl std::fmt::Debug for Sha {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for Sha {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_lowercase_hexadecimal() {
        assert_eq!(Sha::of(b"return 1").as_str(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
        let upper = Sha::from_client(b"E0E1F9FABFC9D4800C877A703B823AC0578FF8DB");
        assert_eq!(upper, Some(Sha::of(b"return 1")));
        assert_eq!(Sha::from_client(b"e0e1"), None);
        assert_eq!(Sha::of(b"return 1").bits(), 0xe0e1_f9fa_bfc9_d480);
    }
}
