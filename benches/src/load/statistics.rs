//! Medians and spreads of a few rounds.

/// The median; 0 of nothing.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

/// The distance of the greatest from the least, as a share of the median: how noisy the rounds were.
pub fn spread(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let middle = median(values.clone());
    if middle == 0.0 {
        return 0.0;
    }
    let (least, greatest) =
        values.fold((f64::INFINITY, 0f64), |(least, greatest), v| (least.min(v), greatest.max(v)));
    (greatest - least) / middle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_not_moved_by_one_bad_round() {
        assert_eq!(median([3.0, 100.0, 2.0].into_iter()), 3.0);
        assert_eq!(median([1.0, 2.0].into_iter()), 1.5);
        assert_eq!(median([].into_iter()), 0.0);
        assert_eq!(spread([2.0, 4.0, 3.0, 4.0, 5.0].into_iter()), 0.75);
    }
}
