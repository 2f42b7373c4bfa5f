//! A hash with fields that expire, and what only such a hash can be asked.

use std::fmt;

use super::deadlines::Deadlines;
use super::{Element, Hash, HashLimits, Large, View};
use crate::form::{Form, FormMut, FormRef};
use crate::hash_seed::Seed;
use crate::packed::Scratch;

/// A hash and the deadlines of some of its fields.
pub(super) struct Timed {
    /// All fields with their values; not timed itself.
    fields: Hash,
    deadlines: Deadlines,
    /// The deadline by which somebody outside knows this hash.
    scheduled_ms: Option<u64>,
}

impl Timed {
    pub(super) fn view(&self) -> View<'_> {
        self.fields.view()
    }

    pub(super) fn prepare(&mut self, lens: impl IntoIterator<Item = usize>, limits: HashLimits, seed: Seed) {
        self.fields.prepare_plain(lens, limits, seed);
    }

    pub(super) fn set(&mut self, field: &[u8], value: &[u8], limits: HashLimits, seed: Seed) -> bool {
        self.deadlines.remove(field);
        self.fields.set(field, value, limits, seed)
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        self.deadlines.remove(field);
        self.fields.remove(field)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.fields.memory_bytes() + self.deadlines.memory_bytes()
    }
}

impl Clone for Timed {
    /// The copy is a hash that nobody knows yet.
    fn clone(&self) -> Self {
        Self { fields: self.fields.clone(), deadlines: self.deadlines.clone(), scheduled_ms: None }
    }
}

impl fmt::Debug for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields.fmt(f)
    }
}

/// Fields that expire. Deadlines are Unix times in milliseconds; nothing here goes by itself when its time has come.
impl Hash {
    pub(super) fn timed(&self) -> Option<&Timed> {
        match self.0.get() {
            FormRef::Large(Large::Timed(timed)) => Some(timed),
            FormRef::Large(Large::Table(_)) | FormRef::Small(_) => None,
        }
    }

    pub(super) fn timed_mut(&mut self) -> Option<&mut Timed> {
        match self.0.get_mut() {
            FormMut::Large(Large::Timed(timed)) => Some(timed),
            FormMut::Large(Large::Table(_)) | FormMut::Small(_) => None,
        }
    }

    /// Number of fields with a deadline.
    pub fn expiring_len(&self) -> usize {
        self.timed().map_or(0, |timed| timed.deadlines.len())
    }

    /// The first deadline of all. O(log n), O(1) when no field has one.
    pub fn earliest_deadline(&self) -> Option<u64> {
        self.timed()?.deadlines.earliest()
    }

    /// The deadline of a field, if the field has one.
    pub fn deadline(&self, field: &[u8]) -> Option<u64> {
        self.timed()?.deadlines.get(field)
    }

    /// Gives a field a deadline; false if there is no such field. `seed` is what the deadlines' table is hashed with,
    /// if this is the first one.
    pub fn set_deadline(&mut self, field: &[u8], at_ms: u64, seed: Seed) -> bool {
        if !self.contains(field) {
            return false;
        }
        if self.timed().is_none() {
            let fields = std::mem::take(self);
            let timed = Box::new(Timed { fields, deadlines: Deadlines::new(seed), scheduled_ms: None });
            self.0 = Form::large(Box::new(Large::Timed(timed)));
        }
        if let Some(timed) = self.timed_mut() {
            timed.deadlines.set(field, at_ms);
        }
        true
    }

    /// Takes a field's deadline away; false if it has none.
    pub fn clear_deadline(&mut self, field: &[u8]) -> bool {
        self.timed_mut().is_some_and(|timed| timed.deadlines.remove(field))
    }

    /// Sets a field as [`Hash::set`] does, but leaves it its deadline.
    pub fn set_keeping_deadline(
        &mut self,
        field: &[u8],
        value: &[u8],
        limits: HashLimits,
        seed: Seed,
    ) -> bool {
        match self.timed_mut() {
            Some(timed) => timed.fields.set(field, value, limits, seed),
            None => self.set(field, value, limits, seed),
        }
    }

    /// Removes at most `limit` fields whose deadline is not after `now_ms`, in the order of their deadlines, and shows
    /// each to `visit`. Returns how many went. O(log n) for each.
    pub fn remove_due(&mut self, now_ms: u64, limit: usize, mut visit: impl FnMut(&[u8])) -> usize {
        let Some(timed) = self.timed_mut() else { return 0 };
        let mut removed = 0;
        while removed < limit
            && let Some(field) = timed.deadlines.pop_due(now_ms)
        {
            timed.fields.remove(&field);
            visit(&field);
            removed += 1;
        }
        removed
    }

    /// All fields with their values and deadlines, in the order of [`Hash::iter`].
    pub fn iter_with_deadlines(&self) -> impl Iterator<Item = (Element<'_>, Element<'_>, Option<u64>)> {
        self.iter().map(|(field, value)| {
            let at = self.timed().and_then(|timed| timed.deadlines.get(field.bytes(&mut Scratch::new())));
            (field, value, at)
        })
    }

    /// What was said last by [`Hash::schedule`].
    pub fn scheduled(&self) -> Option<u64> {
        self.timed()?.scheduled_ms
    }

    /// Notes by which deadline whoever looks for due hashes knows this one. When it is none and no field has a deadline
    /// any longer, the hash goes back to what it was before the first.
    pub fn schedule(&mut self, at_ms: Option<u64>) {
        let Some(timed) = self.timed_mut() else { return };
        timed.scheduled_ms = at_ms;
        if at_ms.is_none() && timed.deadlines.len() == 0 {
            *self = std::mem::take(&mut timed.fields);
        }
    }
}
