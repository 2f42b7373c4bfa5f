//! A cursor over a packed sequence, for owners whose elements form records of their own.

use super::coding;
use super::{Element, Packed};

/// A place between two elements, or at either end. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    /// The byte offset of the element that comes next.
    #[inline]
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// Whether no element follows.
    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.data.len()
    }

    /// The element that comes next, and a step over it.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Element<'a>> {
        let rest = self.data.get(self.at..).filter(|rest| !rest.is_empty())?;
        let (element, after) = coding::decode_first(rest);
        self.at = self.data.len() - after.len();
        Some(element)
    }

    /// Steps over `count` elements, as far as there are any.
    #[inline]
    pub(crate) fn skip(&mut self, count: usize) {
        for _ in 0..count {
            if self.is_at_end() {
                return;
            }
            self.at += coding::total_at(&self.data[self.at..]);
        }
    }

    /// The element before, and a step back over it.
    #[inline]
    pub(crate) fn prev(&mut self) -> Option<Element<'a>> {
        self.skip_back(1).then(|| coding::decode(&self.data[self.at..]))
    }

    /// Steps back over `count` elements. Returns whether there were as many.
    #[inline]
    pub(crate) fn skip_back(&mut self, count: usize) -> bool {
        for _ in 0..count {
            if self.at == 0 {
                return false;
            }
            self.at -= coding::total_before(&self.data[..self.at]);
        }
        true
    }
}

impl Packed {
    /// A cursor at the element that starts at this byte offset.
    #[inline]
    pub(crate) fn walk_from(&self, offset: usize) -> Walk<'_> {
        Walk { data: self.data(), at: offset }
    }

    /// A cursor behind the last element.
    pub(crate) fn walk_from_end(&self) -> Walk<'_> {
        self.walk_from(self.bytes_len())
    }

    /// Changes a number below 128 to another one in its place: both take the same bytes.
    pub(crate) fn set_small(&mut self, offset: usize, value: u8) {
        debug_assert!(value < 0x80 && self.data()[offset] < 0x80);
        self.0.data_mut()[offset] = value;
    }

    /// Appends a number.
    #[inline]
    pub(crate) fn push_back_int(&mut self, value: i64) {
        self.insert_coded(self.bytes_len(), &super::Coded::int(value));
    }
}
