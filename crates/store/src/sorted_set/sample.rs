//! Members drawn at random.

use super::SortedSet;
use crate::sample::{below, choose};
use std::collections::BTreeSet;

impl SortedSet {
    /// A member drawn uniformly with the caller's random bits. O(log n).
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<(&[u8], f64)> {
        if self.is_empty() {
            return None;
        }
        self.iter_ranks(below(random(), self.len())..self.len(), false).next()
    }

    /// Up to `count` different members, every choice of so many with the same probability, in no particular order.
    /// O(count log n), or O(n) if they are more than a quarter of all.
    pub fn random_distinct(
        &self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(&[u8], f64),
    ) {
        let len = self.len();
        let wanted = count.min(len);
        if wanted > len / 4 {
            return choose(self.iter(), len, wanted, &mut random, |(member, score)| visit(member, score));
        }
        // Floyd's sampling: of the numbers up to and with each bound, one is drawn, or the bound if it was drawn before.
        let mut drawn = BTreeSet::new();
        for bound in len - wanted..len {
            let rank = below(random(), bound + 1);
            let rank = if drawn.insert(rank) { rank } else { bound };
            drawn.insert(rank);
            if let Some((member, score)) = self.iter_ranks(rank..rank + 1, false).next() {
                visit(member, score);
            }
        }
    }
}
