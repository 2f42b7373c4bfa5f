//! Intsets: width and number of the members, and the members in ascending order.

use super::Visit;
use crate::error::Error;
use moonshard_store::Element;

const CORRUPT: Error = Error::Corrupt("a set of integers that is none");

/// Shows each member to `visit`. O(n).
pub(super) fn visit<'a>(intset: &'a [u8], visit: Visit<'_, 'a>) -> Result<(), Error> {
    let (width, rest) = intset.split_first_chunk().ok_or(CORRUPT)?;
    let (count, members) = rest.split_first_chunk().ok_or(CORRUPT)?;
    let (width, count) = (u32::from_le_bytes(*width) as usize, u32::from_le_bytes(*count) as usize);
    if !matches!(width, 2 | 4 | 8) || count == 0 || count.checked_mul(width) != Some(members.len()) {
        return Err(CORRUPT);
    }
    let mut before = None;
    for member in members.chunks_exact(width) {
        let sign = if member[width - 1] & 0x80 == 0 { 0 } else { 0xff };
        let mut bytes = [sign; 8];
        bytes[..width].copy_from_slice(member);
        let value = i64::from_le_bytes(bytes);
        if before >= Some(value) {
            return Err(CORRUPT);
        }
        before = Some(value);
        visit(Element::Int(value))?;
    }
    Ok(())
}
