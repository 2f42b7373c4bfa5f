//! A member of a large set: its length and its bytes in one allocation behind a thin pointer.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::table::Item;

/// In the first byte: the length is in the eight bytes that follow.
const LONG: u8 = u8::MAX;
const LONG_HEAD: usize = 9;

/// An owned byte string: one byte of length if it is below 255, nine otherwise, then the bytes.
pub(super) struct Member(NonNull<u8>);

// SAFETY: a member owns its allocation alone and never changes.
unsafe impl Send for Member {}
// SAFETY: as above.
unsafe impl Sync for Member {}

fn layout(len: usize) -> Layout {
    let head = if len < LONG as usize { 1 } else { LONG_HEAD };
    match Layout::from_size_align(head + len, 1) {
        Ok(layout) => layout,
        Err(_) => unreachable!("a slice and nine bytes more fit the address space"),
    }
}

impl Member {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let len = bytes.len();
        let layout = layout(len);
        let head = layout.size() - len;
        // SAFETY: the size is at least 1.
        let Some(ptr) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the allocation is new and has room for the head, as `layout` made it, and `len` bytes.
        unsafe {
            if head == 1 {
                ptr.write(len as u8);
            } else {
                ptr.write(LONG);
                ptr.add(1).cast::<[u8; 8]>().write((len as u64).to_le_bytes());
            }
            ptr.add(head).copy_from_nonoverlapping(NonNull::from(bytes).cast(), len);
        }
        Self(ptr)
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the pointer is to an allocation that `new` filled: a head and as many bytes as it says.
        unsafe {
            let (head, len) = match self.0.read() {
                LONG => (LONG_HEAD, u64::from_le_bytes(self.0.add(1).cast::<[u8; 8]>().read()) as usize),
                len => (1, len as usize),
            };
            std::slice::from_raw_parts(self.0.add(head).as_ptr(), len)
        }
    }

    /// Bytes of the allocation.
    pub(super) fn memory_bytes(&self) -> usize {
        layout(self.bytes().len()).size()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let layout = layout(self.bytes().len());
        // SAFETY: `new` allocated with the layout of this length.
        unsafe { dealloc(self.0.as_ptr(), layout) };
    }
}

impl Clone for Member {
    fn clone(&self) -> Self {
        Self::new(self.bytes())
    }
}

impl Item for Member {
    #[inline]
    fn key(&self) -> &[u8] {
        self.bytes()
    }

    #[inline]
    fn address(&self) -> *const u8 {
        self.0.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_bytes_of_any_length() {
        for len in [0, 1, 253, 254, 255, 256, 70_000] {
            let bytes = vec![b'x'; len];
            let member = Member::new(&bytes);
            assert_eq!(member.clone().bytes(), bytes);
            assert_eq!(member.memory_bytes(), len + if len < 255 { 1 } else { 9 });
        }
    }
}
