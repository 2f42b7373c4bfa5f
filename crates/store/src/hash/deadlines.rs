//! When the fields of a hash expire.

use std::collections::BTreeSet;

use super::field::Field;
use crate::hash_seed::Seed;
use crate::table::{Slot, Table};

/// Bytes that an entry of the order takes in a tree's node that is two thirds full, besides the field's text.
const ORDER_BYTES: usize = 36;

/// The deadlines of those fields that have one: Unix times in milliseconds.
pub(super) struct Deadlines {
    /// By field: the deadline's eight bytes are the value.
    by_field: Table<Field>,
    /// In the order in which they fall due.
    order: BTreeSet<(u64, Box<[u8]>)>,
    /// Bytes of the fields' texts and allocations in both.
    bytes: usize,
}

impl Deadlines {
    pub(super) const fn new(seed: Seed) -> Self {
        Self { by_field: Table::new(seed), order: BTreeSet::new(), bytes: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The deadline of a field. O(1).
    pub(super) fn get(&self, field: &[u8]) -> Option<u64> {
        self.by_field.get(self.by_field.hash(field), field).map(deadline_of)
    }

    /// The deadline that falls due first. O(log n).
    pub(super) fn earliest(&self) -> Option<u64> {
        self.order.first().map(|(at, _)| *at)
    }

    /// Gives a field a deadline. O(log n).
    pub(super) fn set(&mut self, field: &[u8], at: u64) {
        let hash = self.by_field.hash(field);
        let value = at.to_le_bytes();
        match self.by_field.find_or_reserve(hash, field) {
            Slot::Occupied(item) => {
                let before = deadline_of(item);
                item.set_value(&value);
                let text = self
                    .order
                    .take(&(before, Box::from(field)))
                    .map_or_else(|| field.into(), |(_, text)| text);
                self.order.insert((at, text));
            }
            Slot::Vacant(slot) => {
                self.bytes +=
                    slot.insert(Field::new(field, &value)).memory_bytes() + ORDER_BYTES + field.len();
                self.order.insert((at, field.into()));
            }
        }
    }

    /// Takes a field's deadline away; false if it has none. O(log n).
    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let Some(item) = self.by_field.remove(self.by_field.hash(field), field) else { return false };
        self.bytes -= item.memory_bytes() + ORDER_BYTES + field.len();
        self.order.remove(&(deadline_of(&item), field.into()));
        true
    }

    /// Takes the first field whose deadline is not after `now_ms`.
    pub(super) fn pop_due(&mut self, now_ms: u64) -> Option<Box<[u8]>> {
        self.earliest().filter(|&at| at <= now_ms)?;
        let (_, field) = self.order.pop_first()?;
        if let Some(item) = self.by_field.remove(self.by_field.hash(&field), &field) {
            self.bytes -= item.memory_bytes() + ORDER_BYTES + field.len();
        }
        Some(field)
    }

    /// Bytes of all allocations. O(1).
    pub(super) fn memory_bytes(&self) -> usize {
        self.by_field.memory_bytes() + self.bytes
    }
}

impl Clone for Deadlines {
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.by_field.seed());
        self.order.iter().for_each(|(at, field)| copy.set(field, *at));
        copy
    }
}

fn deadline_of(item: &Field) -> u64 {
    item.value().try_into().map_or(0, u64::from_le_bytes)
}
