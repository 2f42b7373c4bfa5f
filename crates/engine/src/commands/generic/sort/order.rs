//! The orders of SORT. Only what LIMIT asks for is put in order.

use super::options::Options;
use crate::error::Error;
use moonshard_store::{Element, Scratch};
use std::cmp::Ordering;

const NO_WEIGHT: Error = Error::fixed("ERR One or more scores can't be converted into double");

/// Orders elements by a number that each has, those of the same number by their text.
///
/// # Errors
/// When one has none.
pub(super) fn by_weight<'k>(
    elements: &mut Vec<Element<'k>>,
    options: &Options<'_>,
    mut weight: impl FnMut(Element<'k>) -> Option<f64>,
) -> Result<(), Error> {
    let ranks = elements.iter().map(|&element| weight(element).map(rank_of_number));
    let ranks = ranks.collect::<Option<Vec<u64>>>().ok_or(NO_WEIGHT)?;
    by_rank(elements, options, ranks.into_iter());
    Ok(())
}

/// Orders elements by their text.
pub(super) fn by_text(elements: &mut Vec<Element<'_>>, options: &Options<'_>) {
    let ranks: Vec<u64> = elements.iter().map(|&element| rank_of_text(element)).collect();
    by_rank(elements, options, ranks.into_iter());
}

/// A whole number that is less for a lesser number, which is not NaN; both zeros are the same.
fn rank_of_number(number: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    let bits = (number + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// A whole number that is not greater for a text that comes before: its first bytes.
fn rank_of_text(element: Element<'_>) -> u64 {
    let mut scratch = Scratch::new();
    let text = element.bytes(&mut scratch);
    match text.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut first = [0; 8];
            first[..text.len()].copy_from_slice(text);
            u64::from_be_bytes(first)
        }
    }
}

/// Orders elements by the rank of each, those of the same rank by their text, and leaves those of the range. Sorting
/// whole numbers is several times as fast as comparing elements.
fn by_rank(elements: &mut Vec<Element<'_>>, options: &Options<'_>, ranks: impl Iterator<Item = u64>) {
    let flip = if options.descending { u64::MAX } else { 0 };
    let mut ranked: Vec<(u64, usize)> = ranks.enumerate().map(|(at, rank)| (rank ^ flip, at)).collect();
    let range = options.range(ranked.len());
    if range.is_empty() {
        return elements.clear();
    }
    if range.end < ranked.len() {
        let (_, &mut (last, _), _) = ranked.select_nth_unstable(range.end - 1);
        // Which of the same rank as the last belong to the range is decided by their text.
        let mut kept = range.end;
        for at in range.end..ranked.len() {
            if ranked[at].0 == last {
                ranked.swap(kept, at);
                kept += 1;
            }
        }
        ranked.truncate(kept);
    }
    ranked.sort_unstable();
    let mut ordered: Vec<Element<'_>> = ranked.iter().map(|&(_, at)| elements[at]).collect();
    let mut from = 0;
    for same in ranked.chunk_by(|(a, _), (b, _)| a == b) {
        let to = from + same.len();
        if same.len() > 1 {
            ordered[from..to].sort_unstable_by(|a, b| {
                let order = compare_text(*a, *b);
                if options.descending { order.reverse() } else { order }
            });
        }
        from = to;
    }
    elements.clear();
    elements.extend(&ordered[range]);
}

fn compare_text(a: Element<'_>, b: Element<'_>) -> Ordering {
    let (mut first, mut second) = (Scratch::new(), Scratch::new());
    a.bytes(&mut first).cmp(b.bytes(&mut second))
}

/// Orders elements by a text that each may have; those of the same text, and before all others those without, stay in
/// the order in which they were.
pub(super) fn by_weight_text(
    elements: &mut Vec<Element<'_>>,
    weights: Vec<Option<&[u8]>>,
    options: &Options<'_>,
) {
    let mut weighed: Vec<_> = weights.into_iter().enumerate().collect();
    let descending = options.descending;
    // The order of what is equal does not turn round.
    let compare = |(i, a): &(usize, Option<&[u8]>), (j, b): &(usize, Option<&[u8]>)| {
        let order = a.cmp(b);
        if descending { order.reverse() } else { order }.then(i.cmp(j))
    };
    let range = options.range(weighed.len());
    if range.is_empty() {
        return elements.clear();
    }
    if range.end < weighed.len() {
        weighed.select_nth_unstable_by(range.end - 1, compare);
        weighed.truncate(range.end);
    }
    weighed.sort_unstable_by(compare);
    *elements = weighed[range].iter().map(|&(at, _)| elements[at]).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Args;
    use crate::commands::generic::sort::options::Patterns;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_of_an_order_are_those_of_the_whole(
            texts in prop::collection::vec("-?[0-2]{1,2}(\\.0)?|[a-c]{0,10}", 0..40),
            descending: bool,
            alpha: bool,
            start in 0usize..45,
            count in 0usize..45,
        ) {
            let (start_text, count_text) = (start.to_string(), count.to_string());
            let words = ["SORT", "k", "LIMIT", &start_text, &count_text, if descending { "DESC" } else { "ASC" }];
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            let options = Options::parse(Args::new(&words), true, Patterns::Allowed).unwrap();
            let number = |text: &str| text.parse().unwrap_or(-0.0);
            let mut expected = texts.clone();
            expected.sort_by(|a, b| {
                let by_number = if alpha { Ordering::Equal } else { f64::total_cmp(&(number(a) + 0.0), &(number(b) + 0.0)) };
                let order = by_number.then(a.cmp(b));
                if descending { order.reverse() } else { order }
            });
            let expected: Vec<&String> = expected.iter().skip(start).take(count).collect();
            let mut elements: Vec<Element<'_>> = texts.iter().map(|text| Element::Bytes(text.as_bytes())).collect();
            if alpha {
                by_text(&mut elements, &options);
            } else {
                let text = |element: Element<'_>| String::from_utf8(element.to_vec()).unwrap();
                by_weight(&mut elements, &options, |element| Some(number(&text(element)))).unwrap();
            }
            let found: Vec<String> = elements.iter().map(|e| String::from_utf8(e.to_vec()).unwrap()).collect();
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        }
    }
}
