//! Growth and shrinking: more or fewer buckets in the only segment, splits, merges, the directory.

use super::bucket::{SLOTS, Segment};
use super::{BUCKETS_FULL, DEPTH_MAX, DISTANCE_MAX, Fill, Item, MERGE_MAX, Place, Spilled, Table};

/// An item that was taken out of its segment, to be put into another.
struct Drained<T> {
    hash: u64,
    item: T,
    mark: bool,
}

/// The items above which a segment of so many buckets makes room before it takes another.
fn count_max(buckets: usize) -> usize {
    if buckets == 1 { SLOTS } else { buckets * (SLOTS - 1) }
}

impl<T: Item> Table<T> {
    /// Puts a new item into its segment, making room first if it is full.
    #[inline]
    pub(super) fn place_growing(&mut self, hash: u64, mut item: T) -> Place {
        if self.directory.is_empty() {
            self.allocate_first();
        }
        loop {
            let index = self.index_of(hash);
            let fill = self.fills[self.first_index(index, self.fills[index].depth)];
            if usize::from(fill.count) < count_max(self.buckets) {
                match self.place(hash, item, true, DISTANCE_MAX) {
                    Ok(place) => return place,
                    Err(back) => item = back,
                }
            }
            if !self.make_room(index) {
                return self.place_or_spill(hash, item, true);
            }
        }
    }

    fn allocate_first(&mut self) {
        self.buckets = 1;
        self.directory = Vec::from([Segment::allocate(1)]);
        self.fills = Vec::from([Fill { count: 0, depth: 0, pass: self.pass }]);
        (self.depth, self.segments, self.deepest) = (0, 1, 1);
    }

    /// Gives the segment of a directory entry more buckets, or splits it. False if a split would need a directory
    /// that is out of proportion to the items, which takes hashes that were made to collide.
    #[cold]
    fn make_room(&mut self, index: usize) -> bool {
        if self.buckets < BUCKETS_FULL {
            self.resize_only_segment((self.buckets * 2).min(if self.buckets == 32 {
                BUCKETS_FULL
            } else {
                32
            }));
            return true;
        }
        let doubles = u32::from(self.fills[index].depth) == self.depth;
        if doubles && (self.depth >= DEPTH_MAX || self.directory.len() * 2 > self.len.max(64)) {
            return false;
        }
        self.split(index);
        true
    }

    fn resize_only_segment(&mut self, buckets: usize) {
        debug_assert_eq!(self.directory.len(), 1);
        let items = self.drain(0, 1);
        let old = std::mem::replace(&mut self.directory[0], Segment::allocate(buckets));
        let old_buckets = std::mem::replace(&mut self.buckets, buckets);
        // SAFETY: the segment had this many buckets; it is out of the directory, and its items are out of it.
        unsafe { old.free(old_buckets) };
        self.refill(items);
    }

    fn split(&mut self, index: usize) {
        let depth = self.fills[index].depth;
        let mut first = self.first_index(index, depth);
        let pass = self.fills[first].pass;
        if u32::from(depth) == self.depth {
            self.double_directory();
            first *= 2;
        }
        let span = 1 << (self.depth - u32::from(depth));
        let items = self.drain(first, span);
        let sibling = Segment::allocate(self.buckets);
        self.directory[first + span / 2..first + span].fill(sibling);
        self.fills[first..first + span].fill(Fill { count: 0, depth: depth + 1, pass });
        self.segments += 1;
        if u32::from(depth) + 1 == self.depth {
            self.deepest += 2;
        }
        self.refill(items);
    }

    fn double_directory(&mut self) {
        self.directory = self.directory.iter().flat_map(|&segment| [segment; 2]).collect();
        self.fills = self.fills.iter().flat_map(|&fill| [fill; 2]).collect();
        self.depth += 1;
        self.deepest = 0;
    }

    /// Merges the segment with its buddy while both are nearly empty, or shrinks the only segment.
    #[inline]
    pub(super) fn shrink_after_removal(&mut self, first: usize) {
        if self.depth > 0 {
            if usize::from(self.fills[first].count) <= MERGE_MAX {
                self.merge_while_empty(first);
            }
        } else if self.buckets > 1 && self.fills[0].pass == self.pass {
            // A walk that is to come still needs the marks, which a smaller segment does not have.
            let smaller = if self.buckets == BUCKETS_FULL { 32 } else { self.buckets / 2 };
            if self.len <= count_max(smaller) / 2 {
                self.resize_only_segment(smaller);
            }
        }
    }

