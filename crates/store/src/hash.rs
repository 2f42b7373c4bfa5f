//! Hashes: a packed sequence of fields and values while there are few and they are short, then a table.
//!
//! A hash of which some field expires keeps the deadlines beside that form ([`deadlines`]): one of which none does pays
//! nothing for it.

mod deadlines;
mod field;
#[cfg(test)]
mod tests;
mod timed;

use std::mem::size_of;

use crate::form::{Form, FormMut, FormRef};
use crate::hash_seed::Seed;
use crate::packed::{Coded, Element, Packed, Pos, Scratch};
use crate::sample::{below, choose, choose_of_table};
use crate::table::{Slot, Table};
use field::Field;
use timed::Timed;

/// Up to what size a hash keeps its packed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashLimits {
    /// Most fields, as Redis' `hash-max-listpack-entries`.
    pub entries: usize,
    /// Longest field or value in bytes, as Redis' `hash-max-listpack-value`.
    pub value_len: usize,
}

impl HashLimits {
    /// What Redis 7.0 starts with.
    pub const DEFAULT: Self = Self { entries: 512, value_len: 64 };
}

impl Default for HashLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A map of byte strings. Finding, setting and removing are O(1) in a table, and bounded by the limits otherwise.
///
/// The packed form keeps fields in the order they came, and a changed field in its place. A table stays one.
pub struct Hash(Form<Packed, Large>);

/// What lies in an allocation of its own.
enum Large {
    Table(Fields),
    Timed(Box<Timed>),
}

