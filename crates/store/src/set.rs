//! Sets: sorted integers, a packed sequence of a few short members, or a table.

mod member;
#[cfg(test)]
mod tests;

use std::mem::size_of;

use crate::counted_bytes::CountedBytes;
use crate::form::{Form, FormMut, FormRef};
use crate::hash_seed::Seed;
use crate::intset::IntSet;
use crate::number::parse_i64;
use crate::packed::{Coded, Element, Packed, Scratch};
use crate::sample::{below, choose, choose_of_table};
use crate::table::{Slot, Table};
use member::Member;

/// Up to what size a set keeps its small forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLimits {
    /// Most members of a set of integers, as Redis' `set-max-intset-entries`.
    pub intset_entries: usize,
    /// Most members of the packed form.
    pub packed_entries: usize,
    /// Longest member of the packed form, in bytes.
    pub packed_len: usize,
}

impl SetLimits {
    /// What Redis 7.0 starts with; for the packed form, what Redis 7.2 starts with.
    pub const DEFAULT: Self = Self { intset_entries: 512, packed_entries: 128, packed_len: 64 };
}

impl Default for SetLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A set of byte strings. Once it is no longer integers only it never is again, and a table stays one.
///
/// Finding, adding and removing are O(1) in a table, and bounded by the limits otherwise.
pub struct Set(Form<CountedBytes, Members>);

