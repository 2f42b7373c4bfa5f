//! An element as the compact forms give it out: an integer or borrowed bytes.

use crate::number::parse_i64;

/// Room for the decimal text of one integer, so that reading an element needs no allocation.
pub type Scratch = itoa::Buffer;

/// One element of a collection. Bytes that spell an `i64` the one canonical way may come back as [`Element::Int`];
/// both stand for the same byte string.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// Bytes that are the decimal text of this number.
    Int(i64),
    /// Any bytes.
    Bytes(&'a [u8]),
}

impl<'a> Element<'a> {
    /// The element's bytes; an integer is written into `scratch`.
    pub fn bytes<'s>(self, scratch: &'s mut Scratch) -> &'s [u8]
    where
        'a: 's,
    {
        match self {
            Element::Int(value) => scratch.format(value).as_bytes(),
            Element::Bytes(bytes) => bytes,
        }
    }

    /// Length of the element's bytes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> usize {
        match self {
            Element::Int(value) => {
                let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
                digits + usize::from(value < 0)
            }
            Element::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether the element's bytes are `other`.
    pub fn is(self, other: &[u8]) -> bool {
        self.bytes(&mut Scratch::new()) == other
    }

    /// The number that the element's bytes spell canonically, if they do.
    pub fn as_int(self) -> Option<i64> {
        match self {
            Element::Int(value) => Some(value),
            Element::Bytes(bytes) => parse_i64(bytes),
        }
    }

    /// Appends the element's bytes to `out`.
    pub fn append_to(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.bytes(&mut Scratch::new()));
    }

    /// A copy of the element's bytes.
    pub fn to_vec(self) -> Vec<u8> {
        self.bytes(&mut Scratch::new()).to_vec()
    }
}

impl PartialEq for Element<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Element::Int(a), Element::Int(b)) => a == b,
            (Element::Bytes(a), Element::Bytes(b)) => a == b,
            (Element::Int(a), Element::Bytes(b)) | (Element::Bytes(b), Element::Int(a)) => {
                parse_i64(b) == Some(a)
            }
        }
    }
}

impl Eq for Element<'_> {}
