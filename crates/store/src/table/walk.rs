//! A walk over a table as it was at one moment, while the table goes on changing.
//!
//! A walk visits segment by segment. Whoever is about to change an item has its segment visited first, if the walk has
//! not been there, so that the walk sees every item once, as it was when the walk began. Which segments were visited
//! takes a bit of each; new segments come out of visited ones only, and the two kinds are not merged.

use super::{COUNT_STICKY, Fill, Item, Table};

impl<T: Item> Table<T> {
    /// Begins a walk, from now on. One that is still going on is given up. O(segments).
    pub fn begin_walk(&mut self) {
        let pass = self.pass;
        self.fills.iter_mut().for_each(|fill| fill.pass = pass);
        self.pass = !pass;
    }

    /// Visits the segment that an item of this hash is in, or would be in, if the walk has not been there: to be called
    /// before the item is changed, put in or taken out. O(1) if it has; else the segment's some 330 items at most.
    #[inline]
    pub fn walk_before(&mut self, hash: u64, visit: impl FnMut(&T)) {
        if self.directory.is_empty() {
            return;
        }
        let index = self.index_of(hash);
        let first = self.first_index(index, self.fills[index].depth);
        if self.fills[first].pass != self.pass {
            self.visit_segment(first, visit);
        }
    }

    /// Goes on with the walk: visits the next segment from `cursor` on, which is 0 in the beginning, and returns the
    /// cursor after it; `None` when there is none left.
    pub fn walk(&mut self, cursor: u64, visit: impl FnMut(&T)) -> Option<u64> {
        let mut cursor = cursor;
        while cursor < 1 << 32 && !self.directory.is_empty() {
            let index = self.index_of(cursor << 32);
            let Fill { depth, .. } = self.fills[index];
            let first = self.first_index(index, depth);
            let span = 1u64 << (self.depth - u32::from(depth));
            cursor = (first as u64 + span) << (32 - self.depth);
            if self.fills[first].pass != self.pass {
                self.visit_segment(first, visit);
                return Some(cursor);
            }
        }
        None
    }

    #[cold]
    fn visit_segment(&mut self, first: usize, mut visit: impl FnMut(&T)) {
        self.fills[first].pass = self.pass;
        let segment = self.directory[first];
        let mut spilled = false;
        for at in 0..self.buckets {
            // SAFETY: the segment is alive, and the position below `buckets`.
            unsafe { segment.bucket((at + 1).min(self.buckets - 1)) }.prefetch_items();
            // SAFETY: as above; `self` is borrowed.
            let bucket = unsafe { segment.bucket(at) };
            spilled |= bucket.displaced() == COUNT_STICKY;
            // SAFETY: the slots are those that are occupied.
            bucket.occupied().for_each(|slot| visit(unsafe { bucket.item(slot) }));
        }
        if spilled {
            let here = |item: &&T| {
                self.directory[self.index_of(self.seed_hash(item))].address(0) == segment.address(0)
            };
            self.spill.iter().filter(here).for_each(visit);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Entry, Seed, Table};
    use std::collections::BTreeMap;

    fn note(entry: &Entry, seen: &mut BTreeMap<String, u64>) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let value = text(entry.string().unwrap()).parse().unwrap();
        assert!(seen.insert(text(entry.key()), value).is_none(), "an item was seen twice");
    }

    /// Inserts, changes and removes at random while walks go on, and compares what each has seen with what there was.
    #[test]
    fn a_walk_sees_what_was_there_when_it_began() {
        let mut random = 0x9E37_79B9_97F4_A7C1_u64;
        let mut next = move |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        let mut table: Table<Entry> = Table::new(Seed::new(5, 6));
        let mut model = BTreeMap::new();
        for round in 0..60u64 {
            let keys = [10, 500, 5_000, 20_000][round as usize / 2 % 4];
            if round % 2 == 0 {
                for key in 0..keys {
                    let key = key.to_string();
                    let hash = table.hash(key.as_bytes());
                    if model.insert(key.clone(), 0).is_none() {
                        table.insert_unique(hash, Entry::new_string(key.as_bytes(), b"0", None));
                    } else {
                        table.remove(hash, key.as_bytes());
                        table.insert_unique(hash, Entry::new_string(key.as_bytes(), b"0", None));
                    }
                }
            }
            let before = model.clone();
            let mut seen = BTreeMap::new();
            table.begin_walk();
            let (mut cursor, mut changes) = (Some(0), 0);
            // Some walks are given up.
            while cursor.is_some() && (round % 7 != 6 || changes < 3_000) {
                for _ in 0..next(600) {
                    changes += 1;
                    let key = next(keys).to_string();
                    let hash = table.hash(key.as_bytes());
                    table.walk_before(hash, |entry| note(entry, &mut seen));
                    // Removals prevail for a while, so that segments merge.
                    if next(10) < if round % 3 == 0 { 3 } else { 9 } {
                        table.remove(hash, key.as_bytes());
                        model.remove(&key);
                    } else {
                        let value = next(1 << 30);
                        table.remove(hash, key.as_bytes());
                        let text = value.to_string();
                        table.insert_unique(hash, Entry::new_string(key.as_bytes(), text.as_bytes(), None));
                        model.insert(key, value);
                    }
                }
                cursor = cursor.and_then(|at| table.walk(at, |entry| note(entry, &mut seen)));
            }
            if cursor.is_none() {
                assert!(seen == before, "round {round}: {} seen of {}", seen.len(), before.len());
            }
            assert_eq!(table.len(), model.len());
        }
    }

    /// Half of the segments lose their items during the walk, and would be merged with those that it has not visited.
    #[test]
    fn visited_segments_are_not_merged_with_others() {
        let mut table: Table<Entry> = Table::new(Seed::new(5, 6));
        let keys: Vec<String> = (0..20_000).map(|number| format!("key:{number}")).collect();
        let is_left = |hash: u64| hash >> 58 & 1 == 0;
        let mut expected = BTreeMap::new();
        for (number, key) in keys.iter().enumerate() {
            let hash = table.hash(key.as_bytes());
            if is_left(hash) || number % 4 == 0 {
                let text = number.to_string();
                table.insert_unique(hash, Entry::new_string(key.as_bytes(), text.as_bytes(), None));
                expected.insert(key.clone(), number as u64);
            }
        }
        let mut seen = BTreeMap::new();
        table.begin_walk();
        for key in &keys {
            let hash = table.hash(key.as_bytes());
            if is_left(hash) {
                table.walk_before(hash, |entry| note(entry, &mut seen));
                table.remove(hash, key.as_bytes());
            }
        }
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            cursor = table.walk(at, |entry| note(entry, &mut seen));
        }
        assert!(seen == expected, "{} seen of {}", seen.len(), expected.len());
    }
}
