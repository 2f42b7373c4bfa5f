//! Offsets of bits.

use crate::error::Error;
use moonshard_store::number::parse_i64;

const INVALID: Error = Error::fixed("ERR bit offset is not an integer or out of range");

/// The offset that an argument tells, of a bit in a string of at most `len_max` bytes.
///
/// # Errors
/// When it is no number, negative, or beyond the longest string.
pub(super) fn bit_offset(argument: &[u8], len_max: u64) -> Result<usize, Error> {
    check(parse_i64(argument).ok_or(INVALID)?, len_max)
}

/// The same, where `#n` tells the offset of the n-th field of so many bits.
///
/// # Errors
/// As [`bit_offset`].
pub(super) fn field_offset(argument: &[u8], bits: u32, len_max: u64) -> Result<usize, Error> {
    match argument.strip_prefix(b"#") {
        Some(index) => check(parse_i64(index).ok_or(INVALID)?.wrapping_mul(i64::from(bits)), len_max),
        None => bit_offset(argument, len_max),
    }
}

fn check(offset: i64, len_max: u64) -> Result<usize, Error> {
    match usize::try_from(offset) {
        Ok(offset) if ((offset >> 3) as u64) < len_max => Ok(offset),
        _ => Err(INVALID),
    }
}
