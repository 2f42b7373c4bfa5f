//! How one element is spelled inside a packed sequence: a head that says kind and length, the body, and the size of
//! both once more at the end, for walking backwards. It is the element coding of Redis' listpack, so that dumps and
//! snapshots can take the bytes as they are.

use super::element::Element;
use crate::number::parse_i64;

/// The longest head: a tag and eight bytes.
const HEAD_MAX: usize = 9;

/// An element ready to be written or looked for. Every byte string has exactly one coding.
pub(crate) struct Coded<'a> {
    head: [u8; HEAD_MAX],
    head_len: u8,
    body: &'a [u8],
}

impl<'a> Coded<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        match parse_i64(bytes) {
            Some(value) => Self::int(value),
            None => Self::text(bytes),
        }
    }

    pub(crate) fn element(element: Element<'a>) -> Self {
        match element {
            Element::Int(value) => Self::int(value),
            Element::Bytes(bytes) => Self::new(bytes),
        }
    }

    fn text(body: &'a [u8]) -> Self {
        let len = body.len() as u32;
        let [b0, b1, b2, b3] = len.to_le_bytes();
        match len {
            0..64 => Self::with(&[0x80 | b0], body),
            64..4096 => Self::with(&[0xe0 | b1, b0], body),
            _ => Self::with(&[0xf0, b0, b1, b2, b3], body),
        }
    }

    pub(crate) fn int(value: i64) -> Self {
        let le = value.to_le_bytes();
        let tagged = |tag: u8, width: usize| {
            let mut head = [0; HEAD_MAX];
            head[0] = tag;
            head[1..=width].copy_from_slice(&le[..width]);
            Self { head, head_len: width as u8 + 1, body: &[] }
        };
        match value {
            0..=127 => Self::with(&[le[0]], &[]),
            -4096..=4095 => Self::with(&[0xc0 | (le[1] & 0x1f), le[0]], &[]),
            -0x8000..=0x7fff => tagged(0xf1, 2),
            -0x80_0000..=0x7f_ffff => tagged(0xf2, 3),
            -0x8000_0000..=0x7fff_ffff => tagged(0xf3, 4),
            _ => tagged(0xf4, 8),
        }
    }

    fn with(bytes: &[u8], body: &'a [u8]) -> Self {
        let mut head = [0; HEAD_MAX];
        head[..bytes.len()].copy_from_slice(bytes);
        Self { head, head_len: bytes.len() as u8, body }
    }

    fn head(&self) -> &[u8] {
        &self.head[..self.head_len as usize]
    }

    fn size(&self) -> usize {
        self.head_len as usize + self.body.len()
    }

    /// Bytes that the element takes in a sequence.
    pub(crate) fn total(&self) -> usize {
        let size = self.size();
        size + back_len(size)
    }

    /// Writes the element into `out`, which must be exactly [`Coded::total`] bytes.
    pub(crate) fn write(&self, out: &mut [u8]) {
        let (head, rest) = out.split_at_mut(self.head_len as usize);
        let (body, back) = rest.split_at_mut(self.body.len());
        head.copy_from_slice(self.head());
        body.copy_from_slice(self.body);
        write_back(self.size(), back);
    }

    /// Whether `at`, which starts at an element, starts with this one. The head holds kind and length, so equal
    /// prefixes are equal elements.
    #[inline]
    pub(crate) fn matches(&self, at: &[u8]) -> bool {
        at.first() == Some(&self.head[0])
            && at.starts_with(self.head())
            && at[self.head_len as usize..].starts_with(self.body)
    }
}

/// Size of head and body of the element that `at` starts with.
#[inline]
fn size_at(at: &[u8]) -> usize {
    match at[0] {
        0..=0x7f => 1,
        tag @ 0x80..=0xbf => 1 + (tag & 0x3f) as usize,
        0xc0..=0xdf => 2,
        tag @ 0xe0..=0xef => 2 + ((tag & 0x0f) as usize) * 256 + at[1] as usize,
        0xf0 => 5 + le_u32(at) as usize,
        0xf1 => 3,
        0xf2 => 4,
        0xf3 => 5,
        _ => 9,
    }
}

