//! Builds collections from elements that nobody vouches for.

use super::{DEADLINE, DEADLINE_MAX, DUPLICATE, Limits};
use crate::error::Error;
use moonshard_store::{
    AddFlags, AddOutcome, Collection, Element, Hash, HashLimits, Packed, Scratch, Set, SortedSet,
    SortedSetLimits,
};

/// Puts elements that come one by one together into pairs.
#[derive(Default)]
pub(super) struct Pairs<'a> {
    first: Option<Element<'a>>,
}

impl<'a> Pairs<'a> {
    /// The pair that `element` completes.
    pub(super) fn next(&mut self, element: Element<'a>) -> Option<(Element<'a>, Element<'a>)> {
        match self.first.take() {
            Some(first) => Some((first, element)),
            None => {
                self.first = Some(element);
                None
            }
        }
    }

    /// Sees to it that nothing is left over.
    pub(super) fn finish(self) -> Result<(), Error> {
        if self.first.is_some() { Err(Error::Corrupt("an odd number of elements")) } else { Ok(()) }
    }
}

pub(super) struct SetBuilder<'l> {
    set: Set,
    limits: &'l Limits,
}

impl<'l> SetBuilder<'l> {
    pub(super) const fn new(limits: &'l Limits) -> Self {
        Self { set: Set::new(), limits }
    }

    pub(super) fn add(&mut self, member: Element<'_>) -> Result<(), Error> {
        let added = self.set.add_element(member, self.limits.set, self.limits.seed);
        if added { Ok(()) } else { Err(DUPLICATE) }
    }

    pub(super) fn finish(self) -> Collection {
        Collection::Set(self.set)
    }
}

pub(super) struct SortedSetBuilder<'l> {
    set: SortedSet,
    limits: &'l Limits,
    sizes: SortedSetLimits,
}

impl<'l> SortedSetBuilder<'l> {
    /// A builder of a set that came packed, which long members do not unpack, or of one that did not: it is built in
    /// the large form, as the small one does not keep the sign of a zero.
    pub(super) fn new(limits: &'l Limits, packed: bool) -> Self {
        let (entries_max, member_max) =
            if packed { (limits.sorted_set.entries_max, usize::MAX) } else { (0, 0) };
        Self { set: SortedSet::new(), limits, sizes: SortedSetLimits { entries_max, member_max } }
    }

    pub(super) fn add(&mut self, member: &[u8], score: f64) -> Result<(), Error> {
        match self.set.add(member, score, AddFlags::default(), self.sizes, self.limits.seed) {
            AddOutcome::Added(_) => Ok(()),
            AddOutcome::NotANumber => Err(Error::Corrupt("a score that is no number")),
            AddOutcome::Updated(_) | AddOutcome::Unchanged(_) | AddOutcome::Skipped => Err(DUPLICATE),
        }
    }

    pub(super) fn add_element(&mut self, member: Element<'_>, score: f64) -> Result<(), Error> {
        self.add(member.bytes(&mut Scratch::new()), score)
    }

    pub(super) fn finish(mut self) -> Collection {
        self.set.compact_if_fits(self.limits.sorted_set);
        Collection::SortedSet(self.set)
    }
}

/// A hash, whose fields are not looked for one by one while they are few: that would take the square of their number.
pub(super) struct HashBuilder<'l> {
    packed: Packed,
    /// The hash once it has outgrown the packed form.
    large: Option<Hash>,
    limits: &'l Limits,
    sizes: HashLimits,
}

impl<'l> HashBuilder<'l> {
    /// A builder of a hash that came packed, which long fields and values do not unpack, or of one that did not.
    pub(super) const fn new(limits: &'l Limits, packed: bool) -> Self {
        let value_len = if packed { usize::MAX } else { limits.hash.value_len };
        let sizes = HashLimits { entries: limits.hash.entries, value_len };
        Self { packed: Packed::new(), large: None, limits, sizes }
    }

    pub(super) fn add(&mut self, field: Element<'_>, value: Element<'_>) -> Result<(), Error> {
        if self.large.is_none() {
            let (field_len, value_len) = (field.len(), value.len());
            if self.packed.len() / 2 < self.sizes.entries
                && field_len.max(value_len) <= self.sizes.value_len
                && self.packed.can_add(field_len.saturating_add(value_len))
            {
                self.packed.push_back_element(field);
                self.packed.push_back_element(value);
                return Ok(());
            }
        }
        let (mut name, mut text) = (Scratch::new(), Scratch::new());
        let (limits, seed) = (self.limits.hash, self.limits.seed);
        let large = match &mut self.large {
            Some(large) => large,
            None => {
                let packed = std::mem::take(&mut self.packed);
                let fields = packed.len() / 2;
                let large = self.large.insert(Hash::from_packed(packed));
                large.unpack(seed);
                if large.len() < fields {
                    return Err(DUPLICATE);
                }
                large
            }
        };
        let added = large.set(field.bytes(&mut name), value.bytes(&mut text), limits, seed);
        if added { Ok(()) } else { Err(DUPLICATE) }
    }

    pub(super) fn finish(self) -> Result<Collection, Error> {
        self.finish_expiring(&[])
    }

    /// The hash, these of whose fields have a deadline.
    pub(super) fn finish_expiring(self, deadlines: &[(Vec<u8>, u64)]) -> Result<Collection, Error> {
        let mut hash = match self.large {
            Some(large) => large,
            None if has_duplicate(&self.packed) => return Err(DUPLICATE),
            None => Hash::from_packed(self.packed),
        };
        for (field, at) in deadlines {
            if *at > DEADLINE_MAX {
                return Err(DEADLINE);
            }
            hash.set_deadline(field, *at, self.limits.seed);
        }
        Ok(Collection::Hash(hash))
    }
}

/// Whether a field comes twice. O(n log n).
fn has_duplicate(pairs: &Packed) -> bool {
    // Equal fields are the same kind of element: packed sequences spell each the one way.
    let mut fields: Vec<(Option<i64>, &[u8])> = pairs
        .pairs()
        .map(|(field, _)| match field {
            Element::Int(value) => (Some(value), &b""[..]),
            Element::Bytes(bytes) => (None, bytes),
        })
        .collect();
    fields.sort_unstable();
    fields.windows(2).any(|two| two[0] == two[1])
}
