//! A sequence of byte strings in one allocation: what small lists, sets, hashes and sorted sets are made of.
//!
//! Integers take one to nine bytes, short strings two bytes more than their text. Elements are found by walking, from
//! either end, so it is meant for some hundred elements or some kilobytes. See [`coding`] for the layout.

mod coding;
mod element;
#[cfg(test)]
mod tests;
mod walk;

use crate::counted_bytes::CountedBytes;
use std::fmt;
use std::ptr;

pub(crate) use coding::Coded;
pub use element::{Element, Scratch};
pub(crate) use walk::Walk;

/// A compact sequence of byte strings, walkable both ways.
///
/// `len` is O(1); pushing to and popping from either end is O(1) amortised; everything by index or position moves at
/// most the bytes of the shorter side.
#[derive(Clone)]
#[repr(transparent)]
pub struct Packed(CountedBytes);

/// Where an element starts in a [`Packed`]. It holds until an element at or before it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pos(u32);

impl Packed {
    /// Bytes beyond which nothing may be added; owners change to another structure before.
    pub const BYTES_MAX: usize = 1 << 30;

    /// An empty sequence; allocates nothing.
    pub const fn new() -> Self {
        Self(CountedBytes::new())
    }

    /// Number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.count()
    }

    /// Whether there is no element.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the elements take, without spare room.
    #[inline]
    pub fn bytes_len(&self) -> usize {
        self.0.len()
    }

    /// Bytes of the allocation.
    pub fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    /// Whether elements with `len` bytes of text in all may still be added.
    pub fn can_add(&self, len: usize) -> bool {
        len <= Self::BYTES_MAX && self.bytes_len() + len <= Self::BYTES_MAX
    }

    /// The elements in the coding of Redis' listpack, without its header and end mark.
    pub fn raw(&self) -> &[u8] {
        self.data()
    }

    /// Reads elements in the coding of Redis' listpack. The bytes may come from anywhere: `None` if they are no
    /// sequence of elements.
    pub fn from_raw(mut bytes: &[u8]) -> Option<Self> {
        let mut packed = Self::new();
        while !bytes.is_empty() {
            let (element, total) = coding::decode_foreign(bytes)?;
            // Encoded anew: a foreign encoder may have chosen a longer form, and finding rests on there being one.
            packed.push_back_element(element);
            bytes = &bytes[total..];
        }
        Some(packed)
    }

    /// The element that foreign bytes in that coding start with, and the bytes it takes; `None` if they are no element.
    pub fn decode_raw(bytes: &[u8]) -> Option<(Element<'_>, usize)> {
        coding::decode_foreign(bytes)
    }

    /// Appends an element.
    ///
    /// # Panics
    /// Like every way of adding, beyond 4 GiB; see [`Packed::can_add`].
    pub fn push_back(&mut self, bytes: &[u8]) {
        self.insert_coded(self.bytes_len(), &Coded::new(bytes));
    }

    /// Appends an element.
    pub fn push_back_element(&mut self, element: Element<'_>) {
        self.insert_coded(self.bytes_len(), &Coded::element(element));
    }

    pub(crate) fn push_back_coded(&mut self, coded: &Coded<'_>) {
        self.insert_coded(self.bytes_len(), coded);
    }

    /// Prepends an element.
    pub fn push_front(&mut self, bytes: &[u8]) {
        self.insert_coded(0, &Coded::new(bytes));
    }

    /// Prepends an element.
    pub fn push_front_element(&mut self, element: Element<'_>) {
        self.insert_coded(0, &Coded::element(element));
    }

    /// Inserts an element before the one at `pos`, which then is the new one's position.
    pub fn insert_before(&mut self, pos: Pos, bytes: &[u8]) {
        self.insert_coded(pos.0 as usize, &Coded::new(bytes));
    }

    /// Inserts an element after the one at `pos`, which stays valid.
    pub fn insert_after(&mut self, pos: Pos, bytes: &[u8]) {
        let at = pos.0 as usize;
        self.insert_coded(at + coding::total_at(&self.data()[at..]), &Coded::new(bytes));
    }

    /// Inserts an element so that it gets this index, at most `len`.
    pub fn insert(&mut self, index: usize, element: Element<'_>) {
        let at = self.offset_of(index);
        self.insert_coded(at, &Coded::element(element));
    }

    fn insert_coded(&mut self, at: usize, coded: &Coded<'_>) {
        let total = coded.total();
        self.0.open_gap(at, total);
        coded.write(&mut self.0.data_mut()[at..at + total]);
        self.0.set_count(self.len() + 1);
    }

    /// Replaces the element at `pos`, which stays valid.
    pub fn replace(&mut self, pos: Pos, bytes: &[u8]) {
        let coded = Coded::new(bytes);
        let at = pos.0 as usize;
        let (old, new) = (coding::total_at(&self.data()[at..]), coded.total());
        if new > old {
            self.0.open_gap(at + old, new - old);
        } else if new < old {
            self.0.close_gap(at + new, at + old);
        }
        coded.write(&mut self.0.data_mut()[at..at + new]);
    }

    /// Removes `count` elements from `pos` on; `pos` is then the position of what followed, if anything did.
    pub fn remove_at(&mut self, pos: Pos, count: usize) {
        let from = pos.0 as usize;
        let (mut to, mut removed) = (from, 0);
        while removed < count && to < self.bytes_len() {
            to += coding::total_at(&self.data()[to..]);
            removed += 1;
        }
        self.cut(from, to, removed);
    }

    /// Removes `count` elements from `index` on, as far as they exist.
    pub fn remove_range(&mut self, index: usize, count: usize) {
        let index = index.min(self.len());
        let count = count.min(self.len() - index);
        if count == 0 {
            return;
        }
        let (from, to) = (self.offset_of(index), self.offset_of(index + count));
        self.cut(from, to, count);
    }

    /// Removes elements equal to `bytes`: of those from the front the first `skip` stay, then at most `limit` go.
    /// One pass. Returns how many went.
    pub fn remove_equal(&mut self, bytes: &[u8], skip: usize, limit: usize) -> usize {
        let coded = Coded::new(bytes);
        let (total, mut seen, mut removed) = (coded.total(), 0, 0);
        let (mut read, mut write) = (0, 0);
        let len = self.bytes_len();
        let data = self.0.data_mut();
        while read < len && removed < limit {
            if coded.matches(&data[read..]) {
                seen += 1;
                if seen > skip {
                    removed += 1;
                    read += total;
                    continue;
                }
            }
            let step = coding::total_at(&data[read..]);
            if read != write {
                data.copy_within(read..read + step, write);
            }
            read += step;
            write += step;
        }
        if read != write {
            self.cut(write, read, removed);
        }
        removed
    }

    /// How many elements equal `bytes`.
    pub fn count_equal(&self, bytes: &[u8]) -> usize {
        let coded = Coded::new(bytes);
        let (mut at, mut count) = (self.first(), 0);
        while let Some(pos) = at {
            count += usize::from(coded.matches(&self.data()[pos.0 as usize..]));
            at = self.next(pos);
        }
        count
    }

    /// Removes the last element.
    pub fn drop_back(&mut self) {
        self.remove_range(self.len().saturating_sub(1), 1);
    }

    /// Removes the first element.
    pub fn drop_front(&mut self) {
        self.remove_range(0, 1);
    }

    /// Removes every element.
    pub fn clear(&mut self) {
        self.cut(0, self.bytes_len(), self.len());
    }

    /// Takes the elements between two offsets, so many, out.
    fn cut(&mut self, from: usize, to: usize, count: usize) {
        self.0.set_count(self.len() - count);
        self.0.close_gap(from, to);
    }

    #[inline]
    fn data(&self) -> &[u8] {
        self.0.data()
    }

    /// Cuts the sequence: the elements from `index` on are returned.
    pub fn split_off(&mut self, index: usize) -> Self {
        let at = self.offset_of(index);
        let count = self.len() - index.min(self.len());
        let right = Self(CountedBytes::copy_of(&self.data()[at..], count));
        self.0.set_count(self.len() - count);
        self.0.truncate(at);
        right
    }

    /// Appends all elements of `other`.
    pub fn append(&mut self, other: &Self) {
        let at = self.bytes_len();
        self.0.open_gap(at, other.bytes_len());
        self.0.data_mut()[at..].copy_from_slice(other.data());
        self.0.set_count(self.len() + other.len());
    }

    /// Position of the first element.
    pub fn first(&self) -> Option<Pos> {
        (!self.is_empty()).then_some(Pos(0))
    }

    /// Position of the last element.
    pub fn last(&self) -> Option<Pos> {
        self.before(self.bytes_len())
    }

    /// Position after `pos`.
    #[inline]
    pub fn next(&self, pos: Pos) -> Option<Pos> {
        let at = pos.0 as usize;
        let next = at + coding::total_at(&self.data()[at..]);
        (next < self.bytes_len()).then_some(Pos(next as u32))
    }

    /// Position before `pos`.
    pub fn prev(&self, pos: Pos) -> Option<Pos> {
        self.before(pos.0 as usize)
    }

    fn before(&self, at: usize) -> Option<Pos> {
        (at > 0).then(|| Pos((at - coding::total_before(&self.data()[..at])) as u32))
    }

    /// Position of the element with this index, walking from the nearer end.
    pub fn seek(&self, index: usize) -> Option<Pos> {
        (index < self.len()).then(|| Pos(self.offset_of(index) as u32))
    }

    /// Byte offset of the element with this index, or of the end.
    fn offset_of(&self, index: usize) -> usize {
        let (data, len) = (self.data(), self.len());
        if index >= len {
            return data.len();
        }
        let mut at;
        if index <= len / 2 {
            at = 0;
            for _ in 0..index {
                at += coding::total_at(&data[at..]);
            }
        } else {
            at = data.len();
            for _ in index..len {
                at -= coding::total_before(&data[..at]);
            }
        }
        at
    }

    /// The element at `pos`.
    #[inline]
    pub fn at(&self, pos: Pos) -> Element<'_> {
        coding::decode(&self.data()[pos.0 as usize..])
    }

    /// The element with this index, walking from the nearer end.
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        self.seek(index).map(|pos| self.at(pos))
    }

    /// The first element.
    pub fn front(&self) -> Option<Element<'_>> {
        self.first().map(|pos| self.at(pos))
    }

    /// The last element.
    pub fn back(&self) -> Option<Element<'_>> {
        self.last().map(|pos| self.at(pos))
    }

    /// Looks for `bytes` at every `stride`-th element from the first one on: 1 for all, 2 for the fields of pairs.
    pub fn find(&self, bytes: &[u8], stride: usize) -> Option<Pos> {
        self.find_coded(&Coded::new(bytes), stride)
    }

    pub(crate) fn find_coded(&self, coded: &Coded<'_>, stride: usize) -> Option<Pos> {
        let data = self.data();
        let mut at = 0;
        while at < data.len() {
            if coded.matches(&data[at..]) {
                return Some(Pos(at as u32));
            }
            for _ in 0..stride {
                at += coding::total_at(&data[at..]);
            }
        }
        None
    }

    /// All elements, from either end.
    pub fn iter(&self) -> Iter<'_> {
        Iter { rest: self.data(), remaining: self.len() }
    }

    /// The elements from `index` on, from either end.
    pub fn iter_from(&self, index: usize) -> Iter<'_> {
        Iter { rest: &self.data()[self.offset_of(index)..], remaining: self.len().saturating_sub(index) }
    }

    /// The elements before `index`, from either end.
    pub fn iter_until(&self, index: usize) -> Iter<'_> {
        Iter { rest: &self.data()[..self.offset_of(index)], remaining: self.len().min(index) }
    }

    /// The elements taken as pairs, from either end. `len` must be even.
    pub fn pairs(&self) -> Pairs<'_> {
        debug_assert!(self.len().is_multiple_of(2));
        Pairs(self.iter())
    }
}

