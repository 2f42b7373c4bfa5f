//! Ranges of bytes or bits, as BITCOUNT and BITPOS take them.

use crate::args::Args;
use crate::error::Error;
use std::ops::Range;

/// What a range's ends count.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Unit {
    #[default]
    Byte,
    Bit,
}

impl Unit {
    /// The unit that the argument at `at` names.
    ///
    /// # Errors
    /// [`Error::SYNTAX`].
    pub(super) fn parse(args: Args<'_>, at: usize) -> Result<Self, Error> {
        if args.is(at, "BIT") {
            Ok(Self::Bit)
        } else if args.is(at, "BYTE") {
            Ok(Self::Byte)
        } else {
            Err(Error::SYNTAX)
        }
    }

    /// The bits from `start` to `end`, both included and counted from the end when negative, of a string of `len`
    /// bytes; empty if there is none.
    pub(super) fn bits(self, start: i64, end: i64, len: usize) -> Range<usize> {
        let width = if self == Self::Bit { 1 } else { 8 };
        let total = (len * 8 / width) as i64;
        let from_end = |at: i64| if at < 0 { (total + at).max(0) } else { at };
        let (start, end) = (from_end(start), from_end(end).min(total - 1));
        if start > end { 0..0 } else { start as usize * width..(end as usize + 1) * width }
    }
}