    fn merge_while_empty(&mut self, mut first: usize) {
        while self.depth > 0 {
            let fill = self.fills[first];
            let span = 1 << (self.depth - u32::from(fill.depth));
            let buddy = self.fills[first ^ span];
            let fits = usize::from(fill.count) + usize::from(buddy.count) <= MERGE_MAX;
            // What a walk has visited and what it has not must stay apart.
            if buddy.depth != fill.depth || buddy.pass != fill.pass || !fits {
                return;
            }
            first &= !span;
            self.merge(first, span);
            while self.deepest == 0 && self.depth > 0 {
                self.halve_directory();
                first /= 2;
            }
        }
    }

    /// Merges the two segments of `half` entries each that begin at `first`.
    fn merge(&mut self, first: usize, half: usize) {
        let Fill { depth, pass, .. } = self.fills[first];
        let mut items = self.drain(first, half);
        items.append(&mut self.drain(first + half, half));
        let (kept, freed) = (self.directory[first], self.directory[first + half]);
        self.directory[first + half..first + 2 * half].fill(kept);
        self.fills[first..first + 2 * half].fill(Fill { count: 0, depth: depth - 1, pass });
        // SAFETY: every segment has `buckets` buckets; it is out of the directory, and its items are out of it.
        unsafe { freed.free(self.buckets) };
        self.segments -= 1;
        if u32::from(depth) == self.depth {
            self.deepest -= 2;
        }
        self.refill(items);
    }

    fn halve_directory(&mut self) {
        self.directory = self.directory.iter().step_by(2).copied().collect();
        self.fills = self.fills.iter().step_by(2).copied().collect();
        self.depth -= 1;
        self.deepest = self.fills.iter().filter(|fill| u32::from(fill.depth) == self.depth).count();
    }

    /// Takes every item out of the segment of `span` entries from `first`, spilled ones too.
    fn drain(&mut self, first: usize, span: usize) -> Vec<Drained<T>> {
        let segment = self.directory[first];
        let marked = self.buckets == BUCKETS_FULL && self.fills[first].pass != self.pass;
        let mut items = Vec::with_capacity(usize::from(self.fills[first].count));
        for at in 0..self.buckets {
            // SAFETY: the segment is alive, and the position below `buckets`.
            unsafe { segment.bucket((at + 1).min(self.buckets - 1)) }.prefetch_items();
            // SAFETY: the segment is alive, the position below `buckets`, `self` borrowed exclusively.
            let bucket = unsafe { segment.bucket_mut(at) };
            for slot in bucket.occupied() {
                // SAFETY: the slot is one of the occupied, and looked at once.
                let item = unsafe { bucket.take(slot) };
                // SAFETY: the segment is alive and full-sized, `self` borrowed exclusively.
                let mark = marked && unsafe { segment.marks() }.get(at, slot);
                items.push(Drained { hash: self.seed_hash(&item), item, mark });
            }
            bucket.reset_overflow();
        }
        self.fills[first].count = 0;
        let mut at = 0;
        while at < self.spill.len() {
            let hash = self.seed_hash(&self.spill[at].item);
            if (first..first + span).contains(&self.index_of(hash)) {
                let Spilled { item, mark } = self.spill.swap_remove(at);
                items.push(Drained { hash, item, mark });
            } else {
                at += 1;
            }
        }
        items
    }

    /// Places drained items: first those that find room at home, so that few are displaced.
    fn refill(&mut self, items: Vec<Drained<T>>) {
        let mut rest = Vec::new();
        for Drained { hash, item, mark } in items {
            if let Err(item) = self.place(hash, item, mark, 0) {
                rest.push(Drained { hash, item, mark });
            }
        }
        for Drained { hash, item, mark } in rest {
            self.place_or_spill(hash, item, mark);
        }
    }

    pub(super) fn seed_hash(&self, item: &T) -> u64 {
        self.hash(item.key())
    }
}
