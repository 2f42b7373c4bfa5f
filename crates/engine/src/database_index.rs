//! Database numbers as clients write them.

use crate::args::Args;
use crate::error::Error;

/// The database that the argument at `index` names, among so many.
///
/// # Errors
/// As SELECT, MOVE and COPY say it: no integer, none of 32 bits, or [`Error::DB_INDEX_OUT_OF_RANGE`].
pub fn database_index(args: Args<'_>, index: usize, databases: usize) -> Result<usize, Error> {
    let number = args.int(index)?;
    if i32::try_from(number).is_err() {
        return Err(Error::fixed("ERR value is out of range, value must between -2147483648 and 2147483647"));
    }
    usize::try_from(number).ok().filter(|&db| db < databases).ok_or(Error::DB_INDEX_OUT_OF_RANGE)
}
