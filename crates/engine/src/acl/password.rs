//! Passwords, of which only the SHA256 is kept.

use sha2::{Digest, Sha256};

/// A password's SHA256 as sixty-four lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PasswordHash([u8; 64]);

impl PasswordHash {
    /// The hash of a password.
    pub fn of(password: &[u8]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(Sha256::digest(password)) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(text)
    }

    /// The hash that these digits spell, if they are sixty-four lowercase ones.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        let text: [u8; 64] = digits.try_into().ok()?;
        text.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(text))
    }

    /// The digits.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// Whether both are the same, found out in a time that does not tell where they differ.
    pub(super) fn matches(&self, other: &Self) -> bool {
        self.0.iter().zip(other.0).fold(0, |difference, (x, y)| difference | (x ^ y)) == 0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash")
    }
}
