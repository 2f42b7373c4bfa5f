//! The hash table of the keyspace and of the large encodings: extendible hashing over cache-line buckets.
//!
//! The top bits of a hash choose a directory entry, which leads to a segment; the low 16 bits choose the home bucket
//! in it, as a fraction of the segment, whatever its size. A bucket is a cache line: seven items and their tags. An
//! item that finds its home full goes into one of the next buckets, and the home counts it; so a look-up ends in its
//! first line unless that line says otherwise. A full segment splits in two, which is the longest pause of an
//! insertion; nothing ever rehashes the whole table.
//!
//! A table of few items is one segment of 1, 2, 4, ... buckets; segments have their full size before they split.

mod bucket;
mod random;
mod rebuild;
mod scan;
#[cfg(test)]
mod tests;
mod walk;

use crate::hash_key;
pub use crate::hash_seed::Seed;
use crate::prefetch::{prefetch, prefetch_two};
use bucket::{COUNT_STICKY, DISTANCE_MAX, SLOTS, Segment};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// What a table holds: an owned handle of eight bytes to something that has a key.
pub trait Item {
    /// The key, which must stay the same while the item is in a table.
    fn key(&self) -> &[u8];

    /// Where the item's memory begins: what [`Table::prefetch_item`] loads. It is never read through.
    fn address(&self) -> *const u8;
}

/// The number of buckets of a full segment. With its line of marks it is of the allocators' size class of 3,584.
const BUCKETS_FULL: usize = 55;
/// Two buddies that hold no more items than this together become one segment.
const MERGE_MAX: usize = 140;
/// The longest prefix that a directory resolves.
const DEPTH_MAX: u32 = 30;
/// [`Place::bucket`] of an item in the spill; its slot is the index there.
const SPILLED: u32 = u32::MAX;

/// A hash table of items `T`, which it owns, found by key.
///
/// Hashes are given by the caller, who often has them already; they must be [`Table::hash`] of the key. Look-up,
/// insertion and removal are O(1); an insertion may split a segment of some 330 items, or double the directory (12
/// bytes for about every 200 items).
pub struct Table<T: Item> {
    /// Segments by the top `depth` bits of the hash; a segment of lesser depth is in several entries in a row.
    directory: Vec<Segment<T>>,
    /// For each directory entry its segment's depth; the count is kept in the segment's first entry only.
    fills: Vec<Fill>,
    len: usize,
    seed: Seed,
    /// Buckets of every segment; below [`BUCKETS_FULL`] only while there is one segment.
    buckets: usize,
    depth: u32,
    segments: usize,
    /// Segments whose own depth is the directory's.
    deepest: usize,
    /// Changes from walk to walk: segments that do not have it are still to be visited.
    pass: bool,
    /// Items for which a segment had no place and could not split: hashes made to collide. Normally empty.
    spill: Vec<Spilled<T>>,
    owns: PhantomData<T>,
}

#[derive(Clone, Copy)]
struct Fill {
    count: u16,
    depth: u8,
    /// The last walk that visited the segment, kept in its first entry like the count.
    pass: bool,
}

/// An item outside of its segment.
struct Spilled<T> {
    item: T,
    /// Its mark, as of an item in a slot.
    mark: bool,
}

/// Where an item lies within the segment of its hash.
#[derive(Clone, Copy)]
struct Place {
    bucket: u32,
    slot: u32,
}

// SAFETY: the table owns its segments and the items in them; it has no other shared state.
unsafe impl<T: Item + Send> Send for Table<T> {}
// SAFETY: through a shared reference the table is only read, and gives out shared references to items only.
unsafe impl<T: Item + Sync> Sync for Table<T> {}

impl<T: Item> std::fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("len", &self.len)
            .field("segments", &self.segments)
            .finish_non_exhaustive()
    }
}

/// A key's place in a table: with an item, or free.
pub enum Slot<'a, T: Item> {
    /// The item that has the key. It may be replaced by one of the same key.
    Occupied(&'a mut T),
    /// No item has the key.
    Vacant(VacantSlot<'a, T>),
}

/// Permission to insert an item of the key that was looked for.
pub struct VacantSlot<'a, T: Item> {
    table: &'a mut Table<T>,
    hash: u64,
}