/// Its form. The small ones are told apart by the mark of their bytes, which a packed sequence has.
enum View<'a> {
    Ints(&'a IntSet),
    Packed(&'a Packed),
    Table(&'a Members),
}

/// Its form, to change.
enum ViewMut<'a> {
    Ints(&'a mut IntSet),
    Packed(&'a mut Packed),
    Table(&'a mut Members),
}

/// The large form.
struct Members {
    table: Table<Member>,
    /// Bytes of the members' allocations.
    bytes: usize,
}

impl Members {
    fn add(&mut self, member: &[u8]) -> bool {
        let hash = self.table.hash(member);
        match self.table.find_or_reserve(hash, member) {
            Slot::Occupied(_) => false,
            Slot::Vacant(slot) => {
                self.bytes += slot.insert(Member::new(member)).memory_bytes();
                true
            }
        }
    }

    fn remove(&mut self, member: &[u8]) -> bool {
        let removed = self.table.remove(self.table.hash(member), member);
        self.bytes -= removed.as_ref().map_or(0, Member::memory_bytes);
        removed.is_some()
    }

    fn contains(&self, member: &[u8]) -> bool {
        self.table.get(self.table.hash(member), member).is_some()
    }
}

impl std::fmt::Debug for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Set {
    fn clone(&self) -> Self {
        Self(match self.0.get() {
            FormRef::Small(bytes) => Form::small(bytes.clone()),
            FormRef::Large(members) => {
                let mut copy = Members { table: Table::new(members.table.seed()), bytes: members.bytes };
                for member in members.table.iter() {
                    copy.table.insert_unique(copy.table.hash(member.bytes()), member.clone());
                }
                Form::large(Box::new(copy))
            }
        })
    }
}

impl Set {
    /// Where its memory begins, if it has any: what is worth prefetching.
    #[inline]
    pub(crate) fn address(&self) -> *const u8 {
        self.0.address()
    }

    /// An empty set, which is one of integers; allocates nothing.
    pub const fn new() -> Self {
        Self(Form::small(CountedBytes::new()))
    }

    #[inline]
    fn view(&self) -> View<'_> {
        match self.0.get() {
            FormRef::Small(bytes) if bytes.is_marked() => View::Packed(Packed::of(bytes)),
            FormRef::Small(bytes) => View::Ints(IntSet::of(bytes)),
            FormRef::Large(members) => View::Table(members),
        }
    }

    #[inline]
    fn view_mut(&mut self) -> ViewMut<'_> {
        match self.0.get_mut() {
            FormMut::Small(bytes) if bytes.is_marked() => ViewMut::Packed(Packed::of_mut(bytes)),
            FormMut::Small(bytes) => ViewMut::Ints(IntSet::of_mut(bytes)),
            FormMut::Large(members) => ViewMut::Table(members),
        }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match self.view() {
            View::Ints(ints) => ints.len(),
            View::Packed(packed) => packed.len(),
            View::Table(members) => members.table.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What Redis 7.0 calls this encoding. It has no packed form: that goes as a hash table.
    pub fn encoding_name(&self) -> &'static str {
        match self.view() {
            View::Ints(_) => "intset",
            View::Packed(_) | View::Table(_) => "hashtable",
        }
    }

    /// The integers, in the form of a set of integers.
    pub fn ints(&self) -> Option<&IntSet> {
        match self.view() {
            View::Ints(ints) => Some(ints),
            _ => None,
        }
    }

    /// Bytes of all allocations, the handle left out. O(1).
    pub fn memory_bytes(&self) -> usize {
        match self.view() {
            View::Ints(ints) => ints.memory_bytes(),
            View::Packed(packed) => packed.memory_bytes(),
            View::Table(members) => size_of::<Members>() + members.table.memory_bytes() + members.bytes,
        }
    }

    /// Adds a member; false if it is one already. `seed` is what a table is hashed with, if the set becomes one here.
    pub fn add(&mut self, member: &[u8], limits: SetLimits, seed: Seed) -> bool {
        match self.view_mut() {
            ViewMut::Ints(ints) => match parse_i64(member) {
                Some(value) => {
                    let added = ints.insert(value);
                    // Redis converts after the fact, and only when something was added.
                    if added && ints.len() > limits.intset_entries.min(1 << 30) {
                        self.leave_ints(0, 0, limits, seed);
                    }
                    return added;
                }
                None => self.leave_ints(1, member.len(), limits, seed),
            },
            ViewMut::Packed(packed) => {
                let coded = Coded::new(member);
                if packed.find_coded(&coded, 1).is_some() {
                    return false;
                }
                if packed.len() < limits.packed_entries
                    && member.len() <= limits.packed_len
                    && packed.can_add(coded.total())
                {
                    packed.push_back_coded(&coded);
                    return true;
                }
                self.become_table(seed);
            }
            ViewMut::Table(members) => return members.add(member),
        }
        self.add(member, limits, seed)
    }

    /// Adds a member as it came out of another collection; false if it is one already.
    pub fn add_element(&mut self, member: Element<'_>, limits: SetLimits, seed: Seed) -> bool {
        self.add(member.bytes(&mut Scratch::new()), limits, seed)
    }

    /// Turns integers into the form that has room for so many members more, the longest of this length.
    fn leave_ints(&mut self, more: usize, len_max: usize, limits: SetLimits, seed: Seed) {
        let View::Ints(ints) = self.view() else { return };
        // The longest texts are those of the two ends.
        let ends = [ints.get(0), ints.get(ints.len().wrapping_sub(1))].into_iter().flatten();
        let longest = ends.map(|value| Element::Int(value).len()).fold(len_max, usize::max);
        if ints.len() + more > limits.packed_entries || longest > limits.packed_len {
            return self.become_table(seed);
        }
        let mut packed = Packed::new();
        ints.iter().for_each(|value| packed.push_back_element(Element::Int(value)));
        self.0 = Form::small(packed.into_bytes().marked());
    }

    fn become_table(&mut self, seed: Seed) {
        let mut members = Box::new(Members { table: Table::new(seed), bytes: 0 });
        let mut scratch = Scratch::new();
        self.iter().for_each(|element| {
            members.add(element.bytes(&mut scratch));
        });
        self.0 = Form::large(members);
    }

    /// Removes a member; false if there is no such.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.view_mut() {
            ViewMut::Ints(ints) => parse_i64(member).is_some_and(|value| ints.remove(value)),
            ViewMut::Packed(packed) => match packed.find(member, 1) {
                Some(pos) => {
                    packed.remove_at(pos, 1);
                    true
                }
                None => false,
            },
            ViewMut::Table(members) => members.remove(member),
        }
    }

    /// Whether this is a member.
    pub fn contains(&self, member: &[u8]) -> bool {
        match self.view() {
            View::Ints(ints) => parse_i64(member).is_some_and(|value| ints.contains(value)),
            View::Packed(packed) => packed.find(member, 1).is_some(),
            View::Table(members) => members.contains(member),
        }
    }

    /// Whether this, as it came out of another collection, is a member.
    pub fn contains_element(&self, member: Element<'_>) -> bool {
        match (self.view(), member) {
            (View::Ints(ints), Element::Int(value)) => ints.contains(value),
            (View::Packed(packed), _) => packed.find_coded(&Coded::element(member), 1).is_some(),
            _ => self.contains(member.bytes(&mut Scratch::new())),
        }
    }

    /// All members: integers ascending, packed ones in the order they came, those of a table in no order.
    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        match self.view() {
            View::Ints(ints) => Iter::Ints(ints.iter().map(Element::Int)),
            View::Packed(packed) => Iter::Packed(packed.iter()),
            View::Table(members) => Iter::Table(members.table.iter().map(element_of)),
        }
    }

    /// Shows some members to `visit` and returns the cursor to go on with, 0 at the end. What is a member from the
    /// beginning (cursor 0) to the end is shown, whatever else comes and goes. The small forms are shown whole.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(Element<'_>)) -> u64 {
        match self.view() {
            View::Table(members) => members.table.scan(cursor, |member| visit(element_of(member))),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// A member drawn uniformly with the caller's random bits.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<Element<'_>> {
        match self.view() {
            _ if self.is_empty() => None,
            View::Ints(ints) => ints.get(below(random(), ints.len())).map(Element::Int),
            View::Packed(packed) => packed.get(below(random(), packed.len())),
            View::Table(members) => members.table.random(random).map(element_of),
        }
    }

    /// Takes a member drawn uniformly out, and shows it to `read`.
    pub fn pop_random<R>(
        &mut self,
        mut random: impl FnMut() -> u64,
        read: impl FnOnce(Element<'_>) -> R,
    ) -> Option<R> {
        match self.view_mut() {
            ViewMut::Ints(ints) if !ints.is_empty() => {
                let value = ints.get(below(random(), ints.len()))?;
                ints.remove(value);
                Some(read(Element::Int(value)))
            }
            ViewMut::Packed(packed) if !packed.is_empty() => {
                let pos = packed.seek(below(random(), packed.len()))?;
                let result = read(packed.at(pos));
                packed.remove_at(pos, 1);
                Some(result)
            }
            ViewMut::Table(members) => {
                let member = members.table.pop_random(random)?;
                members.bytes -= member.memory_bytes();
                Some(read(element_of(&member)))
            }
            _ => None,
        }
    }

    /// Shows `count` different members to `visit`, or all if there are not so many; every choice is equally likely.
    pub fn random_distinct<'a>(
        &'a self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Element<'a>),
    ) {
        match self.view() {
            View::Table(members) => {
                choose_of_table(&members.table, count, &mut random, |member| visit(element_of(member)));
            }
            _ => choose(self.iter(), self.len(), count.min(self.len()), &mut random, visit),
        }
    }

    /// Shows a random member to `visit`, `count` times; nothing if the set is empty.
    pub fn random_repeating<'a>(
        &'a self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Element<'a>),
    ) {
        if let View::Packed(packed) = self.view() {
            // Walked once, not once for every draw.
            let members: Vec<_> = packed.iter().collect();
            let count = if members.is_empty() { 0 } else { count };
            return (0..count).for_each(|_| visit(members[below(random(), members.len())]));
        }
        for _ in 0..count {
            match self.random(&mut random) {
                Some(member) => visit(member),
                None => return,
            }
        }
    }
}

fn element_of(member: &Member) -> Element<'_> {
    Element::Bytes(member.bytes())
}

/// The iterators of the forms as one.
enum Iter<A, B, C> {
    Ints(A),
    Packed(B),
    Table(C),
}

impl<'a, A, B, C> Iterator for Iter<A, B, C>
where
    A: Iterator<Item = Element<'a>>,
    B: Iterator<Item = Element<'a>>,
    C: Iterator<Item = Element<'a>>,
{
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Iter::Ints(iter) => iter.next(),
            Iter::Packed(iter) => iter.next(),
            Iter::Table(iter) => iter.next(),
        }
    }
}
