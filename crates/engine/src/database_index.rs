//! Database numbers as clients write them.

use crate::args::Args;
use crate::error::Error;

/// The number of a database, existing or not, in the argument at `index`.
///
/// # Errors
/// As Redis says it of an integer of 32 bits: [`Error::NOT_AN_INTEGER`], or that it is out of their range.
pub fn database_number(args: Args<'_>, index: usize) -> Result<i32, Error> {
    i32::try_from(args.int(index)?)
        .map_err(|_| Error::fixed("ERR value is out of range, value must between -2147483648 and 2147483647"))
}

/// The database that the argument at `index` names, among so many.
///
/// # Errors
/// Those of [`database_number`], and [`Error::DB_INDEX_OUT_OF_RANGE`].
pub fn database_index(args: Args<'_>, index: usize, databases: usize) -> Result<usize, Error> {
    let number = usize::try_from(database_number(args, index)?).ok();
    number.filter(|&db| db < databases).ok_or(Error::DB_INDEX_OUT_OF_RANGE)
}
