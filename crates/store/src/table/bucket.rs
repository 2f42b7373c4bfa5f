//! One cache line of the table: seven items, their tags, and what overflowed from it.

use super::{BUCKETS_FULL, Item};
use crate::prefetch::prefetch;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Items that a bucket holds.
pub(super) const SLOTS: usize = 7;

/// How far from its home an item may be placed.
pub(super) const DISTANCE_MAX: usize = 7;

/// The overflow count at which counting ends; it stays until the segment is rebuilt. Spilled items force it.
pub(super) const COUNT_STICKY: u8 = 31;

const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
const SLOT_BITS: u64 = 0x0080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;

/// A cache line. `meta` holds in bytes 0 to 6 the slots' tags (0: vacant), in byte 7 the overflow: in its upper five
/// bits the number of items whose home this is and that lie elsewhere, in its lower three the longest distance.
#[repr(C, align(64))]
pub(super) struct Bucket<T> {
    meta: u64,
    slots: [MaybeUninit<T>; SLOTS],
}

/// A set of slots of one bucket.
#[derive(Clone, Copy)]
pub(super) struct Slots(u64);

impl Iterator for Slots {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = self.0.trailing_zeros() as usize / 8;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

impl<T> Bucket<T> {
    /// The slots whose tag is `tag`. Exact: a vacant slot never matches a tag above zero.
    #[inline]
    pub(super) fn matches(&self, tag: u8) -> Slots {
        let differing = self.meta ^ (ONES * u64::from(tag));
        Slots(!(((differing & LOW_BITS) + LOW_BITS) | differing) & SLOT_BITS)
    }

    #[inline]
    pub(super) fn vacant(&self) -> Slots {
        self.matches(0)
    }

    #[inline]
    pub(super) fn occupied(&self) -> Slots {
        Slots(self.vacant().0 ^ SLOT_BITS)
    }

    /// The item in a slot.
    ///
    /// # Safety
    /// The slot is occupied.
    #[inline]
    pub(super) unsafe fn item(&self, slot: usize) -> &T {
        debug_assert!(self.occupied().any(|taken| taken == slot));
        // SAFETY: the caller says that the slot is occupied, so it is within bounds and initialised.
        unsafe { self.slots.get_unchecked(slot).assume_init_ref() }
    }

    /// Loads the first lines of its items, whose keys are to be hashed.
    #[inline]
    pub(super) fn prefetch_items(&self)
    where
        T: Item,
    {
        for slot in self.occupied() {
            // SAFETY: the slot is one of the occupied.
            prefetch(unsafe { self.item(slot) }.address());
        }
    }

    #[inline]
    pub(super) fn item_mut(&mut self, slot: usize) -> *mut T {
        self.slots[slot].as_mut_ptr()
    }

    #[inline]
    pub(super) fn put(&mut self, slot: usize, tag: u8, item: T) {
        debug_assert!(tag != 0 && self.vacant().any(|free| free == slot));
        self.slots[slot].write(item);
        self.meta |= u64::from(tag) << (slot * 8);
    }

    /// Takes the item out of a slot.
    ///
    /// # Safety
    /// The slot is occupied.
    #[inline]
    pub(super) unsafe fn take(&mut self, slot: usize) -> T {
        debug_assert!(self.occupied().any(|taken| taken == slot));
        self.meta &= !(0xff << (slot * 8));
        // SAFETY: the slot was occupied; its tag is cleared, so the item is read out once.
        unsafe { self.slots[slot].assume_init_read() }
    }

    /// Items whose home this is and that lie elsewhere, up to [`COUNT_STICKY`].
    #[inline]
    pub(super) fn displaced(&self) -> u8 {
        (self.meta >> 59) as u8
    }

    /// The longest distance at which one of them lies.
    #[inline]
    pub(super) fn distance(&self) -> usize {
        (self.meta >> 56) as usize & DISTANCE_MAX
    }

    fn set_overflow(&mut self, displaced: u8, distance: usize) {
        debug_assert!(displaced <= COUNT_STICKY && distance <= DISTANCE_MAX);
        self.meta = self.meta << 8 >> 8 | u64::from(displaced) << 59 | (distance as u64) << 56;
    }

    pub(super) fn note_displaced(&mut self, distance: usize) {
        let displaced = (self.displaced() + 1).min(COUNT_STICKY);
        self.set_overflow(displaced, self.distance().max(distance));
    }

    pub(super) fn note_spilled(&mut self) {
        self.set_overflow(COUNT_STICKY, self.distance());
    }

    pub(super) fn forget_displaced(&mut self) {
        match self.displaced() {
            COUNT_STICKY => {}
            0 | 1 => self.set_overflow(0, 0),
            displaced => self.set_overflow(displaced - 1, self.distance()),
        }
    }

    /// Forgets the overflow, of a segment that is being rebuilt.
    pub(super) fn reset_overflow(&mut self) {
        self.set_overflow(0, 0);
    }
}

/// Marks of a full segment's slots.
pub(super) struct Marks([u8; 64]);

impl Marks {
    #[inline]
    pub(super) fn get(&self, bucket: usize, slot: usize) -> bool {
        self.0[bucket] >> slot & 1 == 1
    }

    #[inline]
    pub(super) fn set(&mut self, bucket: usize, slot: usize, mark: bool) {
        let bits = &mut self.0[bucket];
        *bits = *bits & !(1 << slot) | u8::from(mark) << slot;
    }