// SAFETY: it is a `CountedBytes`, which is thin, and nothing else.
unsafe impl crate::form::Thin for Packed {}

impl Packed {
    /// The sequence that such bytes are.
    pub(crate) fn of(bytes: &CountedBytes) -> &Self {
        // SAFETY: it has the representation of what it is made of.
        unsafe { &*ptr::from_ref(bytes).cast() }
    }

    /// The sequence that such bytes are, to change.
    pub(crate) fn of_mut(bytes: &mut CountedBytes) -> &mut Self {
        // SAFETY: it has the representation of what it is made of.
        unsafe { &mut *ptr::from_mut(bytes).cast() }
    }

    /// What it is made of.
    pub(crate) fn into_bytes(self) -> CountedBytes {
        self.0
    }
}

impl Default for Packed {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Elements of a [`Packed`], from either end.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
    remaining: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (element, rest) = coding::decode_first(self.rest);
        self.rest = rest;
        self.remaining -= 1;
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining, Some(self.remaining))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let (rest, at) = self.rest.split_at(self.rest.len() - coding::total_before(self.rest));
        self.rest = rest;
        self.remaining -= 1;
        Some(coding::decode(at))
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// Pairs of a [`Packed`], from either end.
#[derive(Clone, Debug)]
pub struct Pairs<'a>(Iter<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.remaining / 2, Some(self.0.remaining / 2))
    }
}

impl DoubleEndedIterator for Pairs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let value = self.0.next_back()?;
        Some((self.0.next_back()?, value))
    }
}

impl ExactSizeIterator for Pairs<'_> {}
