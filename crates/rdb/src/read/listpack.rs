//! Listpacks: six bytes of size and count, elements, an end.

use super::Visit;
use crate::error::Error;
use crate::format::{COUNT_UNKNOWN, LISTPACK_HEADER, PACKED_END};
use moonshard_store::Packed;

const CORRUPT: Error = Error::Corrupt("a listpack that is none");

/// Shows each element to `visit`. O(n).
pub(super) fn visit<'a>(listpack: &'a [u8], visit: Visit<'_, 'a>) -> Result<(), Error> {
    let (mut rest, count) = open(listpack).ok_or(CORRUPT)?;
    let mut seen = 0usize;
    while !rest.is_empty() {
        let (element, len) = Packed::decode_raw(rest).ok_or(CORRUPT)?;
        visit(element)?;
        rest = &rest[len..];
        seen += 1;
    }
    if count != COUNT_UNKNOWN && usize::from(count) != seen {
        return Err(CORRUPT);
    }
    Ok(())
}

/// The bytes of the elements, and their number as it is stated.
pub(super) fn open(listpack: &[u8]) -> Option<(&[u8], u16)> {
    let (header, rest) = listpack.split_first_chunk::<LISTPACK_HEADER>()?;
    let (end, elements) = rest.split_last()?;
    let [a, b, c, d, low, high] = *header;
    let size = u32::from_le_bytes([a, b, c, d]);
    (size as usize == listpack.len() && *end == PACKED_END)
        .then_some((elements, u16::from_le_bytes([low, high])))
}
