//! The limit on strings that grow in place.

use crate::error::Error;

/// Whether a string of `len` bytes may grow by `more`.
pub(super) fn check_len(len: usize, more: usize, len_max: u64) -> Result<(), Error> {
    match len.checked_add(more) {
        Some(total) if total as u64 <= len_max => Ok(()),
        _ => Err(Error::STRING_TOO_LONG),
    }
}