    pub(super) fn clear(&mut self) {
        self.0 = [0; 64];
    }
}

/// A handle to an array of buckets; whoever holds it knows how many they are. It does not own them.
pub(super) struct Segment<T>(NonNull<Bucket<T>>);

impl<T> Clone for Segment<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Segment<T> {}

impl<T> Segment<T> {
    pub(super) fn allocate(buckets: usize) -> Self {
        let layout = Self::layout(buckets);
        // SAFETY: the layout is of at least one bucket, so not of size zero.
        let memory = unsafe { alloc_zeroed(layout) };
        match NonNull::new(memory.cast()) {
            // All zero is a valid bucket: no tags, no overflow, slots that need no value.
            Some(memory) => Segment(memory),
            None => handle_alloc_error(layout),
        }
    }

    /// # Safety
    /// The segment was allocated with this number of buckets, and is not used again.
    pub(super) unsafe fn free(self, buckets: usize) {
        // SAFETY: by the caller's word it was allocated with this layout.
        unsafe { dealloc(self.0.as_ptr().cast(), Self::layout(buckets)) }
    }

    /// Cache lines of a segment of so many buckets: a full one has another line, of marks.
    pub(super) const fn lines(buckets: usize) -> usize {
        if buckets == BUCKETS_FULL { buckets + 1 } else { buckets }
    }

    fn layout(buckets: usize) -> Layout {
        debug_assert!(buckets > 0 && buckets < 64);
        let size = Self::lines(buckets) * size_of::<Bucket<T>>();
        // SAFETY: 64 lines of 64 bytes at most, aligned to 64.
        unsafe { Layout::from_size_align_unchecked(size, align_of::<Bucket<T>>()) }
    }

    /// A bit for each slot, in a byte for each bucket.
    ///
    /// # Safety
    /// The segment is alive and full-sized; nobody else uses its marks during `'a`.
    #[inline]
    pub(super) unsafe fn marks<'a>(self) -> &'a mut Marks {
        // SAFETY: by the caller's word the line is within the allocation, all of it initialised, and exclusive.
        unsafe { &mut *self.address(BUCKETS_FULL).cast() }
    }

    #[inline]
    pub(super) fn address(self, bucket: usize) -> *mut Bucket<T> {
        self.0.as_ptr().wrapping_add(bucket)
    }

    /// # Safety
    /// The segment is alive and has more than `bucket` buckets; nobody writes to the bucket during `'a`.
    #[inline]
    pub(super) unsafe fn bucket<'a>(self, bucket: usize) -> &'a Bucket<T> {
        // SAFETY: by the caller's word it is within the allocation, and shared.
        unsafe { &*self.address(bucket) }
    }

    /// Where the slot's item lies.
    ///
    /// # Safety
    /// The segment is alive and has more than `bucket` buckets, and the slot is one of a bucket's.
    #[inline]
    pub(super) unsafe fn item_at(self, bucket: usize, slot: usize) -> NonNull<T> {
        debug_assert!(slot < SLOTS);
        // SAFETY: by the caller's word the place is within the allocation, which is not at null.
        unsafe { NonNull::new_unchecked((&raw mut (*self.address(bucket)).slots).cast::<T>().add(slot)) }
    }

    /// # Safety
    /// The segment is alive and has more than `bucket` buckets; nobody else uses the bucket during `'a`.
    #[inline]
    pub(super) unsafe fn bucket_mut<'a>(self, bucket: usize) -> &'a mut Bucket<T> {
        // SAFETY: by the caller's word it is within the allocation, and exclusive.
        unsafe { &mut *self.address(bucket) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_a_cache_line() {
        assert_eq!(size_of::<Bucket<Box<u8>>>(), 64);
        assert_eq!(align_of::<Bucket<Box<u8>>>(), 64);
    }

    #[test]
    fn tags_match_exactly() {
        for tag in 1..=255u8 {
            for near in [tag, tag ^ 1, tag ^ 0x80, 1, 255].into_iter().filter(|&near| near != 0) {
                let mut bucket = Bucket::<u64> { meta: 0, slots: [MaybeUninit::uninit(); SLOTS] };
                let tags = [tag, near, 0, near, tag, 0, tag];
                for (slot, &tag) in tags.iter().enumerate() {
                    if tag != 0 {
                        bucket.put(slot, tag, slot as u64);
                    }
                }
                bucket.note_displaced(tag as usize % 8);
                let expected: Vec<_> = (0..SLOTS).filter(|&slot| tags[slot] == tag).collect();
                assert_eq!(bucket.matches(tag).collect::<Vec<_>>(), expected, "{tags:?}");
                assert_eq!(bucket.vacant().collect::<Vec<_>>(), [2, 5]);
                assert_eq!(bucket.occupied().collect::<Vec<_>>(), [0, 1, 3, 4, 6]);
            }
        }
    }

    #[test]
    fn overflow_is_counted_and_sticks_at_its_maximum() {
        let mut bucket = Bucket::<u64> { meta: 0, slots: [MaybeUninit::uninit(); SLOTS] };
        bucket.note_displaced(2);
        bucket.note_displaced(1);
        assert_eq!((bucket.displaced(), bucket.distance()), (2, 2));
        bucket.forget_displaced();
        assert_eq!((bucket.displaced(), bucket.distance()), (1, 2));
        bucket.forget_displaced();
        assert_eq!((bucket.displaced(), bucket.distance()), (0, 0));
        for _ in 0..40 {
            bucket.note_displaced(7);
        }
        bucket.forget_displaced();
        assert_eq!((bucket.displaced(), bucket.distance()), (COUNT_STICKY, 7));
        assert_eq!(bucket.vacant().count(), SLOTS);
    }
}
