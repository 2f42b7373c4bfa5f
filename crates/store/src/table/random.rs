//! Items drawn at random, each with the same probability.

use super::{Item, Place, SLOTS, SPILLED, Table};

/// Draws of a slot before the items are counted off instead. Tables are at least a sixth full as a rule.
const DRAWS_MAX: usize = 100;

/// A number below `bound` from 64 random bits.
fn below(random: u64, bound: usize) -> usize {
    ((u128::from(random) * bound as u128) >> 64) as usize
}

impl<T: Item> Table<T> {
    /// An item drawn uniformly with the caller's random bits. O(1) as a rule, at worst O(segments).
    pub fn random(&self, random: impl FnMut() -> u64) -> Option<&T> {
        self.random_place(random).map(|(index, place)| self.item_at(index, place))
    }

    /// Takes an item drawn uniformly out of the table.
    pub fn pop_random(&mut self, random: impl FnMut() -> u64) -> Option<T> {
        let (index, place) = self.random_place(random)?;
        let hash = self.seed_hash(self.item_at(index, place));
        Some(self.remove_at(hash, place))
    }

    pub(super) fn item_at(&self, index: usize, place: Place) -> &T {
        if place.bucket == SPILLED {
            return &self.spill[place.slot as usize].item;
        }
        // SAFETY: the place was just drawn as an occupied slot of this segment, and `self` is borrowed since.
        unsafe { self.directory[index].bucket(place.bucket as usize).item(place.slot as usize) }
    }

    fn random_place(&self, mut random: impl FnMut() -> u64) -> Option<(usize, Place)> {
        if self.len == 0 {
            return None;
        }
        // A slot of any segment by rejection: a segment counts at its first entry only, so all count the same.
        // Spilled items have no slot to be drawn by: with any of them all items are counted off.
        let draws = if self.spill.is_empty() { DRAWS_MAX } else { 0 };
        for _ in 0..draws {
            let index = below(random(), self.directory.len());
            if !self.is_first(index, self.fills[index]) {
                continue;
            }
            let at = below(random(), self.buckets * SLOTS);
            let (bucket, slot) = (at / SLOTS, at % SLOTS);
            // SAFETY: the directory's segments are alive, the bucket is below `buckets`; `self` is borrowed.
            if unsafe { self.directory[index].bucket(bucket) }.occupied().any(|taken| taken == slot) {
                return Some((index, Place { bucket: bucket as u32, slot: slot as u32 }));
            }
        }
        self.nth_place(below(random(), self.len))
    }

    /// The place of the n-th item in the order of segments, buckets and slots.
    pub(super) fn nth_place(&self, mut n: usize) -> Option<(usize, Place)> {
        for (index, &fill) in self.fills.iter().enumerate() {
            if !self.is_first(index, fill) {
                continue;
            }
            if n >= usize::from(fill.count) {
                n -= usize::from(fill.count);
                continue;
            }
            for bucket in 0..self.buckets {
                // SAFETY: the directory's segments are alive; `self` is borrowed.
                let slots = unsafe { self.directory[index].bucket(bucket) }.occupied();
                let count = slots.count();
                if n < count {
                    return { slots }
                        .nth(n)
                        .map(|slot| (index, Place { bucket: bucket as u32, slot: slot as u32 }));
                }
                n -= count;
            }
        }
        (n < self.spill.len()).then_some((0, Place { bucket: SPILLED, slot: n as u32 }))
    }
}
