//! CLIENT and its subcommands.

use moonshard_engine::Error;

/// Whether a client may have this name.
///
/// # Errors
/// Redis' text when it holds blanks or control characters.
pub(super) fn check_name(name: &[u8]) -> Result<(), Error> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Ok(());
    }
    Err(Error::fixed("ERR Client names cannot contain spaces, newlines or special characters."))
}
