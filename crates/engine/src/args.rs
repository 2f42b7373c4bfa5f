//! A command's arguments, typed on demand.

use crate::error::Error;
use moonshard_store::number::{parse_f64, parse_i64};

/// The arguments of one call; the command's name is the first. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a>(&'a [&'a [u8]]);

impl<'a> Args<'a> {
    /// The arguments of a call, its name first.
    pub const fn new(arguments: &'a [&'a [u8]]) -> Self {
        Self(arguments)
    }

    /// How many there are, the name included.
    #[inline]
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there is not even a name.
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The argument at `index`, which the command's arity or the caller's own check says is there; empty if not.
    #[inline]
    pub fn raw(self, index: usize) -> &'a [u8] {
        debug_assert!(index < self.0.len(), "argument {index} of {}", self.0.len());
        self.0.get(index).copied().unwrap_or_default()
    }

    /// The argument at `index`, if there is one.
    #[inline]
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.0.get(index).copied()
    }

    /// All arguments from `index` on.
    pub fn from(self, index: usize) -> &'a [&'a [u8]] {
        self.0.get(index..).unwrap_or_default()
    }

    /// All arguments, the name included.
    pub const fn all(self) -> &'a [&'a [u8]] {
        self.0
    }

    /// The arguments in order, the name included.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.0.iter().copied()
    }

    /// Whether the argument at `index` is this word, in any case.
    #[inline]
    pub fn is(self, index: usize, word: &str) -> bool {
        self.get(index).is_some_and(|argument| argument.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// The argument at `index` as an integer.
    ///
    /// # Errors
    /// [`Error::NOT_AN_INTEGER`].
    #[inline]
    pub fn int(self, index: usize) -> Result<i64, Error> {
        parse_i64(self.raw(index)).ok_or(Error::NOT_AN_INTEGER)
    }

    /// The argument at `index` as an integer, with another error text when it is none.
    ///
    /// # Errors
    /// The given one.
    pub fn int_or(self, index: usize, error: Error) -> Result<i64, Error> {
        parse_i64(self.raw(index)).ok_or(error)
    }

    /// The argument at `index` as an integer within bounds, both included.
    ///
    /// # Errors
    /// [`Error::NOT_AN_INTEGER`], or the given text when it is out of bounds.
    pub fn int_in(self, index: usize, min: i64, max: i64, error: Error) -> Result<i64, Error> {
        let value = self.int(index)?;
        if (min..=max).contains(&value) { Ok(value) } else { Err(error) }
    }

    /// The argument at `index` as a count: an integer that is not negative.
    ///
    /// # Errors
    /// [`Error::OUT_OF_RANGE_POSITIVE`].
    pub fn count(self, index: usize) -> Result<usize, Error> {
        let value = parse_i64(self.raw(index)).ok_or(Error::OUT_OF_RANGE_POSITIVE)?;
        usize::try_from(value).map_err(|_| Error::OUT_OF_RANGE_POSITIVE)
    }

    /// The argument at `index` as a floating point number.
    ///
    /// # Errors
    /// [`Error::NOT_A_FLOAT`].
    pub fn float(self, index: usize) -> Result<f64, Error> {
        parse_f64(self.raw(index)).ok_or(Error::NOT_A_FLOAT)
    }
}
