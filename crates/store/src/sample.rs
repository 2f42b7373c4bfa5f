//! Drawing several members of a collection at random, with the caller's random bits.

use std::collections::HashSet;

use crate::table::{Item, Table};

/// A number below `bound`, which must not be 0, from 64 random bits. O(1).
#[inline]
pub(crate) fn below(random: u64, bound: usize) -> usize {
    ((u128::from(random) * bound as u128) >> 64) as usize
}

/// Shows `count` of the `len` items to `visit`, every choice of that many being equally likely. One pass.
pub(crate) fn choose<I>(
    items: impl Iterator<Item = I>,
    len: usize,
    count: usize,
    random: &mut impl FnMut() -> u64,
    mut visit: impl FnMut(I),
) {
    let mut wanted = count;
    for (item, left) in items.zip((1..=len).rev()) {
        if wanted == 0 {
            return;
        }
        // Taken with the probability wanted / left; certain when all that are left are wanted.
        if below(random(), left) < wanted {
            wanted -= 1;
            visit(item);
        }
    }
}

/// As [`choose`], for a table: a few of many are drawn one by one instead of walking the table.
pub(crate) fn choose_of_table<'a, T: Item>(
    table: &'a Table<T>,
    count: usize,
    random: &mut impl FnMut() -> u64,
    mut visit: impl FnMut(&'a T),
) {
    let len = table.len();
    if count >= len / 4 {
        return choose(table.iter(), len, count.min(len), random, visit);
    }
    // With less than a quarter taken, a draw hits a new one three times out of four.
    let mut seen = HashSet::with_capacity_and_hasher(count, foldhash::fast::FixedState::default());
    while seen.len() < count {
        let Some(item) = table.random(&mut *random) else { return };
        if seen.insert(item.address() as usize) {
            visit(item);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small generator for tests.
    pub(crate) fn random(mut state: u64) -> impl FnMut() -> u64 {
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs many rounds")]
    fn every_choice_is_equally_likely() {
        let mut random = random(1);
        let rounds = 20_000;
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..rounds {
            let mut chosen = Vec::new();
            choose(0..5, 5, 2, &mut random, |item| chosen.push(item));
            assert_eq!(chosen.len(), 2);
            *counts.entry(chosen).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 10);
        let expected = rounds / 10;
        assert!(counts.values().all(|&n| n > expected * 2 / 3 && n < expected * 4 / 3), "{counts:?}");
    }
}
