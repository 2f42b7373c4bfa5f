//! Bytes with room on either side, and the number of elements that they stand for, in one allocation: what small
//! collections are made of. The handle is a pointer in size.
//!
//! ```text
//! head     capacity, begin and end of the bytes, number of elements: two bytes each, or four if the block is large
//! body     as many bytes as the capacity says: room, the bytes, room
//! ```
//!
//! Everything unsafe about the small forms is here.

use crate::form::Thin;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error, realloc};
use std::ptr;

/// See the [module](self). An empty one has no allocation.
pub struct CountedBytes(*mut u8);

/// Set in the handle by [`CountedBytes::marked`].
const MARKED: usize = 1 << 1;
/// Set in the handle of a block with a head of four bytes a number.
const WIDE: usize = 1 << 2;
const TAGS: usize = MARKED | WIDE;
const ALIGN: usize = 8;

const NARROW_HEAD: usize = size_of::<[u16; 4]>();
const WIDE_HEAD: usize = size_of::<Head>();
const NARROW_CAP_MAX: usize = u16::MAX as usize;

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Head {
    cap: u32,
    start: u32,
    end: u32,
    count: u32,
}

// SAFETY: it owns its allocation alone and has no interior mutability.
unsafe impl Send for CountedBytes {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for CountedBytes {}
// SAFETY: it is a pointer to a block aligned to 8, or null, with tags above the lowest bit.
unsafe impl Thin for CountedBytes {}

/// The size that general allocators give for a size.
const fn size_class(size: usize) -> usize {
    match size {
        0..=128 => size.next_multiple_of(16),
        _ => size.next_multiple_of(size.next_power_of_two() / 8),
    }
}

const fn head_len(cap: usize) -> usize {
    if cap <= NARROW_CAP_MAX { NARROW_HEAD } else { WIDE_HEAD }
}

/// The capacity for `len` bytes: what fills a size class, so that nothing is lost to the allocator, and a series of
/// pushes still copies each byte a bounded number of times.
const fn capacity_for(len: usize) -> usize {
    match len {
        0 => 0,
        1..=NARROW_CAP_MAX => {
            let cap = size_class(len + NARROW_HEAD) - NARROW_HEAD;
            if cap <= NARROW_CAP_MAX { cap } else { NARROW_CAP_MAX }
        }
        _ => size_class(len + WIDE_HEAD) - WIDE_HEAD,
    }
}

impl CountedBytes {
    /// None; allocates nothing.
    pub const fn new() -> Self {
        Self(ptr::null_mut())
    }

    /// The same with a mark, which means what its owner says; it stays whatever is done to the bytes.
    pub fn marked(mut self) -> Self {
        self.0 = self.0.map_addr(|at| at | MARKED);
        self
    }

    /// Whether it has the mark.
    #[inline]
    pub fn is_marked(&self) -> bool {
        self.0.addr() & MARKED != 0
    }

    #[inline]
    fn block(&self) -> *mut u8 {
        self.0.map_addr(|at| at & !TAGS)
    }

    #[inline]
    fn head(&self) -> Head {
        let block = self.block();
        if block.is_null() {
            return Head::default();
        }
        // SAFETY: a block begins with a head of the width that the handle says, aligned.
        unsafe {
            if self.0.addr() & WIDE != 0 {
                return block.cast::<Head>().read();
            }
            let [cap, start, end, count] = block.cast::<[u16; 4]>().read().map(u32::from);
            Head { cap, start, end, count }
        }
    }

    /// Writes the head of a block that there is.
    #[inline]
    fn set_head(&mut self, head: Head) {
        let block = self.block();
        debug_assert!(!block.is_null() && head.start <= head.end && head.end <= head.cap);
        // SAFETY: a block begins with a head of the width that the handle says, aligned.
        unsafe {
            if self.0.addr() & WIDE != 0 {
                block.cast::<Head>().write(head);
            } else {
                let Head { cap, start, end, count } = head;
                block.cast::<[u16; 4]>().write([cap as u16, start as u16, end as u16, count as u16]);
            }
        }
    }

