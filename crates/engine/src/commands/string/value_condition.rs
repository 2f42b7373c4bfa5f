//! The conditions on a string's present value that SET and DELEX know: IFEQ, IFNE, IFDEQ and IFDNE.

use super::digest::hex_digest;
use crate::args::Args;
use crate::error::Error;

/// How the present value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    /// It is these bytes.
    Equal,
    /// It is other bytes.
    NotEqual,
    /// Its digest is this one.
    DigestEqual,
    /// Its digest is another one.
    DigestNotEqual,
}

/// A condition on the string that a key holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ValueCondition<'a> {
    comparison: Comparison,
    operand: &'a [u8],
}

impl<'a> ValueCondition<'a> {
    /// The condition that begins with the word at `index`, if that is one and something follows.
    pub(super) fn of(args: Args<'a>, index: usize) -> Option<Self> {
        let words = [
            ("IFEQ", Comparison::Equal),
            ("IFNE", Comparison::NotEqual),
            ("IFDEQ", Comparison::DigestEqual),
            ("IFDNE", Comparison::DigestNotEqual),
        ];
        let comparison = words.into_iter().find(|(word, _)| args.is(index, word)).map(|(_, found)| found)?;
        Some(Self { comparison, operand: args.get(index + 1)? })
    }

    /// Whether it holds for a key that is not there: what is not there differs from anything.
    pub(super) const fn holds_without_key(self) -> bool {
        matches!(self.comparison, Comparison::NotEqual | Comparison::DigestNotEqual)
    }

    /// Whether it holds for this value. Digests are compared without regard to case.
    ///
    /// # Errors
    /// A digest of another length than digests have.
    pub(super) fn holds(self, value: &[u8]) -> Result<bool, Error> {
        let same_digest = |operand: &[u8]| {
            let digest = hex_digest(value);
            if operand.len() != digest.len() {
                return Err(Error::fixed("ERR must be exactly 16 hexadecimal characters"));
            }
            Ok(operand.eq_ignore_ascii_case(&digest))
        };
        Ok(match self.comparison {
            Comparison::Equal => value == self.operand,
            Comparison::NotEqual => value != self.operand,
            Comparison::DigestEqual => same_digest(self.operand)?,
            Comparison::DigestNotEqual => !same_digest(self.operand)?,
        })
    }
}
