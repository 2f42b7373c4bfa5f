//! Indexes that count from either end.

/// The index that `index` means in a list of `len` elements, -1 being the last; `None` when there is no such element.
pub(super) fn absolute(index: i64, len: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(index).ok().filter(|&index| index < len)
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn from_both_ends() {
        for (index, expected) in
            [(0, Some(0)), (2, Some(2)), (3, None), (-1, Some(2)), (-3, Some(0)), (-4, None)]
        {
            assert_eq!(absolute(index, 3), expected, "{index}");
        }
        assert_eq!((absolute(i64::MIN, 3), absolute(i64::MAX, 3), absolute(0, 0)), (None, None, None));
    }
}
