//! Sorting only as much as is asked for.

use std::cmp::Ordering;

/// Puts the first `wanted` items in order.
///
/// Quicksort by Bentley and McIlroy ("Engineering a Sort Function"), of which the parts are left alone that no wanted
/// item is in. It is not stable: Redis uses it, and which of equal items come first is its choice. What it takes too
/// many steps for is sorted otherwise.
pub(super) fn sort_first<T>(items: &mut [T], wanted: usize, compare: &impl Fn(&T, &T) -> Ordering) {
    let partitions = 4 * (items.len().max(2).ilog2() as usize + 8);
    sort_part(items, wanted, partitions, compare);
}

fn sort_part<T>(
    mut items: &mut [T],
    mut wanted: usize,
    mut partitions: usize,
    compare: &impl Fn(&T, &T) -> Ordering,
) {
    loop {
        if items.len() < 7 {
            insertion_sort(items, compare);
            return;
        }
        if partitions == 0 {
            items.sort_by(compare);
            return;
        }
        partitions -= 1;
        items.swap(0, pivot(items, compare));
        let (less, greater) = partition(items, compare);
        let start = items.len() - greater;
        if less > 1 {
            sort_part(&mut items[..less], wanted, partitions, compare);
        }
        if greater <= 1 || start >= wanted {
            return;
        }
        wanted -= start;
        items = &mut items[start..];
    }
}

fn insertion_sort<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) {
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && compare(&items[at - 1], &items[at]).is_gt() {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// The place of the item that divides the others: the median of three, or of three medians.
fn pivot<T>(items: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let median = |a: usize, b: usize, c: usize| {
        let less = |a: usize, b: usize| compare(&items[a], &items[b]).is_lt();
        if less(a, b) {
            if less(b, c) {
                b
            } else if less(a, c) {
                c
            } else {
                a
            }
        } else if less(c, b) {
            b
        } else if less(a, c) {
            a
        } else {
            c
        }
    };
    let n = items.len();
    let (first, middle, last) = (0, n / 2, n - 1);
    match n {
        ..=7 => middle,
        8..=40 => median(first, middle, last),
        _ => {
            let d = n / 8;
            median(
                median(first, first + d, first + 2 * d),
                median(middle - d, middle, middle + d),
                median(last - 2 * d, last - d, last),
            )
        }
    }
}

/// Divides the items by the first of them: less, equal, greater. Returns how many are less and how many greater.
fn partition<T>(items: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> (usize, usize) {
    let n = items.len();
    // Equal items gather at both ends; between them what is less, what is not yet known, and what is greater.
    let (mut less, mut unknown) = (1, 1);
    let (mut last_unknown, mut last_greater) = (n - 1, n - 1);
    loop {
        while unknown <= last_unknown {
            match compare(&items[unknown], &items[0]) {
                Ordering::Greater => break,
                Ordering::Equal => {
                    items.swap(less, unknown);
                    less += 1;
                }
                Ordering::Less => {}
            }
            unknown += 1;
        }
        while unknown <= last_unknown {
            match compare(&items[last_unknown], &items[0]) {
                Ordering::Less => break,
                Ordering::Equal => {
                    items.swap(last_unknown, last_greater);
                    last_greater -= 1;
                }
                Ordering::Greater => {}
            }
            last_unknown -= 1;
        }
        if unknown > last_unknown {
            break;
        }
        items.swap(unknown, last_unknown);
        unknown += 1;
        last_unknown -= 1;
    }
    let (less_len, greater_len) = (unknown - less, last_greater - last_unknown);
    swap_ends(&mut items[..unknown], less.min(less_len));
    swap_ends(&mut items[unknown..], greater_len.min(n - 1 - last_greater));
    (less_len, greater_len)
}

/// Makes the first `len` items the last ones, and the other way round.
fn swap_ends<T>(items: &mut [T], len: usize) {
    let last = items.len() - len;
    for at in 0..len {
        items.swap(at, last + at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_are_in_order_and_the_others_are_not_less(
            items in prop_oneof![
                prop::collection::vec(0..10_u16, 0..300),
                prop::collection::vec(any::<u16>(), 0..300),
            ],
            wanted in 0..300_usize,
            partitions in 0..20_usize,
        ) {
            let wanted = wanted.min(items.len());
            let mut expected = items.clone();
            expected.sort_unstable();
            let mut sorted = items.clone();
            sort_first(&mut sorted, wanted, &u16::cmp);
            prop_assert_eq!(&sorted[..wanted], &expected[..wanted]);
            let mut short_of_steps = items;
            sort_part(&mut short_of_steps, wanted, partitions, &u16::cmp);
            prop_assert_eq!(&short_of_steps[..wanted], &expected[..wanted]);
            sorted.sort_unstable();
            prop_assert_eq!(sorted, expected);
        }
    }
}
