//! Zipmaps, the packed hashes of Redis before 2.6: count, then field, value and unused bytes by turns, an end.

use super::Visit;
use crate::error::Error;
use crate::format::PACKED_END;
use moonshard_store::Element;

const CORRUPT: Error = Error::Corrupt("a zipmap that is none");
/// The first byte of a length that takes four bytes more, and the count that says: count them.
const LONG: u8 = 0xfe;

/// Shows fields and values by turns to `visit`. O(n).
pub(super) fn visit<'a>(zipmap: &'a [u8], visit: Visit<'_, 'a>) -> Result<(), Error> {
    let Some((&count, rest)) = zipmap.split_first() else { return Err(CORRUPT) };
    let Some((&PACKED_END, mut rest)) = rest.split_last() else { return Err(CORRUPT) };
    let mut seen = 0usize;
    while !rest.is_empty() {
        let field;
        (field, rest) = text(rest, 0).ok_or(CORRUPT)?;
        let value;
        (value, rest) = text(rest, 1).ok_or(CORRUPT)?;
        visit(Element::Bytes(field))?;
        visit(Element::Bytes(value))?;
        seen += 1;
    }
    if seen == 0 || (count < LONG && usize::from(count) != seen) || count == PACKED_END {
        return Err(CORRUPT);
    }
    Ok(())
}

/// A text with its length and, if `spare` is 1, a byte that tells of unused bytes after it; and the rest.
fn text(at: &[u8], spare: usize) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = at.split_first()?;
    let (len, rest) = match first {
        PACKED_END => return None,
        LONG => {
            let (len, rest) = rest.split_first_chunk()?;
            let len = u32::from_le_bytes(*len) as usize;
            // A short length takes one byte, or the same map could be written in two ways.
            (len >= usize::from(LONG)).then_some((len, rest))?
        }
        short => (usize::from(short), rest),
    };
    let (unused, rest) = rest.split_at_checked(spare)?;
    let (text, rest) = rest.split_at_checked(len)?;
    Some((text, rest.get(unused.first().copied().unwrap_or(0).into()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut elements = Vec::new();
        visit(bytes, &mut |element| {
            elements.push(element.to_vec());
            Ok(())
        })
        .ok()?;
        Some(elements)
    }

    #[test]
    fn fields_values_and_what_is_unused() {
        let map = b"\x02\x03foo\x03\x00bar\x05hello\x05\x02world..\xff";
        assert_eq!(read(map).unwrap(), [&b"foo"[..], b"bar", b"hello", b"world"]);
        let mut long = b"\x01\xfe\x2c\x01\x00\x00".to_vec();
        long.extend([b'f'; 300]);
        long.extend(b"\x00\x00\xff");
        assert_eq!(read(&long).unwrap(), [&[b'f'; 300][..], b""]);
        for wrong in [
            &b"\x00\xff"[..],
            b"\x01\xff",
            b"\x02\x01a\x01\x00b\xff",
            b"\x01\x01a\x01\x01b\xff",
            b"\x01\x01a\x09\x00b\xff",
            b"\x01\x01a\x01\x00b",
            b"\x01\x01a\xff",
            b"\x01\xfe\x01\x00\x00\x00a\x01\x00b\xff",
            b"\xff",
            b"",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
