//! The allocator, and how much it has given out.
//!
//! Each thread counts for itself and adds to the common count in steps of [`STEP`] bytes, so that an allocation
//! costs no shared write and [`used`] is off by at most [`STEP`] a thread.

use libmimalloc_sys as sys;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Bytes by which a thread's count may lag behind.
const STEP: i64 = 32 * 1024;

static USED: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

thread_local! {
    static UNCOUNTED: Cell<i64> = const { Cell::new(0) };
}

/// mimalloc, counted.
///
/// The `mimalloc` crate asks for every block with an alignment, for which mimalloc takes a larger size class; nearly
/// all of ours need no more than a word's, which plain `mi_malloc` gives.
#[derive(Debug, Default)]
pub struct Counting;

/// The alignment that every block of at least its size has.
const ALIGN_NATURAL: usize = 8;

/// What an allocation of `size` bytes takes: mimalloc's size classes are four to a power of two.
#[inline]
const fn class_of(size: usize) -> i64 {
    if size <= 64 {
        return ((size + 7) & !7) as i64;
    }
    let step = (size - 1).next_power_of_two() / 8;
    let step = if step < 16 { 16 } else { step };
    (size.div_ceil(step) * step) as i64
}

#[inline]
fn count(bytes: i64) {
    // A thread that is ending has no count of its own any more.
    let _ = UNCOUNTED.try_with(|cell| {
        let total = cell.get() + bytes;
        if total.abs() < STEP {
            cell.set(total);
            return;
        }
        cell.set(0);
        let used = USED.fetch_add(total, Relaxed) + total;
        if total > 0 && used > PEAK.load(Relaxed) {
            PEAK.fetch_max(used, Relaxed);
        }
    });
}

// SAFETY: every call goes to mimalloc; counting touches no allocated memory and does not allocate.
unsafe impl GlobalAlloc for Counting {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(class_of(layout.size()));
        // SAFETY: as our caller promises; blocks of mimalloc are aligned to a word.
        unsafe {
            if layout.align() <= ALIGN_NATURAL {
                sys::mi_malloc(layout.size()).cast()
            } else {
                sys::mi_malloc_aligned(layout.size(), layout.align()).cast()
            }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(-class_of(layout.size()));
        // SAFETY: as our caller promises.
        unsafe { sys::mi_free(ptr.cast()) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(class_of(layout.size()));
        // SAFETY: as our caller promises; blocks of mimalloc are aligned to a word.
        unsafe {
            if layout.align() <= ALIGN_NATURAL {
                sys::mi_zalloc(layout.size()).cast()
            } else {
                sys::mi_zalloc_aligned(layout.size(), layout.align()).cast()
            }
        }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(class_of(new_size) - class_of(layout.size()));
        // SAFETY: as our caller promises; blocks of mimalloc are aligned to a word.
        unsafe {
            if layout.align() <= ALIGN_NATURAL {
                sys::mi_realloc(ptr.cast(), new_size).cast()
            } else {
                sys::mi_realloc_aligned(ptr.cast(), new_size, layout.align()).cast()
            }
        }
    }
}

/// Bytes given out by the allocator, to within [`STEP`] a thread.
pub fn used() -> u64 {
    USED.load(Relaxed).max(0) as u64
}

/// The most that [`used`] ever was.
pub fn peak() -> u64 {
    PEAK.load(Relaxed).max(0) as u64
}

/// Forgets the peak (`CONFIG RESETSTAT`, `MEMORY`).
pub fn reset_peak() {
    PEAK.store(USED.load(Relaxed), Relaxed);
}