    /// Number of elements, as its owner counts them.
    #[inline]
    pub fn count(&self) -> usize {
        self.head().count as usize
    }

    /// Sets the number of elements: none if there are no bytes.
    #[inline]
    pub fn set_count(&mut self, count: usize) {
        if self.block().is_null() {
            debug_assert_eq!(count, 0, "elements take bytes");
        } else {
            self.set_head(Head { count: count as u32, ..self.head() });
        }
    }

    /// The number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        let head = self.head();
        (head.end - head.start) as usize
    }

    /// Bytes of the allocation.
    pub fn memory_bytes(&self) -> usize {
        match self.head().cap as usize {
            0 => 0,
            cap => head_len(cap) + cap,
        }
    }

    /// The bytes.
    #[inline]
    pub fn data(&self) -> &[u8] {
        let head = self.head();
        &self.body(head)[head.start as usize..head.end as usize]
    }

    /// The bytes, to change.
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        let head = self.head();
        &mut self.body_mut(head)[head.start as usize..head.end as usize]
    }

    /// All of the body.
    #[inline]
    fn body(&self, head: Head) -> &[u8] {
        if head.cap == 0 {
            return &[];
        }
        let cap = head.cap as usize;
        // SAFETY: the block has `cap` bytes behind its head, initialised throughout: it was allocated zeroed, and what
        // a `realloc` added was zeroed there.
        unsafe { std::slice::from_raw_parts(self.block().add(head_len(cap)), cap) }
    }

    #[inline]
    fn body_mut(&mut self, head: Head) -> &mut [u8] {
        if head.cap == 0 {
            return &mut [];
        }
        let cap = head.cap as usize;
        // SAFETY: as in `body`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.block().add(head_len(cap)), cap) }
    }

    fn layout(cap: usize) -> Layout {
        assert!(cap <= u32::MAX as usize, "a small form holds at most 4 GiB");
        match Layout::from_size_align(head_len(cap) + cap, ALIGN) {
            Ok(layout) => layout,
            Err(_) => unreachable!("four gigabytes with an alignment of eight are a layout"),
        }
    }

    /// A block of zeros, with its head written; `cap` is not 0. It has the mark of `self`.
    fn allocate(&self, cap: usize) -> Self {
        let layout = Self::layout(cap);
        // SAFETY: the size is not 0.
        let block = unsafe { alloc_zeroed(layout) };
        if block.is_null() {
            handle_alloc_error(layout);
        }
        self.handle(block, Head { cap: cap as u32, ..Head::default() })
    }

    /// The handle, with the mark of `self`, of a block whose head is written here.
    fn handle(&self, block: *mut u8, head: Head) -> Self {
        let mark = self.0.addr() & MARKED;
        let wide = if head_len(head.cap as usize) == WIDE_HEAD { WIDE } else { 0 };
        let mut new = Self(block.map_addr(|at| at | mark | wide));
        new.set_head(head);
        new
    }

    fn release(&mut self) {
        let block = self.block();
        if !block.is_null() {
            let layout = Self::layout(self.head().cap as usize);
            self.0 = ptr::null_mut::<u8>().map_addr(|_| self.0.addr() & MARKED);
            // SAFETY: the block was allocated with this layout and is replaced above.
            unsafe { dealloc(block, layout) };
        }
    }

    /// Changes the capacity, keeping bytes at their offsets. All of them must lie below `cap`.
    fn reallocate(&mut self, cap: usize) {
        let head = self.head();
        let old = head.cap as usize;
        debug_assert!(cap >= head.end as usize);
        if cap == 0 {
            return self.release();
        }
        if old == 0 || head_len(old) != head_len(cap) {
            let mut new = self.allocate(cap);
            new.set_head(Head { cap: cap as u32, ..head });
            let end = head.end as usize;
            let new_head = new.head();
            new.body_mut(new_head)[..end].copy_from_slice(&self.body(head)[..end]);
            *self = new;
            return;
        }
        let layout = Self::layout(cap);
        // SAFETY: the block was allocated with the layout of the old capacity; the size is not 0.
        let block = unsafe { realloc(self.block(), Self::layout(old), layout.size()) };
        if block.is_null() {
            handle_alloc_error(layout);
        }
        if cap > old {
            // SAFETY: the body has `cap` bytes; those from `old` on are new.
            unsafe { block.add(head_len(cap) + old).write_bytes(0, cap - old) };
        }
        let new = self.handle(block, Head { cap: cap as u32, ..head });
        // The old handle's block has gone.
        std::mem::forget(std::mem::replace(self, new));
    }

    /// A copy of `data`, which hold `count` elements.
    pub fn copy_of(data: &[u8], count: usize) -> Self {
        let mut new = Self::new();
        if !data.is_empty() {
            let cap = capacity_for(data.len());
            new = new.allocate(cap);
            new.set_head(Head { cap: cap as u32, start: 0, end: data.len() as u32, count: count as u32 });
            new.data_mut().copy_from_slice(data);
        }
        new
    }

    /// Makes `data()[at..at + len]` fresh room; what was there moves to one side, whichever costs less.
    pub fn open_gap(&mut self, at: usize, len: usize) {
        let head = self.head();
        let (start, end, cap) = (head.start as usize, head.end as usize, head.cap as usize);
        let (left, right) = (at, end - start - at);
        let (fits_front, fits_back) = (start >= len, cap - end >= len);
        if len == 0 {
        } else if fits_back && (right <= left || !fits_front) {
            self.body_mut(head).copy_within(start + at..end, start + at + len);
            self.set_head(Head { end: head.end + len as u32, ..head });
        } else if fits_front {
            self.body_mut(head).copy_within(start..start + at, start - len);
            self.set_head(Head { start: head.start - len as u32, ..head });
        } else {
            self.grow(at, len, right <= left);
        }
    }

    /// The room is on neither side: close up both if together they are worth it, else take a larger block, with the
    /// spare bytes on the side that was pushed to.
    fn grow(&mut self, at: usize, len: usize, spare_at_back: bool) {
        let head = self.head();
        let (start, used, cap) = (head.start as usize, (head.end - head.start) as usize, head.cap as usize);
        let total = used + len;
        // Closing up moves everything, so it must free enough for many a push.
        let new_cap = match cap {
            _ if cap >= total + total / 8 => cap,
            _ if cap >= total => capacity_for(total + total / 8),
            _ => capacity_for(total),
        };
        let new_start = if spare_at_back { 0 } else { new_cap - total };
        if start == 0 && new_start == 0 {
            self.reallocate(new_cap);
            let head = self.head();
            self.body_mut(head).copy_within(at..used, at + len);
        } else if new_cap == cap {
            let body = self.body_mut(head);
            // The part that moves towards the other one goes second, or it would be written over.
            if new_start <= start {
                body.copy_within(start..start + at, new_start);
                body.copy_within(start + at..start + used, new_start + at + len);
            } else {
                body.copy_within(start + at..start + used, new_start + at + len);
                body.copy_within(start..start + at, new_start);
            }
        } else {
            let mut new = self.allocate(new_cap);
            let new_head = new.head();
            let body = new.body_mut(new_head);
            body[new_start..new_start + at].copy_from_slice(&self.data()[..at]);
            body[new_start + at + len..new_start + total].copy_from_slice(&self.data()[at..]);
            *self = new;
        }
        let cap = self.head().cap;
        let (start, end) = (new_start as u32, (new_start + total) as u32);
        self.set_head(Head { cap, start, end, count: head.count });
    }

    /// Takes `data()[from..to]` out, and gives memory back when much is unused.
    pub fn close_gap(&mut self, from: usize, to: usize) {
        let head = self.head();
        let (start, end) = (head.start as usize, head.end as usize);
        let len = to - from;
        if len == 0 {
            return;
        }
        if from < end - start - to {
            self.body_mut(head).copy_within(start..start + from, start + len);
            self.set_head(Head { start: head.start + len as u32, ..head });
        } else {
            self.body_mut(head).copy_within(start + to..end, start + from);
            self.set_head(Head { end: head.end - len as u32, ..head });
        }
        self.give_back_spare();
    }

    /// Cuts the bytes to the first `len`.
    pub fn truncate(&mut self, len: usize) {
        let head = self.head();
        if len < (head.end - head.start) as usize {
            self.set_head(Head { end: head.start + len as u32, ..head });
            self.give_back_spare();
        }
    }

    fn give_back_spare(&mut self) {
        let head = self.head();
        let used = (head.end - head.start) as usize;
        if used == 0 {
            return self.release();
        }
        let (cap, less) = (head.cap as usize, capacity_for(used));
        if used * 2 > cap || less >= cap {
            return;
        }
        let start = head.start as usize;
        self.body_mut(head).copy_within(start..start + used, 0);
        self.set_head(Head { start: 0, end: used as u32, ..head });
        self.reallocate(less);
    }
}

