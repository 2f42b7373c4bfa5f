//! A sorted array of integers, each as wide as the widest needs: what sets of numbers are while they are small.

use std::mem::size_of;

/// A set of `i64` in 2, 4 or 8 bytes a member. Widths only grow. Finding is a binary search, changing moves the
/// members above.
#[derive(Clone, Debug)]
pub struct IntSet(Members);

#[derive(Clone, Debug)]
enum Members {
    W2(Vec<i16>),
    W4(Vec<i32>),
    W8(Vec<i64>),
}

/// Runs an expression on the array of whichever width.
macro_rules! on_width {
    ($members:expr, $array:ident => $body:expr) => {
        match $members {
            Members::W2($array) => $body,
            Members::W4($array) => $body,
            Members::W8($array) => $body,
        }
    };
}

fn search<T: Copy + Into<i64>>(array: &[T], value: i64) -> Result<usize, usize> {
    array.binary_search_by(|&member| member.into().cmp(&value))
}

fn insert<T: Copy + Into<i64> + TryFrom<i64>>(array: &mut Vec<T>, value: i64) -> bool {
    // A new largest member is the common case of counters used as ids.
    let at = match array.last() {
        Some(&last) if last.into() < value => array.len(),
        _ => match search(array, value) {
            Ok(_) => return false,
            Err(at) => at,
        },
    };
    let Ok(member) = T::try_from(value) else { return false };
    if array.len() == array.capacity() {
        array.reserve_exact((array.len() / 4).max(8 / size_of::<T>()));
    }
    array.insert(at, member);
    true
}

fn remove<T: Copy + Into<i64>>(array: &mut Vec<T>, value: i64) -> bool {
    let Ok(at) = search(array, value) else { return false };
    array.remove(at);
    if array.len() <= array.capacity() / 2 {
        array.shrink_to_fit();
    }
    true
}

fn nth<T: Copy + Into<i64>>(array: &[T], index: usize) -> Option<i64> {
    array.get(index).map(|&member| member.into())
}

fn widened<T: Copy + Into<U>, U>(array: &[T]) -> Vec<U> {
    let mut wide = Vec::with_capacity(array.len() + 1);
    wide.extend(array.iter().map(|&member| member.into()));
    wide
}

impl Default for IntSet {
    fn default() -> Self {
        Self::new()
    }
}

impl IntSet {
    /// An empty set; allocates nothing.
    pub const fn new() -> Self {
        Self(Members::W2(Vec::new()))
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        on_width!(&self.0, array => array.len())
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes a member takes: 2, 4 or 8.
    pub fn width(&self) -> usize {
        match &self.0 {
            Members::W2(_) => 2,
            Members::W4(_) => 4,
            Members::W8(_) => 8,
        }
    }

    /// Adds a member; false if it is one already. O(n) for the move.
    pub fn insert(&mut self, value: i64) -> bool {
        self.widen_for(value);
        on_width!(&mut self.0, array => insert(array, value))
    }

    fn widen_for(&mut self, value: i64) {
        let wider = match &self.0 {
            Members::W2(array) if i16::try_from(value).is_err() => match i32::try_from(value) {
                Ok(_) => Members::W4(widened(array)),
                Err(_) => Members::W8(widened(array)),
            },
            Members::W4(array) if i32::try_from(value).is_err() => Members::W8(widened(array)),
            _ => return,
        };
        self.0 = wider;
    }

    /// Removes a member; false if there is no such. O(n) for the move.
    pub fn remove(&mut self, value: i64) -> bool {
        on_width!(&mut self.0, array => remove(array, value))
    }

    /// Whether `value` is a member. O(log n).
    pub fn contains(&self, value: i64) -> bool {
        on_width!(&self.0, array => search(array, value).is_ok())
    }

    /// The member with this index in ascending order.
    pub fn get(&self, index: usize) -> Option<i64> {
        on_width!(&self.0, array => nth(array, index))
    }

    /// All members, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + Clone + '_ {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// Bytes of the allocation.
    pub fn memory_bytes(&self) -> usize {
        on_width!(&self.0, array => array.capacity()) * self.width()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn member() -> impl Strategy<Value = i64> {
        prop_oneof![
            4 => -20i64..20,
            1 => any::<i16>().prop_map(i64::from),
            1 => any::<i32>().prop_map(i64::from),
            1 => any::<i64>(),
            1 => prop::sample::select(vec![
                i64::MIN, i64::MAX, -0x8000, 0x7fff, -0x8001, 0x8000, -0x8000_0000, 0x7fff_ffff, -0x8000_0001,
                0x8000_0000,
            ]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 256 }))]

        #[test]
        fn behaves_as_an_ordered_set(steps in prop::collection::vec((0..3, member()), 0..200)) {
            let (mut set, mut model) = (IntSet::new(), BTreeSet::new());
            for (step, value) in steps {
                match step {
                    0 | 1 => prop_assert_eq!(set.insert(value), model.insert(value)),
                    _ => prop_assert_eq!(set.remove(value), model.remove(&value)),
                }
                prop_assert_eq!(set.contains(value), model.contains(&value));
                prop_assert_eq!(set.len(), model.len());
            }
            prop_assert!(set.iter().eq(model.iter().copied()));
            prop_assert!(set.iter().rev().eq(model.iter().rev().copied()));
        }
    }

    #[test]
    fn takes_the_width_of_its_widest_member() {
        let mut set = IntSet::new();
        for (value, width) in
            [(i16::MAX as i64, 2), (i16::MIN as i64, 2), (1 << 15, 4), (i32::MIN as i64, 4), (1 << 31, 8)]
        {
            assert!(set.insert(value));
            assert_eq!(set.width(), width, "after {value}");
        }
        assert!(set.iter().eq([i32::MIN as i64, i16::MIN as i64, i16::MAX as i64, 1 << 15, 1 << 31]));
    }
}
