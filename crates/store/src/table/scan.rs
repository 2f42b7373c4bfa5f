//! Iteration by cursor, which holds while the table changes between the calls.
//!
//! The cursor is a point in the order (home fraction, prefix): 16 bits of where in its segment an item has its home,
//! then the top 32 bits of its hash. Neither depends on how the table is divided just now. Everything before the
//! point has been visited, so splits, merges and resizing between two calls neither hide an item nor repeat one.

use super::{BUCKETS_FULL, COUNT_STICKY, Item, Table, home_of, wrap};

/// The first home fraction of a bucket.
fn start_of(bucket: usize, buckets: usize) -> u32 {
    (bucket << 16).div_ceil(buckets) as u32
}

impl<T: Item> Table<T> {
    /// Visits the items of one bucket, and says where to go on: 0 at the end, and to begin. O(1).
    ///
    /// Whatever is in the table from the beginning to the end of an iteration is visited, whatever else comes and
    /// goes in between. Cursors are below 2^48; any value is safe, and higher bits are ignored.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(&T)) -> u64 {
        if self.len == 0 {
            return 0;
        }
        let (from, prefix) = ((cursor >> 32) as u32 & 0xffff, cursor as u32);
        let index = self.index_of(cursor << 32);
        let depth = self.fills[index].depth;
        // A small segment is alone, so its whole bucket is the range, unless the range was begun with more segments.
        let buckets = if prefix == 0 { self.buckets } else { BUCKETS_FULL };
        let end = start_of(home_of(u64::from(from), buckets) + 1, buckets);
        for home in home_of(u64::from(from), self.buckets)..=home_of(u64::from(end - 1), self.buckets) {
            self.visit_home(index, home, |hash, item| {
                if (from..end).contains(&u32::from(hash as u16)) && (hash >> 32) as u32 >= prefix {
                    visit(item);
                }
            });
        }
        let after = (self.first_index(index, depth) as u64 + (1 << (self.depth - u32::from(depth))))
            << (32 - self.depth);
        let (from, prefix) = if after >> 32 == 0 { (from, after) } else { (end, 0) };
        if from >> 16 == 0 { u64::from(from) << 32 | prefix } else { 0 }
    }

    /// Every item of a segment whose home is this bucket, with its hash.
    fn visit_home(&self, index: usize, home: usize, mut visit: impl FnMut(u64, &T)) {
        let segment = self.directory[index];
        // SAFETY: the directory's segments are alive, the home is below `buckets`; `self` is borrowed.
        let overflow = unsafe { segment.bucket(home) };
        let mut visit_own = |item: &T| {
            let hash = self.seed_hash(item);
            if home_of(hash, self.buckets) == home {
                visit(hash, item);
            }
        };
        for distance in 0..=overflow.distance() {
            // SAFETY: as above, the position is below `buckets`.
            let bucket = unsafe { segment.bucket(wrap(home + distance, self.buckets)) };
            bucket.prefetch_items();
            for slot in bucket.occupied() {
                // SAFETY: the slot is one of the occupied.
                visit_own(unsafe { bucket.item(slot) });
            }
        }
        if overflow.displaced() == COUNT_STICKY {
            let mine = |item: &&T| {
                self.directory[self.index_of(self.seed_hash(item))].address(0) == segment.address(0)
            };
            self.spill.iter().map(|spilled| &spilled.item).filter(mine).for_each(visit_own);
        }
    }
}
