//! A walk over a table as it was at one moment, while the table goes on changing.
//!
//! A walk visits segment by segment. Whoever is about to change an item has that item visited first, if the walk has not
//! been there, and the item's slot is marked; what is put into a segment that is still to be visited is marked too. The
//! walk passes over what is marked, so it sees every item once, as it was when the walk began. Which segments were
//! visited takes a bit of each, and the marks a line of each; new segments come out of others of their kind only, and
//! the two kinds are not merged. A segment that has not its full size has no marks and is visited as a whole.

use super::bucket::{COUNT_STICKY, Segment};
use super::{BUCKETS_FULL, Fill, Item, SPILLED, Table};

impl<T: Item> Table<T> {
    /// Begins a walk, from now on. One that is still going on is given up. O(segments).
    pub fn begin_walk(&mut self) {
        self.end_walk();
        self.pass = !self.pass;
    }

    /// Gives up a walk that has not come to its end. O(segments).
    pub fn end_walk(&mut self) {
        let pass = self.pass;
        for index in 0..self.fills.len() {
            let fill = self.fills[index];
            if fill.pass != pass && self.is_first(index, fill) {
                self.clear_marks(self.directory[index]);
            }
            self.fills[index].pass = pass;
        }
        self.spill.iter_mut().for_each(|spilled| spilled.mark = false);
    }

    /// Visits the item of a key if the walk has not been there: to be called before the item is changed or taken out,
    /// and before one is put in. O(1); in a table of few items, or with hashes made to collide, O(n) once.
    #[inline]
    pub fn walk_before(&mut self, hash: u64, key: &[u8], visit: impl FnMut(&T)) {
        if self.directory.is_empty() {
            return;
        }
        let index = self.index_of(hash);
        let first = self.first_index(index, self.fills[index].depth);
        if self.fills[first].pass != self.pass {
            self.visit_before(first, hash, key, visit);
        }
    }

    /// Goes on with the walk: visits the next segment from `cursor` on, which is 0 in the beginning, as far as `visit`
    /// says that there may be more, and returns where to go on; `None` when there is none left. A table of few items is
    /// visited as a whole.
    pub fn walk(&mut self, cursor: u64, visit: impl FnMut(&T) -> bool) -> Option<u64> {
        let mut cursor = cursor;
        while cursor < 1 << 32 && !self.directory.is_empty() {
            let index = self.index_of(cursor << 32);
            let Fill { depth, .. } = self.fills[index];
            let first = self.first_index(index, depth);
            let span = 1u64 << (self.depth - u32::from(depth));
            let next = (first as u64 + span) << (32 - self.depth);
            if self.fills[first].pass != self.pass {
                return Some(if self.visit_segment(first, visit) { next } else { cursor });
            }
            cursor = next;
        }
        None
    }

    #[cold]
    fn visit_before(&mut self, first: usize, hash: u64, key: &[u8], mut visit: impl FnMut(&T)) {
        if self.buckets < BUCKETS_FULL {
            self.visit_segment(first, |item| {
                visit(item);
                true
            });
            return;
        }
        let Some(place) = self.find(hash, key) else { return };
        let visited = if place.bucket == SPILLED {
            std::mem::replace(&mut self.spill[place.slot as usize].mark, true)
        } else {
            // SAFETY: the segment is alive and full-sized, `self` borrowed exclusively.
            let marks = unsafe { self.directory[first].marks() };
            let (bucket, slot) = (place.bucket as usize, place.slot as usize);
            let visited = marks.get(bucket, slot);
            marks.set(bucket, slot, true);
            visited
        };
        if !visited {
            visit(self.item(hash, place));
        }
    }

    /// Visits what is not marked of a segment, until `visit` says that it is enough; tells whether that was all.
    #[cold]
    fn visit_segment(&mut self, first: usize, mut visit: impl FnMut(&T) -> bool) -> bool {
        let segment = self.directory[first];
        let has_marks = self.buckets == BUCKETS_FULL;
        let mut spilled = false;
        for at in 0..self.buckets {
            // SAFETY: the segment is alive, and the position below `buckets`.
            unsafe { segment.bucket((at + 1).min(self.buckets - 1)) }.prefetch_items();
            // SAFETY: as above; `self` is borrowed.
            let bucket = unsafe { segment.bucket(at) };
            spilled |= bucket.displaced() == COUNT_STICKY;
            for slot in bucket.occupied() {
                if has_marks {
                    // SAFETY: the segment is alive and full-sized; `self` is borrowed exclusively.
                    let marks = unsafe { segment.marks() };
                    if marks.get(at, slot) {
                        continue;
                    }
                    marks.set(at, slot, true);
                }
                // SAFETY: the slot is one of those that are occupied.
                let goes_on = visit(unsafe { bucket.item(slot) });
                if has_marks && !goes_on {
                    return false;
                }
            }
        }
        self.fills[first].pass = self.pass;
        self.clear_marks(segment);
        if spilled {
            for at in 0..self.spill.len() {
                let hash = self.seed_hash(&self.spill[at].item);
                let here = self.segment_of(hash).address(0) == segment.address(0);
                if here && !std::mem::take(&mut self.spill[at].mark) {
                    visit(&self.spill[at].item);
                }
            }
        }
        true
    }

