//! Sets: sorted integers, a packed sequence of a few short members, or a table.

mod member;
#[cfg(test)]
mod tests;

use std::mem::size_of;

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
#[derive(Debug)]
pub struct Set(Repr);

enum Repr {
    Ints(IntSet),
    Packed(Packed),
    Table(Box<Members>),
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

impl std::fmt::Debug for Repr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Repr::Ints(ints) => ints.fmt(f),
            Repr::Packed(packed) => packed.fmt(f),
            Repr::Table(members) => f.debug_set().entries(members.table.iter().map(Member::bytes)).finish(),
        }
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Set {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            Repr::Ints(ints) => Repr::Ints(ints.clone()),
            Repr::Packed(packed) => Repr::Packed(packed.clone()),
            Repr::Table(members) => {
                let mut copy = Members { table: Table::new(members.table.seed()), bytes: members.bytes };
                for member in members.table.iter() {
                    copy.table.insert_unique(copy.table.hash(member.bytes()), member.clone());
                }
                Repr::Table(Box::new(copy))
            }
        })
    }
}

impl Set {
    /// An empty set, which is one of integers; allocates nothing.
    pub const fn new() -> Self {
        Self(Repr::Ints(IntSet::new()))
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Ints(ints) => ints.len(),
            Repr::Packed(packed) => packed.len(),
            Repr::Table(members) => members.table.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What Redis 7.0 calls this encoding. It has no packed form: that goes as a hash table.
    pub fn encoding_name(&self) -> &'static str {
        match self.0 {
            Repr::Ints(_) => "intset",
            Repr::Packed(_) | Repr::Table(_) => "hashtable",
        }
    }

    /// The integers, in the form of a set of integers.
    pub fn ints(&self) -> Option<&IntSet> {
        match &self.0 {
            Repr::Ints(ints) => Some(ints),
            _ => None,
        }
    }

    /// Bytes of all allocations, the set's own box left out. O(1).
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Repr::Ints(ints) => ints.memory_bytes(),
            Repr::Packed(packed) => packed.memory_bytes(),
            Repr::Table(members) => size_of::<Members>() + members.table.memory_bytes() + members.bytes,
        }
    }

    /// Adds a member; false if it is one already. `seed` is what a table is hashed with, if the set becomes one here.
    pub fn add(&mut self, member: &[u8], limits: SetLimits, seed: Seed) -> bool {
        match &mut self.0 {
            Repr::Ints(ints) => match parse_i64(member) {
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
            Repr::Packed(packed) => {
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
            Repr::Table(members) => return members.add(member),
        }
        self.add(member, limits, seed)
    }

    /// Adds a member as it came out of another collection; false if it is one already.
    pub fn add_element(&mut self, member: Element<'_>, limits: SetLimits, seed: Seed) -> bool {
        self.add(member.bytes(&mut Scratch::new()), limits, seed)
    }

    /// Turns integers into the form that has room for so many members more, the longest of this length.
    fn leave_ints(&mut self, more: usize, len_max: usize, limits: SetLimits, seed: Seed) {
        let Repr::Ints(ints) = &self.0 else { return };
        // The longest texts are those of the two ends.
        let ends = [ints.get(0), ints.get(ints.len().wrapping_sub(1))].into_iter().flatten();
        let longest = ends.map(|value| Element::Int(value).len()).fold(len_max, usize::max);
        if ints.len() + more > limits.packed_entries || longest > limits.packed_len {
            return self.become_table(seed);
        }
        let mut packed = Packed::new();
        ints.iter().for_each(|value| packed.push_back_element(Element::Int(value)));
        self.0 = Repr::Packed(packed);
    }

    fn become_table(&mut self, seed: Seed) {
        let mut members = Box::new(Members { table: Table::new(seed), bytes: 0 });
        let mut scratch = Scratch::new();
        self.iter().for_each(|element| {
            members.add(element.bytes(&mut scratch));
        });
        self.0 = Repr::Table(members);
    }

    /// Removes a member; false if there is no such.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Repr::Ints(ints) => parse_i64(member).is_some_and(|value| ints.remove(value)),
            Repr::Packed(packed) => match packed.find(member, 1) {
                Some(pos) => {
                    packed.remove_at(pos, 1);
                    true
                }
                None => false,
            },
            Repr::Table(members) => members.remove(member),
        }
    }

    /// Whether this is a member.
    pub fn contains(&self, member: &[u8]) -> bool {
        match &self.0 {
            Repr::Ints(ints) => parse_i64(member).is_some_and(|value| ints.contains(value)),
            Repr::Packed(packed) => packed.find(member, 1).is_some(),
            Repr::Table(members) => members.contains(member),
        }
    }

    /// Whether this, as it came out of another collection, is a member.
    pub fn contains_element(&self, member: Element<'_>) -> bool {
        match (&self.0, member) {
            (Repr::Ints(ints), Element::Int(value)) => ints.contains(value),
            (Repr::Packed(packed), _) => packed.find_coded(&Coded::element(member), 1).is_some(),
            _ => self.contains(member.bytes(&mut Scratch::new())),
        }
    }

    /// All members: integers ascending, packed ones in the order they came, those of a table in no order.
    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        match &self.0 {
            Repr::Ints(ints) => Iter::Ints(ints.iter().map(Element::Int)),
            Repr::Packed(packed) => Iter::Packed(packed.iter()),
            Repr::Table(members) => Iter::Table(members.table.iter().map(element_of)),
        }
    }

    /// Shows some members to `visit` and returns the cursor to go on with, 0 at the end. What is a member from the
    /// beginning (cursor 0) to the end is shown, whatever else comes and goes. The small forms are shown whole.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(Element<'_>)) -> u64 {
        match &self.0 {
            Repr::Table(members) => members.table.scan(cursor, |member| visit(element_of(member))),
            _ => {
                self.iter().for_each(visit);
                0
            }
        }
    }

    /// A member drawn uniformly with the caller's random bits.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<Element<'_>> {
        match &self.0 {
            _ if self.is_empty() => None,
            Repr::Ints(ints) => ints.get(below(random(), ints.len())).map(Element::Int),
            Repr::Packed(packed) => packed.get(below(random(), packed.len())),
            Repr::Table(members) => members.table.random(random).map(element_of),
        }
    }

    /// Takes a member drawn uniformly out, and shows it to `read`.
    pub fn pop_random<R>(
        &mut self,
        mut random: impl FnMut() -> u64,
        read: impl FnOnce(Element<'_>) -> R,
    ) -> Option<R> {
        match &mut self.0 {
            Repr::Ints(ints) if !ints.is_empty() => {
                let value = ints.get(below(random(), ints.len()))?;
                ints.remove(value);
                Some(read(Element::Int(value)))
            }
            Repr::Packed(packed) if !packed.is_empty() => {
                let pos = packed.seek(below(random(), packed.len()))?;
                let result = read(packed.at(pos));
                packed.remove_at(pos, 1);
                Some(result)
            }
            Repr::Table(members) => {
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
        match &self.0 {
            Repr::Table(members) => {
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
        if let Repr::Packed(packed) = &self.0 {
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
