//! The one allocation of a packed sequence: bytes with a gap on either side, so that both ends are cheap to push to.
//! Everything unsafe about [`Packed`] is here.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

use super::Packed;

// SAFETY: a `Packed` owns its allocation alone and has no interior mutability.
unsafe impl Send for Packed {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Packed {}

/// The capacity for `len` bytes: the steps of a size-class allocator, four to a doubling, so that little is lost to
/// it and a series of pushes still copies each byte a bounded number of times.
fn capacity_for(len: usize) -> usize {
    match len {
        0 => 0,
        1..=64 => len.next_multiple_of(8),
        _ => len.next_multiple_of(len.next_power_of_two() / 8),
    }
}

impl Packed {
    fn layout(cap: usize) -> Layout {
        assert!(cap <= u32::MAX as usize, "a packed sequence holds at most 4 GiB");
        match Layout::from_size_align(cap, 1) {
            Ok(layout) => layout,
            Err(_) => unreachable!("four gigabytes with an alignment of one are a layout"),
        }
    }

    /// The whole allocation, gaps included.
    #[inline]
    fn memory(&self) -> &[u8] {
        // SAFETY: `ptr` is dangling with `cap` 0, or an allocation of `cap` bytes that is initialised throughout:
        // it was allocated zeroed, and what a `realloc` added was zeroed there.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.cap as usize) }
    }

    #[inline]
    fn memory_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `memory`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.cap as usize) }
    }

    /// The elements' bytes.
    #[inline]
    pub(super) fn data(&self) -> &[u8] {
        &self.memory()[self.start as usize..self.end as usize]
    }

    #[inline]
    pub(super) fn data_mut(&mut self) -> &mut [u8] {
        let (start, end) = (self.start as usize, self.end as usize);
        &mut self.memory_mut()[start..end]
    }

    fn allocate(cap: usize) -> NonNull<u8> {
        if cap == 0 {
            return NonNull::dangling();
        }
        let layout = Self::layout(cap);
        // SAFETY: the size is not 0.
        let ptr = unsafe { alloc_zeroed(layout) };
        NonNull::new(ptr).unwrap_or_else(|| handle_alloc_error(layout))
    }

    fn release(&mut self) {
        if self.cap > 0 {
            // SAFETY: `ptr` was allocated with this layout and is replaced here.
            unsafe { dealloc(self.ptr.as_ptr(), Self::layout(self.cap as usize)) };
            (self.ptr, self.cap) = (NonNull::dangling(), 0);
        }
    }

    /// Changes the capacity, keeping bytes at their offsets. All data must lie below `cap`.
    fn reallocate(&mut self, cap: usize) {
        let old = self.cap as usize;
        debug_assert!(cap >= self.end as usize);
        if old == 0 || cap == 0 {
            self.release();
            (self.ptr, self.cap) = (Self::allocate(cap), cap as u32);
            return;
        }
        let layout = Self::layout(cap);
        // SAFETY: `ptr` was allocated with the layout of the old capacity; `cap` is not 0 and checked by `layout`.
        let ptr = unsafe { realloc(self.ptr.as_ptr(), Self::layout(old), cap) };
        let Some(ptr) = NonNull::new(ptr) else { handle_alloc_error(layout) };
        if cap > old {
            // SAFETY: the allocation has `cap` bytes; those from `old` on are new.
            unsafe { ptr.as_ptr().add(old).write_bytes(0, cap - old) };
        }
        (self.ptr, self.cap) = (ptr, cap as u32);
    }

    /// A sequence whose bytes are a copy of `data`, which hold `count` elements.
    pub(super) fn copy_of(data: &[u8], count: u32) -> Self {
        let cap = capacity_for(data.len());
        let mut new =
            Self { ptr: Self::allocate(cap), cap: cap as u32, start: 0, end: data.len() as u32, count };
        new.data_mut().copy_from_slice(data);
        new
    }

    /// Makes `data()[at..at + len]` fresh room; what was there moves to one side, whichever costs less.
    pub(super) fn open_gap(&mut self, at: usize, len: usize) {
        let (start, end, cap) = (self.start as usize, self.end as usize, self.cap as usize);
        let (left, right) = (at, end - start - at);
        let (fits_front, fits_back) = (start >= len, cap - end >= len);
        if fits_back && (right <= left || !fits_front) {
            self.memory_mut().copy_within(start + at..end, start + at + len);
            self.end += len as u32;
        } else if fits_front {
            self.memory_mut().copy_within(start..start + at, start - len);
            self.start -= len as u32;
        } else {
            self.grow(at, len, right <= left);
        }
    }

    /// The room is on neither side: close up both gaps if together they are worth it, else take a larger allocation,
    /// with the spare bytes on the side that was pushed to.
    fn grow(&mut self, at: usize, len: usize, spare_at_back: bool) {
        let used = self.end as usize - self.start as usize;
        let cap = self.cap as usize;
        let total = used + len;
        // Closing up moves everything, so it must free enough for many a push.
        let new_cap = match cap {
            _ if cap >= total + total / 8 => cap,
            _ if cap >= total => capacity_for(total + total / 8),
            _ => capacity_for(total),
        };
        let new_start = if spare_at_back { 0 } else { new_cap - total };
        if self.start == 0 && new_start == 0 {
            self.reallocate(new_cap);
            self.memory_mut().copy_within(at..used, at + len);
        } else if new_cap == cap {
            let start = self.start as usize;
            let memory = self.memory_mut();
            // The part that moves towards the other one goes second, or it would be written over.
            if new_start <= start {
                memory.copy_within(start..start + at, new_start);
                memory.copy_within(start + at..start + used, new_start + at + len);
            } else {
                memory.copy_within(start + at..start + used, new_start + at + len);
                memory.copy_within(start..start + at, new_start);
            }
        } else {
            let mut new = Self { ptr: Self::allocate(new_cap), cap: new_cap as u32, ..Self::new() };
            let memory = new.memory_mut();
            memory[new_start..new_start + at].copy_from_slice(&self.data()[..at]);
            memory[new_start + at + len..new_start + total].copy_from_slice(&self.data()[at..]);
            new.count = self.count;
            *self = new;
        }
        (self.start, self.end) = (new_start as u32, (new_start + total) as u32);
    }

    /// Takes `data()[from..to]` out, and gives memory back when much is unused.
    pub(super) fn close_gap(&mut self, from: usize, to: usize) {
        let (start, end) = (self.start as usize, self.end as usize);
        let len = to - from;
        let right = end - start - to;
        if from < right {
            self.memory_mut().copy_within(start..start + from, start + len);
            self.start += len as u32;
        } else {
            self.memory_mut().copy_within(start + to..end, start + from);
            self.end -= len as u32;
        }
        self.give_back_spare();
    }

    /// Cuts the data to its first `len` bytes.
    pub(super) fn truncate_data(&mut self, len: usize) {
        self.end = self.start + len as u32;
        self.give_back_spare();
    }

    fn give_back_spare(&mut self) {
        let used = (self.end - self.start) as usize;
        if used == 0 {
            (self.start, self.end) = (0, 0);
        }
        if used * 2 > self.cap as usize || (used > 0 && self.cap <= 16) {
            return;
        }
        let start = self.start as usize;
        self.memory_mut().copy_within(start..start + used, 0);
        (self.start, self.end) = (0, used as u32);
        self.reallocate(capacity_for(used));
    }

    /// Bytes allocated.
    pub(super) fn capacity(&self) -> usize {
        self.cap as usize
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        self.release();
    }
}

impl Clone for Packed {
    fn clone(&self) -> Self {
        Self::copy_of(self.data(), self.count)
    }
}