    fn clear_marks(&mut self, segment: Segment<T>) {
        if self.buckets == BUCKETS_FULL {
            // SAFETY: the segment is alive and full-sized, `self` borrowed exclusively.
            unsafe { segment.marks() }.clear();
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

    /// Visits of which one in so many is enough for that time.
    fn stopping(every: u64, seen: &mut BTreeMap<String, u64>) -> impl FnMut(&Entry) -> bool {
        let mut count = 0;
        move |entry| {
            note(entry, seen);
            count += 1;
            count % every != 0
        }
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
                    table.walk_before(hash, key.as_bytes(), |entry| note(entry, &mut seen));
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
                cursor = cursor.and_then(|at| table.walk(at, stopping(1 + round * 9, &mut seen)));
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
                table.walk_before(hash, key.as_bytes(), |entry| note(entry, &mut seen));
                table.remove(hash, key.as_bytes());
            }
        }
        let mut cursor = Some(0);
        while let Some(at) = cursor {
            cursor = table.walk(at, stopping(50, &mut seen));
        }
        assert!(seen == expected, "{} seen of {}", seen.len(), expected.len());
    }

    /// What a change costs is one item, not its segment: new items are not visited, and what is visited once is not again.
    #[test]
    fn a_change_has_its_own_item_visited_only() {
        let mut table: Table<Entry> = Table::new(Seed::new(5, 6));
        let keys: Vec<String> = (0..5_000).map(|number| format!("key:{number}")).collect();
        for (number, key) in keys.iter().enumerate() {
            let entry = Entry::new_string(key.as_bytes(), number.to_string().as_bytes(), None);
            table.insert_unique(table.hash(key.as_bytes()), entry);
        }
        for given_up in [true, false] {
            table.begin_walk();
            let mut seen = BTreeMap::new();
            for key in keys.iter().take(1_000).chain(keys.iter().take(500)) {
                table.walk_before(table.hash(key.as_bytes()), key.as_bytes(), |entry| note(entry, &mut seen));
            }
            assert_eq!(seen.len(), 1_000);
            for number in 0..5_000 {
                let key = format!("new:{given_up}:{number}");
                let hash = table.hash(key.as_bytes());
                table.walk_before(hash, key.as_bytes(), |_| panic!("{key} was not there"));
                table.remove(hash, key.as_bytes());
                table.insert_unique(hash, Entry::new_string(key.as_bytes(), b"0", None));
            }
            assert_eq!(seen.len(), 1_000);
            let mut cursor = Some(0);
            while let Some(at) = cursor.filter(|_| !given_up) {
                cursor = table.walk(at, stopping(50, &mut seen));
            }
            let (all, old) = (table.len(), seen.len());
            assert_eq!((all, old), if given_up { (10_000, 1_000) } else { (15_000, 10_000) });
            table.end_walk();
        }
    }

    /// Items that have no place in their segment are visited like others.
    #[test]
    #[cfg_attr(miri, ignore = "tries some hundred thousand keys")]
    fn hashes_made_to_collide_are_seen_once() {
        let mut table: Table<Entry> = Table::new(Seed::new(5, 6));
        let collides = |key: &String| {
            let hash = table.hash(key.as_bytes());
            hash >> 57 == 0 && hash & 0xff00 == 0x2600
        };
        let keys: Vec<String> =
            (0..).map(|number| format!("key:{number}")).filter(collides).take(120).collect();
        let put = |table: &mut Table<Entry>, key: &str, value: &[u8]| {
            let hash = table.hash(key.as_bytes());
            table.remove(hash, key.as_bytes());
            table.insert_unique(hash, Entry::new_string(key.as_bytes(), value, None));
        };
        keys.iter().take(90).for_each(|key| put(&mut table, key, b"1"));
        assert!(!table.spill.is_empty());
        for round in 0..3 {
            let before = table.len();
            let mut seen = BTreeMap::new();
            table.begin_walk();
            for key in keys.iter().skip(round * 10).step_by(round + 1) {
                table.walk_before(table.hash(key.as_bytes()), key.as_bytes(), |entry| note(entry, &mut seen));
                put(&mut table, key, b"2");
            }
            let mut cursor = Some(0);
            while let Some(at) = cursor {
                cursor = table.walk(at, stopping(50, &mut seen));
            }
            assert_eq!(seen.len(), before, "round {round}");
        }
    }
}
