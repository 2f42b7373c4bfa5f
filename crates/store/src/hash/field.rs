//! A field of a large hash with its value: both in one allocation behind a thin pointer.
//!
//! In the short form, for a field and a value of up to 255 bytes each, four bytes go before them: the form, the two
//! lengths, and the room in units of eight bytes. The long form has 32 bytes: the form, and the three as 64 bits. The
//! other bits of the first byte are free: a deadline of a field would be a bit there, and eight bytes after the head.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use crate::table::Item;

const SHORT: u8 = 0;
const LONG: u8 = 1;
const SHORT_HEAD: usize = 4;
const LONG_HEAD: usize = 32;
const SHORT_MAX: usize = u8::MAX as usize;
/// Room is given in steps of this many bytes, which allocators have anyway.
const UNIT: usize = 8;
/// Below this many bytes of room an allocation is kept however little of it is used.
const KEEP_MAX: usize = 32;

/// An owned pair of byte strings. The field never changes, the value does.
pub(super) struct Field(NonNull<u8>);

// SAFETY: a field owns its allocation alone and changes only through `&mut`.
unsafe impl Send for Field {}
// SAFETY: as above.
unsafe impl Sync for Field {}

/// What the head says.
#[derive(Clone, Copy)]
struct Head {
    len: usize,
    field: usize,
    value: usize,
    /// Bytes of the allocation.
    room: usize,
}

impl Head {
    fn for_pair(field: usize, value: usize) -> Self {
        let len = if field.max(value) <= SHORT_MAX { SHORT_HEAD } else { LONG_HEAD };
        Self { len, field, value, room: (len + field + value).next_multiple_of(UNIT) }
    }

    fn used(self) -> usize {
        self.len + self.field + self.value
    }
}

fn layout(room: usize) -> Layout {
    match Layout::from_size_align(room, UNIT) {
        Ok(layout) => layout,
        Err(_) => unreachable!("two slices that are in memory fit the address space"),
    }
}

impl Field {
    pub(super) fn new(field: &[u8], value: &[u8]) -> Self {
        let head = Head::for_pair(field.len(), value.len());
        let layout = layout(head.room);
        // SAFETY: the size is at least that of a head.
        let Some(ptr) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        let mut new = Self(ptr);
        new.write_head(head);
        // SAFETY: the allocation is new and has room for the head and both.
        unsafe {
            let at = ptr.add(head.len);
            at.copy_from_nonoverlapping(NonNull::from(field).cast(), head.field);
            at.add(head.field).copy_from_nonoverlapping(NonNull::from(value).cast(), head.value);
        }
        new
    }

    fn write_head(&mut self, head: Head) {
        // SAFETY: every allocation has at least `head.len` bytes and is aligned to eight.
        unsafe {
            if head.len == SHORT_HEAD {
                let bytes = [SHORT, head.field as u8, head.value as u8, (head.room / UNIT) as u8];
                self.0.cast::<[u8; SHORT_HEAD]>().write(bytes);
            } else {
                let words = [u64::from(LONG).to_le(), head.field as u64, head.value as u64, head.room as u64];
                self.0.cast::<[u64; 4]>().write(words);
            }
        }
    }

    #[inline]
    fn head(&self) -> Head {
        // SAFETY: the allocation starts with a head that `write_head` wrote; the first byte says which.
        unsafe {
            let [form, field, value, units] = self.0.cast::<[u8; SHORT_HEAD]>().read();
            if form == SHORT {
                let (field, value) = (field as usize, value as usize);
                return Head { len: SHORT_HEAD, field, value, room: units as usize * UNIT };
            }
            let [_, field, value, room] = self.0.cast::<[u64; 4]>().read();
            Head { len: LONG_HEAD, field: field as usize, value: value as usize, room: room as usize }
        }
    }

    #[inline]
    fn slice(&self, at: usize, len: usize) -> &[u8] {
        // SAFETY: callers pass the place of the field or of the value, which were both written.
        unsafe { std::slice::from_raw_parts(self.0.add(at).as_ptr(), len) }
    }

    #[inline]
    pub(super) fn field(&self) -> &[u8] {
        let head = self.head();
        self.slice(head.len, head.field)
    }

    #[inline]
    pub(super) fn value(&self) -> &[u8] {
        let head = self.head();
        self.slice(head.len + head.field, head.value)
    }

    /// Replaces the value: in place if it fits and does not leave most of the room unused.
    pub(super) fn set_value(&mut self, value: &[u8]) {
        let old = self.head();
        let new = Head { room: old.room, ..Head::for_pair(old.field, value.len()) };
        let fits = new.used() <= old.room && (old.room <= KEEP_MAX || new.used() * 2 > old.room);
        if !fits || new.len != old.len {
            *self = Self::new(self.field(), value);
            return;
        }
        self.write_head(new);
        // SAFETY: the value's place begins where it did and ends within the room; `value` is borrowed from elsewhere.
        unsafe {
            self.0.add(new.len + new.field).copy_from_nonoverlapping(NonNull::from(value).cast(), new.value);
        }
    }

    /// Bytes of the allocation.
    pub(super) fn memory_bytes(&self) -> usize {
        self.head().room
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let layout = layout(self.head().room);
        // SAFETY: the room is the size that was allocated.
        unsafe { dealloc(self.0.as_ptr(), layout) };
    }
}

impl Clone for Field {
    fn clone(&self) -> Self {
        Self::new(self.field(), self.value())
    }
}

impl Item for Field {
    #[inline]
    fn key(&self) -> &[u8] {
        self.field()
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
    fn values_change_through_all_forms_and_sizes() {
        for field_len in [0, 1, 27, 255, 256, 5_000] {
            let name = vec![b'f'; field_len];
            let mut field = Field::new(&name, b"");
            for len in [0, 1, 3, 4, 8, 20, 254, 255, 256, 257, 100, 70_000, 40_000, 30_000, 300, 255, 2, 0] {
                if cfg!(miri) && len > 300 {
                    continue;
                }
                let value: Vec<u8> = (0..len).map(|at| at as u8).collect();
                field.set_value(&value);
                assert_eq!((field.field(), field.value()), (&name[..], &value[..]));
                assert_eq!(field.clone().value(), value);
                let used = field_len + len;
                assert!(
                    (used + 4..=(2 * used).max(32) + 80).contains(&field.memory_bytes()),
                    "{field_len} {len}"
                );
            }
        }
    }

    #[test]
    fn a_value_of_like_length_stays_where_it_is() {
        let mut field = Field::new(b"counter", b"1");
        let address = field.address();
        for value in ["2", "9999", "10000", ""] {
            field.set_value(value.as_bytes());
            assert_eq!((field.address(), field.value()), (address, value.as_bytes()));
        }
        field.set_value(b"123456");
        assert_eq!(field.memory_bytes(), 24);
    }
}