fn le_u32(at: &[u8]) -> u32 {
    u32::from_le_bytes([at[1], at[2], at[3], at[4]])
}

/// Bytes that the element at the start of `at` takes in all.
#[inline]
pub(super) fn total_at(at: &[u8]) -> usize {
    match at[0] {
        0..=0x7f => 2,
        // Short strings are most of what is walked over: head, text and the size at the end.
        tag @ 0x80..=0xbf => 2 + (tag & 0x3f) as usize,
        _ => {
            let size = size_at(at);
            size + back_len(size)
        }
    }
}

/// The element that `at` starts with, and what follows it.
#[inline]
pub(super) fn decode_first(at: &[u8]) -> (Element<'_>, &[u8]) {
    // Every width is known where its tag is: a copy of a number of bytes that is not would be a call.
    match at[0] {
        tag @ 0x80..=0xbf => {
            let (text, rest) = at[1..].split_at((tag & 0x3f) as usize);
            (Element::Bytes(text), &rest[1..])
        }
        0..=0x7f => (decode(at), &at[2..]),
        0xc0..=0xdf => (decode(at), &at[3..]),
        0xf1 => (decode(at), &at[4..]),
        0xf2 => (decode(at), &at[5..]),
        0xf3 => (decode(at), &at[6..]),
        _ => (decode(at), &at[total_at(at)..]),
    }
}

/// Bytes that the element just before the end of `before` takes in all.
pub(super) fn total_before(before: &[u8]) -> usize {
    let (mut size, mut shift, mut len) = (0, 0, 0);
    for &byte in before.iter().rev() {
        size |= ((byte & 0x7f) as usize) << shift;
        len += 1;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    size + len
}

/// The element that `at` starts with.
#[inline]
pub(super) fn decode(at: &[u8]) -> Element<'_> {
    match at[0] {
        tag @ 0..=0x7f => Element::Int(tag.into()),
        0x80..=0xbf => Element::Bytes(&at[1..size_at(at)]),
        tag @ 0xc0..=0xdf => {
            let unsigned = i64::from(tag & 0x1f) << 8 | i64::from(at[1]);
            Element::Int(if unsigned >= 4096 { unsigned - 8192 } else { unsigned })
        }
        0xe0..=0xef => Element::Bytes(&at[2..size_at(at)]),
        0xf0 => Element::Bytes(&at[5..size_at(at)]),
        0xf1 => Element::Int(i16::from_le_bytes([at[1], at[2]]).into()),
        0xf2 => Element::Int((i32::from_le_bytes([0, at[1], at[2], at[3]]) >> 8).into()),
        0xf3 => Element::Int(i32::from_le_bytes([at[1], at[2], at[3], at[4]]).into()),
        _ => Element::Int(i64::from_le_bytes([at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8]])),
    }
}

/// The element that foreign bytes start with, and the bytes it takes; `None` if they are no element.
pub(super) fn decode_foreign(at: &[u8]) -> Option<(Element<'_>, usize)> {
    let head_len = match *at.first()? {
        0..=0xbf => 1,
        0xc0..=0xef => 2,
        0xf0 | 0xf3 => 5,
        0xf1 => 3,
        0xf2 => 4,
        0xf4 => 9,
        _ => return None,
    };
    if at.len() < head_len {
        return None;
    }
    let size = size_at(at);
    let total = size.checked_add(back_len(size))?;
    let mut back = [0; 5];
    let back = &mut back[..total - size];
    write_back(size, back);
    (at.get(size..total)? == back).then(|| (decode(at), total))
}

/// Bytes of the size at the end. The bounds are one short of what seven bits a byte could hold, as in Redis.
#[inline]
fn back_len(size: usize) -> usize {
    match size {
        0..=127 => 1,
        128..16383 => 2,
        16383..2097151 => 3,
        2097151..268435455 => 4,
        _ => 5,
    }
}

/// Seven bits a byte, the most significant first; every byte but the first is marked, so that a reader coming from
/// the right knows where to stop.
fn write_back(size: usize, out: &mut [u8]) {
    let mut rest = size;
    for byte in out.iter_mut().rev() {
        *byte = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
    }
    if let Some(first) = out.first_mut() {
        *first &= 0x7f;
    }
}