impl<'a, T: Item> VacantSlot<'a, T> {
    /// Inserts the item, whose key must be the one looked for.
    #[inline]
    pub fn insert(self, item: T) -> &'a mut T {
        self.table.insert_unique(self.hash, item)
    }
}

/// An item in a table that may be changed or removed.
pub struct OccupiedSlot<'a, T: Item> {
    table: &'a mut Table<T>,
    hash: u64,
    place: Place,
}

impl<'a, T: Item> OccupiedSlot<'a, T> {
    /// The item.
    #[inline]
    pub fn get(&self) -> &T {
        self.table.item(self.hash, self.place)
    }

    /// The item, to change or to replace by one of the same key.
    #[inline]
    pub fn get_mut(&mut self) -> &mut T {
        self.table.item_mut(self.hash, self.place)
    }

    /// The item, for as long as the table is borrowed.
    #[inline]
    pub fn into_mut(self) -> &'a mut T {
        self.table.item_mut(self.hash, self.place)
    }

    /// Takes the item out of the table.
    #[inline]
    pub fn remove(self) -> T {
        self.table.remove_at(self.hash, self.place)
    }
}

/// What a look at the home bucket of a key has found.
enum Home<T> {
    /// Its item, in the bucket.
    Here(NonNull<T>),
    /// No item of its, anywhere.
    Nowhere,
    /// Items that lie elsewhere, of which one may be the key's.
    Elsewhere,
}

/// Whether two keys are the same. Most are short, and those are compared without a call.
#[inline]
fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() || one.len() > 16 {
        return one == other;
    }
    let words =
        (one.first_chunk::<8>(), one.last_chunk::<8>(), other.first_chunk::<8>(), other.last_chunk::<8>());
    if let (Some(head), Some(tail), Some(other_head), Some(other_tail)) = words {
        return head == other_head && tail == other_tail;
    }
    one == other
}

#[inline]
fn home_of(hash: u64, buckets: usize) -> usize {
    (usize::from(hash as u16) * buckets) >> 16
}

#[inline]
fn tag_of(hash: u64) -> u8 {
    ((hash >> 16) as u8).max(1)
}

impl<T: Item> Table<T> {
    const SLOT_SIZE: () = assert!(size_of::<T>() == 8 && align_of::<T>() <= 8);

    /// An empty table; it allocates nothing before the first item.
    pub const fn new(seed: Seed) -> Self {
        let () = Self::SLOT_SIZE;
        Table {
            directory: Vec::new(),
            fills: Vec::new(),
            len: 0,
            seed,
            buckets: 1,
            depth: 0,
            segments: 0,
            deepest: 0,
            pass: false,
            spill: Vec::new(),
            owns: PhantomData,
        }
    }

