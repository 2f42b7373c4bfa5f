//! HyperLogLogs: strings of a form of their own.

mod pfadd;
mod pfcount;
mod pfdebug;
mod pfmerge;
mod pfselftest;
#[cfg(test)]
mod tests;

use crate::command::Command;
use crate::error::Error;
use moonshard_store::hyperloglog::{Corrupted, is_valid};

pub(super) const COMMANDS: &[&Command] =
    &[&pfadd::PFADD, &pfcount::PFCOUNT, &pfdebug::PFDEBUG, &pfmerge::PFMERGE, &pfselftest::PFSELFTEST];

/// A string of the form whose runs make no sense.
fn corrupted(_: Corrupted) -> Error {
    Error::fixed("INVALIDOBJ Corrupted HLL object detected")
}

/// The string, if it has the form.
///
/// # Errors
/// WRONGTYPE with a text of its own.
fn checked(value: &[u8]) -> Result<&[u8], Error> {
    if is_valid(value) {
        Ok(value)
    } else {
        Err(Error::fixed("WRONGTYPE Key is not a valid HyperLogLog string value."))
    }
}
