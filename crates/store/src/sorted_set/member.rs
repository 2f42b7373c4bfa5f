//! A member of a large sorted set: one allocation of its score, its length and its bytes.

use crate::table::Item;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Lengths from here on follow the length byte as a `u32`.
const LONG: u8 = u8::MAX;
const LENGTH_AT: usize = size_of::<f64>();
const SHORT_HEADER: usize = LENGTH_AT + 1;
const LONG_HEADER: usize = SHORT_HEADER + size_of::<u32>();

/// An owned member. The table holds it; the tree points to it by its [`Handle`].
pub(super) struct Member(Handle);

/// Where a member lies. It is no borrow: whoever reads through it knows that the member is alive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handle(NonNull<u8>);

// SAFETY: a member owns its allocation, which is plain bytes.
unsafe impl Send for Member {}
// SAFETY: through a shared reference a member is only read.
unsafe impl Sync for Member {}
// SAFETY: a handle is an address; reading through it is unsafe and has its own conditions.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Member {
    /// A copy of the bytes, of which there are less than 2^32.
    pub(super) fn new(bytes: &[u8], score: f64) -> Self {
        assert!(bytes.len() <= u32::MAX as usize, "a member longer than any string");
        let header = if bytes.len() < usize::from(LONG) { SHORT_HEADER } else { LONG_HEADER };
        let layout = layout(header + bytes.len());
        // SAFETY: the layout's size is not zero.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the allocation has a header of this size and then the bytes' length, and is aligned for the score.
        unsafe {
            start.cast::<f64>().write(score);
            let length = start.add(LENGTH_AT);
            if header == SHORT_HEADER {
                length.write(bytes.len() as u8);
            } else {
                length.write(LONG);
                length.add(1).cast::<u32>().write_unaligned(bytes.len() as u32);
            }
            start.add(header).copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
        }
        Self(Handle(start))
    }

    pub(super) fn handle(&self) -> Handle {
        self.0
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the member is alive as long as it is borrowed.
        unsafe { self.0.bytes() }
    }

    #[inline]
    pub(super) fn score(&self) -> f64 {
        // SAFETY: the allocation begins with the score.
        unsafe { self.0.0.cast::<f64>().read() }
    }

    #[inline]
    pub(super) fn set_score(&mut self, score: f64) {
        // SAFETY: as above; handles read the bytes only, so nothing else looks at the score.
        unsafe { self.0.0.cast::<f64>().write(score) }
    }

    /// The size of the allocation, in bytes.
    pub(super) fn allocated(&self) -> usize {
        // SAFETY: the member is alive.
        let (header, len) = unsafe { self.0.header() };
        header + len
    }
}

impl Handle {
    /// # Safety
    /// The member is alive.
    #[inline]
    unsafe fn header(self) -> (usize, usize) {
        // SAFETY: the length byte follows the score, and the long length follows it if it says so.
        unsafe {
            let length = self.0.add(LENGTH_AT);
            match length.read() {
                LONG => (LONG_HEADER, length.add(1).cast::<u32>().read_unaligned() as usize),
                short => (SHORT_HEADER, usize::from(short)),
            }
        }
    }

    /// The member's bytes.
    ///
    /// # Safety
    /// The member is alive, and will be for `'a`.
    #[inline]
    pub(super) unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: the header is followed by the bytes, which nothing writes while the member lives.
        unsafe {
            let (header, len) = self.header();
            NonNull::slice_from_raw_parts(self.0.add(header), len).as_ref()
        }
    }
}

impl Item for Member {
    #[inline]
    fn key(&self) -> &[u8] {
        self.bytes()
    }

    #[inline]
    fn address(&self) -> *const u8 {
        self.0.0.as_ptr()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let layout = layout(self.allocated());
        // SAFETY: the allocation was made with this layout, and is freed once, with its owner.
        unsafe { dealloc(self.0.0.as_ptr(), layout) }
    }
}

fn layout(size: usize) -> Layout {
    match Layout::from_size_align(size, align_of::<f64>()) {
        Ok(layout) => layout,
        // A member is shorter than 2^32 bytes, so its layout is valid wherever memory is addressed by 64 bits.
        Err(_) => handle_alloc_error(Layout::new::<f64>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_scores_of_every_length() {
        for len in (0..600).chain([70_000]) {
            let bytes: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let mut member = Member::new(&bytes, len as f64);
            assert_eq!((member.bytes(), member.score()), (&bytes[..], len as f64));
            member.set_score(-0.0);
            assert_eq!(member.score().to_bits(), (-0.0f64).to_bits());
            assert_eq!(member.bytes(), bytes);
            assert_eq!(member.allocated(), len + if len < 255 { 9 } else { 13 });
        }
    }
}