/// The form in which fields and values are kept.
enum View<'a> {
    Packed(&'a Packed),
    Table(&'a Fields),
}

/// The large form.
struct Fields {
    table: Table<Field>,
    /// Bytes of the fields' allocations.
    bytes: usize,
}

impl Fields {
    fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        let hash = self.table.hash(field);
        match self.table.find_or_reserve(hash, field) {
            Slot::Occupied(item) => {
                let before = item.memory_bytes();
                item.set_value(value);
                self.bytes = self.bytes - before + item.memory_bytes();
                false
            }
            Slot::Vacant(slot) => {
                self.bytes += slot.insert(Field::new(field, value)).memory_bytes();
                true
            }
        }
    }

    fn get(&self, field: &[u8]) -> Option<&Field> {
        self.table.get(self.table.hash(field), field)
    }

    fn remove(&mut self, field: &[u8]) -> bool {
        let removed = self.table.remove(self.table.hash(field), field);
        self.bytes -= removed.as_ref().map_or(0, Field::memory_bytes);
        removed.is_some()
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.get() {
            FormRef::Small(packed) => f.debug_map().entries(packed.pairs()).finish(),
            FormRef::Large(large) => match large {
                Large::Table(fields) => f.debug_map().entries(fields.table.iter().map(pair_of)).finish(),
                Large::Timed(timed) => timed.fmt(f),
            },
        }
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Hash {
    fn clone(&self) -> Self {
        let large = match self.0.get() {
            FormRef::Small(packed) => return Self(Form::small(packed.clone())),
            FormRef::Large(large) => match large {
                Large::Table(fields) => Large::Table(fields.clone()),
                Large::Timed(timed) => Large::Timed(timed.clone()),
            },
        };
        Self(Form::large(Box::new(large)))
    }
}

impl Clone for Fields {
    fn clone(&self) -> Self {
        let mut copy = Self { table: Table::new(self.table.seed()), bytes: 0 };
        for field in self.table.iter() {
            let clone = field.clone();
            copy.bytes += clone.memory_bytes();
            copy.table.insert_unique(copy.table.hash(field.field()), clone);
        }
        copy
    }
}

impl Hash {
    /// Where its memory begins, if it has any: what is worth prefetching.
    #[inline]
    pub(crate) fn address(&self) -> *const u8 {
        self.0.address()
    }

    /// An empty hash; allocates nothing.
    pub const fn new() -> Self {
        Self(Form::small(Packed::new()))
    }

    #[inline]
    fn view(&self) -> View<'_> {
        match self.0.get() {
            FormRef::Small(packed) => View::Packed(packed),
            FormRef::Large(large) => match large {
                Large::Table(fields) => View::Table(fields),
                Large::Timed(timed) => timed.view(),
            },
        }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        match self.view() {
            View::Packed(packed) => packed.len() / 2,
            View::Table(fields) => fields.table.len(),
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What Redis calls this encoding.
    pub fn encoding_name(&self) -> &'static str {
        match self.view() {
            View::Packed(_) if self.timed().is_some() => "listpackex",
            View::Packed(_) => "listpack",
            View::Table(_) => "hashtable",
        }
    }

    /// The packed form, fields and values by turns, of a hash whose fields do not expire.
    pub fn packed(&self) -> Option<&Packed> {
        match self.0.get() {
            FormRef::Small(packed) => Some(packed),
            FormRef::Large(_) => None,
        }
    }

    /// A hash of fields and values by turns. The caller has seen to it that no field comes twice.
    pub const fn from_packed(packed: Packed) -> Self {
        Self(Form::small(packed))
    }

    /// Leaves the packed form for a table that is hashed with `seed`. Of a field that comes twice the last value stays.
    pub fn unpack(&mut self, seed: Seed) {
        if self.packed().is_some() {
            self.become_table(seed);
        }
    }

    /// Bytes of all allocations, the handle left out. O(1).
    pub fn memory_bytes(&self) -> usize {
        match self.0.get() {
            FormRef::Small(packed) => packed.memory_bytes(),
            FormRef::Large(large) => {
                size_of::<Large>()
                    + match large {
                        Large::Table(fields) => fields.table.memory_bytes() + fields.bytes,
                        Large::Timed(timed) => timed.memory_bytes(),
                    }
            }
        }
    }

    /// Leaves the packed form if one of these lengths, of fields and values about to be set, is above the limit.
    /// Redis looks at all of a command's arguments before it sets the first.
    pub fn prepare(&mut self, lens: impl IntoIterator<Item = usize>, limits: HashLimits, seed: Seed) {
        match self.timed_mut() {
            Some(timed) => timed.prepare(lens, limits, seed),
            None => self.prepare_plain(lens, limits, seed),
        }
    }

    /// [`Hash::prepare`] for a hash that is not timed.
    #[inline]
    fn prepare_plain(&mut self, lens: impl IntoIterator<Item = usize>, limits: HashLimits, seed: Seed) {
        let FormRef::Small(packed) = self.0.get() else { return };
        let mut sum = 0usize;
        let long = lens.into_iter().any(|len| {
            sum = sum.saturating_add(len);
            len > limits.value_len
        });
        if long || !packed.can_add(sum) {
            self.become_table(seed);
        }
    }

    /// Sets a field, which no longer expires; true if it is new. `seed` is what a table is hashed with, if the hash
    /// becomes one here.
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: HashLimits, seed: Seed) -> bool {
        self.prepare([field.len(), value.len()], limits, seed);
        let packed = match self.0.get_mut() {
            FormMut::Small(packed) => packed,
            FormMut::Large(large) => match large {
                Large::Table(fields) => return fields.set(field, value),
                Large::Timed(timed) => return timed.set(field, value, limits, seed),
            },
        };
        let coded = Coded::new(field);
        let found = value_pos(packed, &coded);
        match found {
            Some(pos) => packed.replace(pos, value),
            None => {
                packed.push_back_coded(&coded);
                packed.push_back(value);
            }
        }
        if packed.len() / 2 > limits.entries {
            self.become_table(seed);
        }
        found.is_none()
    }

    fn become_table(&mut self, seed: Seed) {
        let mut fields = Fields { table: Table::new(seed), bytes: 0 };
        let (mut field_scratch, mut value_scratch) = (Scratch::new(), Scratch::new());
        self.iter().for_each(|(field, value)| {
            fields.set(field.bytes(&mut field_scratch), value.bytes(&mut value_scratch));
        });
        self.0 = Form::large(Box::new(Large::Table(fields)));
    }

    /// The value of a field.
    pub fn get(&self, field: &[u8]) -> Option<Element<'_>> {
        match self.view() {
            View::Packed(packed) => value_pos(packed, &Coded::new(field)).map(|pos| packed.at(pos)),
            View::Table(fields) => fields.get(field).map(|field| Element::Bytes(field.value())),
        }
    }

    /// Whether the field exists.
    pub fn contains(&self, field: &[u8]) -> bool {
        match self.view() {
            View::Packed(packed) => packed.find(field, 2).is_some(),
            View::Table(fields) => fields.get(field).is_some(),
        }
    }

    /// Length of a field's value in bytes.
    pub fn value_len(&self, field: &[u8]) -> Option<usize> {
        self.get(field).map(Element::len)
    }

    /// Removes a field; false if there is no such.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self.0.get_mut() {
            FormMut::Small(packed) => match packed.find(field, 2) {
                Some(pos) => {
                    packed.remove_at(pos, 2);
                    true
                }
                None => false,
            },
            FormMut::Large(large) => match large {
                Large::Table(fields) => fields.remove(field),
                Large::Timed(timed) => timed.remove(field),
            },
        }
    }

    /// All fields with their values: packed ones in the order they came, those of a table in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
        match self.view() {
            View::Packed(packed) => Iter::Packed(packed.pairs()),
            View::Table(fields) => Iter::Table(fields.table.iter().map(pair_of)),
        }
    }

    /// Shows some fields with their values to `visit` and returns the cursor to go on with, 0 at the end. What is
    /// there from the beginning (cursor 0) to the end is shown, whatever else comes and goes. The packed form is shown
    /// whole.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(Element<'_>, Element<'_>)) -> u64 {
        match self.view() {
            View::Packed(packed) => {
                packed.pairs().for_each(|(field, value)| visit(field, value));
                0
            }
            View::Table(fields) => fields.table.scan(cursor, |item| {
                let (field, value) = pair_of(item);
                visit(field, value);
            }),
        }
    }

    /// A field drawn uniformly with the caller's random bits, and its value.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<(Element<'_>, Element<'_>)> {
        match self.view() {
            View::Packed(packed) if packed.is_empty() => None,
            View::Packed(packed) => {
                let pos = packed.seek(below(random(), self.len()) * 2)?;
                Some((packed.at(pos), packed.at(packed.next(pos)?)))
            }
            View::Table(fields) => fields.table.random(random).map(pair_of),
        }
    }

    /// Shows `count` different fields to `visit`, or all if there are not so many; every choice is equally likely.
    pub fn random_distinct<'a>(
        &'a self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) {
        let visit = |(field, value)| visit(field, value);
        match self.view() {
            View::Packed(packed) => {
                choose(packed.pairs(), self.len(), count.min(self.len()), &mut random, visit);
            }
            View::Table(fields) => {
                let mut visit = visit;
                choose_of_table(&fields.table, count, &mut random, |item| visit(pair_of(item)));
            }
        }
    }

    /// Shows a random field to `visit`, `count` times; nothing if the hash is empty.
    pub fn random_repeating<'a>(
        &'a self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) {
        if let View::Packed(packed) = self.view() {
            // Walked once, not once for every draw.
            let pairs: Vec<_> = packed.pairs().collect();
            let count = if pairs.is_empty() { 0 } else { count };
            return (0..count).for_each(|_| {
                let (field, value) = pairs[below(random(), pairs.len())];
                visit(field, value);
            });
        }
        for _ in 0..count {
            match self.random(&mut random) {
                Some((field, value)) => visit(field, value),
                None => return,
            }
        }
    }
}

fn value_pos(packed: &Packed, field: &Coded<'_>) -> Option<Pos> {
    packed.find_coded(field, 2).and_then(|pos| packed.next(pos))
}

fn pair_of(item: &Field) -> (Element<'_>, Element<'_>) {
    (Element::Bytes(item.field()), Element::Bytes(item.value()))
}

/// The iterators of the forms as one.
enum Iter<A, B> {
    Packed(A),
    Table(B),
}

impl<I, A: Iterator<Item = I>, B: Iterator<Item = I>> Iterator for Iter<A, B> {
    type Item = I;

    #[inline]
    fn next(&mut self) -> Option<I> {
        match self {
            Iter::Packed(iter) => iter.next(),
            Iter::Table(iter) => iter.next(),
        }
    }
}
