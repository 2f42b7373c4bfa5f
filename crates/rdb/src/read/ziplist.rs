//! Ziplists, the packed form before Redis 7: size, place of the last entry, count, entries, an end. Each entry begins
//! with the size of the one before.

use super::Visit;
use crate::error::Error;
use crate::format::{COUNT_UNKNOWN, PACKED_END};
use moonshard_store::Element;

const CORRUPT: Error = Error::Corrupt("a ziplist that is none");
/// Bytes before the first entry.
const HEADER: usize = 10;
/// The first byte of a size that takes four bytes more.
const LONG_SIZE: u8 = 0xfe;

/// Shows each element to `visit`. O(n).
pub(super) fn visit<'a>(ziplist: &'a [u8], visit: Visit<'_, 'a>) -> Result<(), Error> {
    let header: &[u8; HEADER] = ziplist.first_chunk().ok_or(CORRUPT)?;
    let [a, b, c, d, e, f, g, h, low, high] = *header;
    let (size, tail) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    let count = u16::from_le_bytes([low, high]);
    let Some((&PACKED_END, entries)) = ziplist[HEADER..].split_last() else { return Err(CORRUPT) };
    if size as usize != ziplist.len() {
        return Err(CORRUPT);
    }
    let (mut at, mut size_before, mut seen) = (0, 0, 0usize);
    while at < entries.len() {
        let (stated, head) = size_of_previous(&entries[at..]).ok_or(CORRUPT)?;
        if stated != size_before {
            return Err(CORRUPT);
        }
        let (element, body) = decode(&entries[at + head..]).ok_or(CORRUPT)?;
        visit(element)?;
        size_before = head + body;
        at += size_before;
        seen += 1;
    }
    if tail as usize != HEADER + at - size_before || (count != COUNT_UNKNOWN && usize::from(count) != seen) {
        return Err(CORRUPT);
    }
    Ok(())
}

/// The size of the entry before, and the bytes that it is written in.
fn size_of_previous(at: &[u8]) -> Option<(usize, usize)> {
    match *at.first()? {
        LONG_SIZE => {
            let size: [u8; 4] = *at.get(1..5)?.first_chunk()?;
            Some((u32::from_le_bytes(size) as usize, 5))
        }
        PACKED_END => None,
        size => Some((size.into(), 1)),
    }
}

/// The element at the begin of `at`, and the bytes that it takes.
fn decode(at: &[u8]) -> Option<(Element<'_>, usize)> {
    let text = |head: usize, len: usize| {
        let end = head.checked_add(len)?;
        Some((Element::Bytes(at.get(head..end)?), end))
    };
    let int = |width: usize| {
        let bytes = at.get(1..=width)?;
        let sign = if bytes[width - 1] & 0x80 == 0 { 0 } else { 0xff };
        let mut whole = [sign; 8];
        whole[..width].copy_from_slice(bytes);
        Some((Element::Int(i64::from_le_bytes(whole)), 1 + width))
    };
    match *at.first()? {
        first @ 0..0x40 => text(1, first.into()),
        first @ 0x40..0x80 => text(2, usize::from(first & 0x3f) << 8 | usize::from(*at.get(1)?)),
        0x80..0xc0 => {
            let len: [u8; 4] = *at.get(1..5)?.first_chunk()?;
            text(5, u32::from_be_bytes(len) as usize)
        }
        0xc0 => int(2),
        0xd0 => int(4),
        0xe0 => int(8),
        0xf0 => int(3),
        0xfe => int(1),
        first @ 0xf1..=0xfd => Some((Element::Int(i64::from(first & 0x0f) - 1), 1)),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A ziplist of these elements.
    pub(crate) fn ziplist(elements: &[Element<'_>]) -> Vec<u8> {
        let (mut out, mut before, mut tail) = (vec![0; HEADER], 0usize, HEADER);
        for element in elements {
            tail = out.len();
            if before < 254 {
                out.push(before as u8);
            } else {
                out.push(LONG_SIZE);
                out.extend_from_slice(&(before as u32).to_le_bytes());
            }
            match *element {
                Element::Int(value @ 0..=12) => out.push(0xf1 + value as u8),
                Element::Int(value) => {
                    let bytes = value.to_le_bytes();
                    let (tag, width) = match value {
                        -0x80..=0x7f => (0xfe, 1),
                        -0x8000..=0x7fff => (0xc0, 2),
                        -0x80_0000..=0x7f_ffff => (0xf0, 3),
                        -0x8000_0000..=0x7fff_ffff => (0xd0, 4),
                        _ => (0xe0, 8),
                    };
                    out.push(tag);
                    out.extend_from_slice(&bytes[..width]);
                }
                Element::Bytes(bytes) => {
                    match bytes.len() {
                        len @ 0..64 => out.push(len as u8),
                        len @ 64..16_384 => out.extend_from_slice(&(len as u16 | 0x4000).to_be_bytes()),
                        len => {
                            out.push(0x80);
                            out.extend_from_slice(&(len as u32).to_be_bytes());
                        }
                    }
                    out.extend_from_slice(bytes);
                }
            }
            before = out.len() - tail;
        }
        out.push(PACKED_END);
        let size = out.len() as u32;
        out[..4].copy_from_slice(&size.to_le_bytes());
        out[4..8].copy_from_slice(&(tail as u32).to_le_bytes());
        out[8..10].copy_from_slice(&(elements.len() as u16).to_le_bytes());
        out
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let mut elements = Vec::new();
        visit(bytes, &mut |element| {
            elements.push(element.to_vec());
            Ok(())
        })?;
        Ok(elements)
    }

    #[test]
    fn one_as_redis_wrote_it() {
        // The example of the format's description: "2" and "5".
        let bytes = [0x0f, 0, 0, 0, 0x0c, 0, 0, 0, 2, 0, 0, 0xf3, 2, 0xf6, 0xff];
        assert_eq!(read(&bytes).unwrap(), [b"2", b"5"]);
        assert_eq!(ziplist(&[Element::Int(2), Element::Int(5)]), bytes);
    }

    #[test]
    fn every_element_is_read_and_no_changed_byte_panics() {
        let (long, longer) = ([b'x'; 300], [b'y'; 20_000]);
        let ints = [0, 12, 13, -1, 127, -128, 128, 32_767, -32_769, 8_388_607, -8_388_609, 1 << 31, i64::MIN];
        let mut elements: Vec<Element<'_>> = ints.iter().copied().map(Element::Int).collect();
        elements.extend([&b""[..], b"abc", &long, &longer, b"z"].map(Element::Bytes));
        let bytes = ziplist(&elements);
        let expected: Vec<Vec<u8>> = elements.iter().map(|element| element.to_vec()).collect();
        assert_eq!(read(&bytes).unwrap(), expected);
        for at in (0..bytes.len()).filter(|at| !(500..bytes.len() - 40).contains(at)) {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let _ = read(&changed);
            }
            assert!(read(&bytes[..at]).is_err());
        }
    }
}
