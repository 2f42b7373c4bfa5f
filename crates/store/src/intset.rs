//! A sorted array of integers, each as wide as the widest needs: what sets of numbers are while they are small.

use crate::counted_bytes::CountedBytes;
use std::ptr;

/// A set of `i64` in 2, 4 or 8 bytes a member. Widths only grow. Finding is a binary search, changing moves the
/// members above.
#[derive(Clone)]
#[repr(transparent)]
pub struct IntSet(CountedBytes);

/// The bytes a value takes: 2, 4 or 8.
fn width_of(value: i64) -> usize {
    match value {
        -0x8000..=0x7fff => 2,
        -0x8000_0000..=0x7fff_ffff => 4,
        _ => 8,
    }
}

/// Calls a function of an integer type with the type of a width.
macro_rules! on_width {
    ($width:expr, $function:ident($($argument:expr),*)) => {
        match $width {
            2 => $function::<2>($($argument),*),
            4 => $function::<4>($($argument),*),
            _ => $function::<8>($($argument),*),
        }
    };
}

#[inline]
fn decode<const W: usize>(bytes: &[u8; W]) -> i64 {
    let mut wide = [0; 8];
    wide[8 - W..].copy_from_slice(bytes);
    // The upper bytes hold the value, so that its sign comes down with it.
    i64::from_le_bytes(wide) >> (64 - 8 * W)
}

fn search<const W: usize>(data: &[u8], value: i64) -> Result<usize, usize> {
    data.as_chunks::<W>().0.binary_search_by(|member| decode(member).cmp(&value))
}

#[inline]
fn nth<const W: usize>(data: &[u8], index: usize) -> Option<i64> {
    data.as_chunks::<W>().0.get(index).map(decode)
}

impl Default for IntSet {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for IntSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl IntSet {
    /// An empty set; allocates nothing.
    pub const fn new() -> Self {
        Self(CountedBytes::new())
    }

    /// The set that such bytes are.
    pub(crate) fn of(bytes: &CountedBytes) -> &Self {
        // SAFETY: it has the representation of what it is made of.
        unsafe { &*ptr::from_ref(bytes).cast() }
    }

    /// The set that such bytes are, to change.
    pub(crate) fn of_mut(bytes: &mut CountedBytes) -> &mut Self {
        // SAFETY: it has the representation of what it is made of.
        unsafe { &mut *ptr::from_mut(bytes).cast() }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.0.count()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes a member takes: 2, 4 or 8.
    pub fn width(&self) -> usize {
        match self.len() {
            0 => 2,
            len => self.0.len() / len,
        }
    }

    /// Adds a member; false if it is one already. O(n) for the move.
    pub fn insert(&mut self, value: i64) -> bool {
        self.widen_for(value);
        let width = self.width().max(width_of(value));
        let len = self.len();
        // A new largest member is the common case of counters used as ids.
        let at = match on_width!(width, nth(self.0.data(), len.wrapping_sub(1))) {
            Some(last) if last < value => len,
            None => len,
            Some(_) => match on_width!(width, search(self.0.data(), value)) {
                Ok(_) => return false,
                Err(at) => at,
            },
        };
        self.0.open_gap(at * width, width);
        // The lower bytes of a value that fits them are the value.
        self.0.data_mut()[at * width..(at + 1) * width].copy_from_slice(&value.to_le_bytes()[..width]);
        self.0.set_count(len + 1);
        true
    }

    /// Gives all members the width of a value that is wider.
    fn widen_for(&mut self, value: i64) {
        let (width, len) = (width_of(value), self.len());
        if len == 0 || width <= self.width() {
            return;
        }
        let mut wide = CountedBytes::new();
        wide.open_gap(0, len * width);
        for (member, place) in self.iter().zip(wide.data_mut().chunks_exact_mut(width)) {
            place.copy_from_slice(&member.to_le_bytes()[..width]);
        }
        wide.set_count(len);
        self.0 = wide;
    }

    /// Removes a member; false if there is no such. O(n) for the move.
    pub fn remove(&mut self, value: i64) -> bool {
        let (width, len) = (self.width(), self.len());
        let Ok(at) = on_width!(width, search(self.0.data(), value)) else { return false };
        self.0.set_count(len - 1);
        self.0.close_gap(at * width, (at + 1) * width);
        true
    }

    /// Whether `value` is a member. O(log n).
    pub fn contains(&self, value: i64) -> bool {
        on_width!(self.width(), search(self.0.data(), value)).is_ok()
    }

    /// The member with this index in ascending order.
    pub fn get(&self, index: usize) -> Option<i64> {
        on_width!(self.width(), nth(self.0.data(), index))
    }

    /// All members, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + Clone + '_ {
        let (data, width) = (self.0.data(), self.width());
        (0..self.len()).map(move |index| on_width!(width, nth(data, index)).unwrap_or_default())
    }

    /// Bytes of the allocation.
    pub fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
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