    /// The number of items.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The seed under which this table's keys are hashed.
    #[inline]
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The hash that this table's functions take for a key.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        hash_key(&self.seed, key)
    }

    /// The item of a key.
    #[inline]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<&T> {
        match self.look_home(hash, key) {
            // SAFETY: it is an item of this table, which is borrowed for as long.
            Home::Here(item) => Some(unsafe { item.as_ref() }),
            Home::Nowhere => None,
            Home::Elsewhere => self.find_elsewhere(hash, key).map(|place| self.item(hash, place)),
        }
    }

    /// The item of a key, to change or to replace by one of the same key.
    #[inline]
    pub fn get_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut T> {
        match self.look_home(hash, key) {
            // SAFETY: as in `get`; the table is borrowed exclusively.
            Home::Here(mut item) => Some(unsafe { item.as_mut() }),
            Home::Nowhere => None,
            Home::Elsewhere => self.find_elsewhere(hash, key).map(|place| self.item_mut(hash, place)),
        }
    }

    /// The item of a key, to look at and then perhaps remove.
    #[inline]
    pub fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<OccupiedSlot<'_, T>> {
        self.find(hash, key).map(|place| OccupiedSlot { table: self, hash, place })
    }

    /// The item of a key, or the permission to insert it.
    #[inline]
    pub fn find_or_reserve(&mut self, hash: u64, key: &[u8]) -> Slot<'_, T> {
        let found = match self.look_home(hash, key) {
            // SAFETY: as in `get_mut`.
            Home::Here(mut item) => return Slot::Occupied(unsafe { item.as_mut() }),
            Home::Nowhere => None,
            Home::Elsewhere => self.find_elsewhere(hash, key),
        };
        match found {
            Some(place) => Slot::Occupied(self.item_mut(hash, place)),
            None => Slot::Vacant(VacantSlot { table: self, hash }),
        }
    }

    /// Inserts an item whose key is not in the table.
    pub fn insert_unique(&mut self, hash: u64, item: T) -> &mut T {
        debug_assert_eq!(hash, self.hash(item.key()));
        debug_assert!(self.find(hash, item.key()).is_none());
        let place = self.place_growing(hash, item);
        self.len += 1;
        self.item_mut(hash, place)
    }

    /// Takes the item of a key out of the table.
    #[inline]
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<T> {
        self.find(hash, key).map(|place| self.remove_at(hash, place))
    }

    /// Takes the item of a key out of the table if the condition holds for it.
    #[inline]
    pub fn remove_if(&mut self, hash: u64, key: &[u8], condition: impl FnOnce(&T) -> bool) -> Option<T> {
        let place = self.find(hash, key)?;
        condition(self.item(hash, place)).then(|| self.remove_at(hash, place))
    }

    /// Drops every item and gives the memory back. O(n).
    pub fn clear(&mut self) {
        *self = Table::new(self.seed);
    }

    /// Every item once, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let firsts = self.fills.iter().enumerate().filter(|&(index, &fill)| self.is_first(index, fill));
        let buckets = firsts.flat_map(|(index, _)| (0..self.buckets).map(move |bucket| (index, bucket)));
        let placed = buckets.flat_map(|(index, bucket)| {
            // SAFETY: the directory's segments are alive and have `buckets` buckets; `self` is borrowed.
            let bucket = unsafe { self.directory[index].bucket(bucket) };
            // SAFETY: the slot is one of the occupied.
            bucket.occupied().map(|slot| unsafe { bucket.item(slot) })
        });
        placed.chain(self.spill.iter().map(|spilled| &spilled.item))
    }

    /// The memory that the table itself holds on the heap, without its items, in bytes.
    pub fn memory_bytes(&self) -> usize {
        self.segments * Segment::<T>::lines(self.buckets) * 64
            + self.directory.capacity() * size_of::<Segment<T>>()
            + self.fills.capacity() * size_of::<Fill>()
            + self.spill.capacity() * size_of::<Spilled<T>>()
    }

    /// Loads the cache line in which a look-up of this hash begins.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        if let Some(segment) = self.directory.get(self.index_of(hash)) {
            prefetch(segment.address(home_of(hash, self.buckets)).cast());
        }
    }

    /// Loads the first two cache lines of the item that a look-up of this hash will probably find.
    #[inline]
    pub fn prefetch_item(&self, hash: u64) {
        let Some(segment) = self.directory.get(self.index_of(hash)) else { return };
        let home = home_of(hash, self.buckets);
        // SAFETY: the directory's segments are alive, the home is below `buckets`; `self` is borrowed.
        let bucket = unsafe { segment.bucket(home) };
        if let Some(slot) = bucket.matches(tag_of(hash)).next() {
            // SAFETY: a slot with a tag above zero is occupied.
            prefetch_two(unsafe { bucket.item(slot) }.address());
        } else if bucket.displaced() != 0 {
            prefetch(segment.address(wrap(home + 1, self.buckets)).cast());
        }
    }

    /// The item that a look-up of this hash will probably find: the first with its tag, where it is looked for first.
    #[inline]
    pub fn candidate(&self, hash: u64) -> Option<&T> {
        let segment = self.directory.get(self.index_of(hash))?;
        // SAFETY: the directory's segments are alive, the home is below `buckets`; `self` is borrowed.
        let bucket = unsafe { segment.bucket(home_of(hash, self.buckets)) };
        // SAFETY: a slot with a tag above zero is occupied.
        bucket.matches(tag_of(hash)).next().map(|slot| unsafe { bucket.item(slot) })
    }

    #[inline]
    fn index_of(&self, hash: u64) -> usize {
        ((hash >> 32) >> (32 - self.depth)) as usize
    }

    /// The segment of a hash; the table has one.
    #[inline]
    fn segment_of(&self, hash: u64) -> Segment<T> {
        let index = self.index_of(hash);
        debug_assert!(index < self.directory.len());
        // SAFETY: the directory has 2^depth entries (it is not empty, by the caller's word), the index depth bits.
        unsafe { *self.directory.get_unchecked(index) }
    }

    /// The first directory entry of the segment that `index` leads to.
    #[inline]
    fn first_index(&self, index: usize, depth: u8) -> usize {
        index >> (self.depth - u32::from(depth)) << (self.depth - u32::from(depth))
    }

    fn is_first(&self, index: usize, fill: Fill) -> bool {
        self.first_index(index, fill.depth) == index
    }

    /// Looks for the item of a key in its home bucket, where nearly all are. What is found may be written to if the table
    /// is borrowed exclusively.
    #[inline(always)]
    fn look_home(&self, hash: u64, key: &[u8]) -> Home<T> {
        debug_assert_eq!(hash, self.hash(key));
        if self.len == 0 {
            return Home::Nowhere;
        }
        let segment = self.segment_of(hash);
        let home = home_of(hash, self.buckets);
        // SAFETY: the directory's segments are alive, the home is below `buckets`; `self` is borrowed.
        let bucket = unsafe { segment.bucket(home) };
        for slot in bucket.matches(tag_of(hash)) {
            // SAFETY: a slot with a tag above zero is occupied.
            if is_same(unsafe { bucket.item(slot) }.key(), key) {
                // SAFETY: the bucket is one of the segment's.
                return Home::Here(unsafe { segment.item_at(home, slot) });
            }
        }
        if bucket.displaced() == 0 { Home::Nowhere } else { Home::Elsewhere }
    }

    /// The place of an item that is not in its home bucket.
    #[inline(never)]
    fn find_elsewhere(&self, hash: u64, key: &[u8]) -> Option<Place> {
        self.find_displaced(self.segment_of(hash), home_of(hash, self.buckets), tag_of(hash), key)
    }

    #[inline]
    fn find(&self, hash: u64, key: &[u8]) -> Option<Place> {
        debug_assert_eq!(hash, self.hash(key));
        if self.len == 0 {
            return None;
        }
        let segment = self.segment_of(hash);
        let home = home_of(hash, self.buckets);
        // SAFETY: the directory's segments are alive, the home is below `buckets`; `self` is borrowed.
        let bucket = unsafe { segment.bucket(home) };
        for slot in bucket.matches(tag_of(hash)) {
            // SAFETY: a slot with a tag above zero is occupied.
            if unsafe { bucket.item(slot) }.key() == key {
                return Some(Place { bucket: home as u32, slot: slot as u32 });
            }
        }
        if bucket.displaced() == 0 { None } else { self.find_displaced(segment, home, tag_of(hash), key) }
    }

    fn find_displaced(&self, segment: Segment<T>, home: usize, tag: u8, key: &[u8]) -> Option<Place> {
        // SAFETY: as in `find`, whose segment and home these are.
        let overflow = unsafe { segment.bucket(home) };
        for distance in 1..=overflow.distance() {
            let at = wrap(home + distance, self.buckets);
            // SAFETY: the position is below `buckets`.
            let bucket = unsafe { segment.bucket(at) };
            for slot in bucket.matches(tag) {
                // SAFETY: a slot with a tag above zero is occupied.
                if unsafe { bucket.item(slot) }.key() == key {
                    return Some(Place { bucket: at as u32, slot: slot as u32 });
                }
            }
        }
        if overflow.displaced() < COUNT_STICKY {
            return None;
        }
        let spilled = self.spill.iter().position(|spilled| spilled.item.key() == key)?;
        Some(Place { bucket: SPILLED, slot: spilled as u32 })
    }

    #[inline]
    fn item(&self, hash: u64, place: Place) -> &T {
        if place.bucket == SPILLED {
            return &self.spill[place.slot as usize].item;
        }
        // SAFETY: a place is of an item in the segment of this hash, and `self` is borrowed since it was found.
        unsafe { self.segment_of(hash).bucket(place.bucket as usize).item(place.slot as usize) }
    }

    #[inline]
    fn item_mut(&mut self, hash: u64, place: Place) -> &mut T {
        if place.bucket == SPILLED {
            return &mut self.spill[place.slot as usize].item;
        }
        // SAFETY: as in `item`; `self` is borrowed exclusively.
        unsafe { &mut *self.segment_of(hash).bucket_mut(place.bucket as usize).item_mut(place.slot as usize) }
    }

    fn remove_at(&mut self, hash: u64, place: Place) -> T {
        self.len -= 1;
        if place.bucket == SPILLED {
            return self.spill.swap_remove(place.slot as usize).item;
        }
        let segment = self.segment_of(hash);
        // SAFETY: a place is of an item in the segment of this hash; `self` is borrowed exclusively.
        let item = unsafe { segment.bucket_mut(place.bucket as usize).take(place.slot as usize) };
        let home = home_of(hash, self.buckets);
        if home != place.bucket as usize {
            // SAFETY: the home is below `buckets`; the other bucket's borrow has ended.
            unsafe { segment.bucket_mut(home) }.forget_displaced();
        }
        let index = self.index_of(hash);
        let first = self.first_index(index, self.fills[index].depth);
        self.fills[first].count -= 1;
        self.shrink_after_removal(first);
        item
    }

    /// Puts an item with its mark within a distance of its home if there is a place; gives it back if not.
    fn place(&mut self, hash: u64, item: T, mark: bool, distance_max: usize) -> Result<Place, T> {
        let segment = self.segment_of(hash);
        let home = home_of(hash, self.buckets);
        for distance in 0..=distance_max.min(self.buckets - 1) {
            let at = wrap(home + distance, self.buckets);
            // SAFETY: the segment is alive, the position below `buckets`, `self` borrowed exclusively.
            let bucket = unsafe { segment.bucket_mut(at) };
            let Some(slot) = bucket.vacant().next() else { continue };
            bucket.put(slot, tag_of(hash), item);
            if distance > 0 {
                // SAFETY: as above; the other bucket's borrow has ended.
                unsafe { segment.bucket_mut(home) }.note_displaced(distance);
            }
            let index = self.index_of(hash);
            let first = self.first_index(index, self.fills[index].depth);
            self.fills[first].count += 1;
            if self.fills[first].pass != self.pass && self.buckets == BUCKETS_FULL {
                // SAFETY: the segment is alive and full-sized, `self` borrowed exclusively.
                unsafe { segment.marks() }.set(at, slot, mark);
            }
            return Ok(Place { bucket: at as u32, slot: slot as u32 });
        }
        Err(item)
    }

    /// Puts an item with its mark near its home, or else into the spill.
    fn place_or_spill(&mut self, hash: u64, item: T, mark: bool) -> Place {
        self.place(hash, item, mark, DISTANCE_MAX).unwrap_or_else(|item| {
            // SAFETY: the segment is alive, the home below `buckets`, `self` borrowed exclusively.
            unsafe { self.segment_of(hash).bucket_mut(home_of(hash, self.buckets)) }.note_spilled();
            self.spill.push(Spilled { item, mark });
            Place { bucket: SPILLED, slot: (self.spill.len() - 1) as u32 }
        })
    }
}

impl<T: Item> Drop for Table<T> {
    fn drop(&mut self) {
        for index in 0..self.directory.len() {
            if !self.is_first(index, self.fills[index]) {
                continue;
            }
            let segment = self.directory[index];
            for at in 0..self.buckets {
                // SAFETY: the segment is alive until it is freed below, and `self` is borrowed exclusively.
                let bucket = unsafe { segment.bucket_mut(at) };
                for slot in bucket.occupied() {
                    // SAFETY: the slot is one of the occupied.
                    drop(unsafe { bucket.take(slot) });
                }
            }
            // SAFETY: every segment has `buckets` buckets, and each is freed once, at its first entry.
            unsafe { segment.free(self.buckets) };
        }
    }
}

/// A bucket number that may lie less than one round beyond the end.
#[inline]
fn wrap(bucket: usize, buckets: usize) -> usize {
    if bucket >= buckets { bucket - buckets } else { bucket }
}
