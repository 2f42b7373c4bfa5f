//! The orders of SORT. Only what LIMIT asks for is put in order.

use super::options::Options;
use crate::error::Error;
use moonshard_store::{Element, Scratch};
use std::cmp::Ordering;

/// Orders elements by a number that each has, those of the same number by their text.
///
/// # Errors
/// When one has none.
pub(super) fn by_weight<'k>(
    elements: &mut Vec<Element<'k>>,
    options: &Options<'_>,
    mut weight: impl FnMut(Element<'k>) -> Option<f64>,
) -> Result<(), Error> {
    let weighed = elements.iter().map(|&element| Some((weight(element)?, element)));
    let mut weighed = weighed.collect::<Option<Vec<(f64, Element<'k>)>>>().ok_or(NO_WEIGHT)?;
    // None of them is NaN.
    leave(&mut weighed, options, |(a, x), (b, y)| {
        a.partial_cmp(b).unwrap_or(Ordering::Equal).then_with(|| compare_text(*x, *y))
    });
    refill(elements, weighed.into_iter().map(|(_, element)| element));
    Ok(())
}

const NO_WEIGHT: Error = Error::fixed("ERR One or more scores can't be converted into double");

/// Orders elements by their text.
pub(super) fn by_text(elements: &mut Vec<Element<'_>>, options: &Options<'_>) {
    leave(elements, options, |a, b| compare_text(*a, *b));
}

/// Orders elements by a text that each may have; those of the same text, and before all others those without, stay in
/// the order in which they were.
pub(super) fn by_weight_text<'k>(
    elements: &mut Vec<Element<'k>>,
    weights: Vec<Option<&[u8]>>,
    options: &Options<'_>,
) {
    let mut weighed: Vec<_> = weights.into_iter().zip(elements.iter().copied()).enumerate().collect();
    let descending = options.descending;
    leave(&mut weighed, options, |(i, (a, _)), (j, (b, _))| {
        // The order of what is equal does not turn round.
        a.cmp(b).then_with(|| if descending { j.cmp(i) } else { i.cmp(j) })
    });
    refill(elements, weighed.into_iter().map(|(_, (_, element))| element));
}

fn refill<'k>(elements: &mut Vec<Element<'k>>, ordered: impl Iterator<Item = Element<'k>>) {
    elements.clear();
    elements.extend(ordered);
}

fn compare_text(a: Element<'_>, b: Element<'_>) -> Ordering {
    let (mut first, mut second) = (Scratch::new(), Scratch::new());
    a.bytes(&mut first).cmp(b.bytes(&mut second))
}

/// Leaves of `items` those of the range, in order. `compare` holds no two for equal but those that are the same.
fn leave<T>(items: &mut Vec<T>, options: &Options<'_>, compare: impl Fn(&T, &T) -> Ordering) {
    let compare = |a: &T, b: &T| {
        let order = compare(a, b);
        if options.descending { order.reverse() } else { order }
    };
    let range = options.range(items.len());
    if range.end < items.len() {
        if range.is_empty() {
            items.clear();
            return;
        }
        items.select_nth_unstable_by(range.end - 1, compare);
        items.truncate(range.end);
    }
    items.sort_unstable_by(compare);
    items.drain(..range.start);
}