impl Drop for CountedBytes {
    fn drop(&mut self) {
        self.release();
    }
}

impl Clone for CountedBytes {
    fn clone(&self) -> Self {
        let copy = Self::copy_of(self.data(), self.count());
        if self.is_marked() { copy.marked() } else { copy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(prop::sample::Index, Vec<u8>),
        Remove(prop::sample::Index, prop::sample::Index),
        Truncate(prop::sample::Index),
    }

    fn step() -> impl Strategy<Value = Step> {
        let at = any::<prop::sample::Index>;
        let bytes = prop_oneof![
            6 => prop::collection::vec(any::<u8>(), 0..40),
            // Enough to need a wide head, and to come back from it.
            1 => (any::<u8>(), 20_000usize..40_000).prop_map(|(byte, len)| vec![byte; len]),
        ];
        prop_oneof![
            4 => (at(), bytes).prop_map(|(at, bytes)| Step::Insert(at, bytes)),
            2 => (at(), at()).prop_map(|(one, two)| Step::Remove(one, two)),
            1 => at().prop_map(Step::Truncate),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 256 }))]

        #[test]
        fn behaves_as_a_vector(steps in prop::collection::vec(step(), 0..60), mark: bool) {
            let mut bytes = if mark { CountedBytes::new().marked() } else { CountedBytes::new() };
            let mut model = Vec::new();
            for step in steps {
                match step {
                    Step::Insert(at, more) => {
                        let at = at.index(model.len() + 1);
                        bytes.open_gap(at, more.len());
                        bytes.data_mut()[at..at + more.len()].copy_from_slice(&more);
                        model.splice(at..at, more);
                    }
                    Step::Remove(one, two) => {
                        let (one, two) = (one.index(model.len() + 1), two.index(model.len() + 1));
                        let (from, to) = (one.min(two), one.max(two));
                        bytes.close_gap(from, to);
                        model.drain(from..to);
                    }
                    Step::Truncate(at) => {
                        let len = at.index(model.len() + 1);
                        bytes.truncate(len);
                        model.truncate(len);
                    }
                }
                bytes.set_count(model.len() / 2);
                prop_assert_eq!(bytes.data(), &model[..]);
                prop_assert_eq!((bytes.len(), bytes.count()), (model.len(), model.len() / 2));
                prop_assert_eq!(bytes.is_marked(), mark);
                prop_assert!(bytes.memory_bytes() <= model.len() * 5 / 2 + 32);
                prop_assert_eq!(bytes.memory_bytes() == 0, model.is_empty());
                let copy = bytes.clone();
                prop_assert!(copy.data() == model && copy.count() == bytes.count() && copy.is_marked() == mark);
            }
        }
    }
}
