//! Sorted sets: members with a score, in the order of scores, and of their bytes where scores are equal.
//!
//! Small sets are one byte buffer, large ones a table and a counting tree. Ranges, whatever they are given by, become
//! ranges of ranks first; what is counted, read or removed is a range of ranks.

mod bounds;
mod compact;
mod iter;
mod large;
mod member;
mod sample;
#[cfg(test)]
mod tests;
mod tree;

pub use bounds::{LexBound, LexRange, ScoreBound, ScoreRange};
pub use iter::Iter;

use crate::form::{Form, FormMut, FormRef};
use crate::table::Seed;
use compact::Compact;
use iter::Walk;
use large::Large;
use std::ops::Range;

/// How large a sorted set may become before it leaves its small form, which it does not enter again by removals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortedSetLimits {
    /// The most members of a small set.
    pub entries_max: usize,
    /// The longest member of a small set, in bytes.
    pub member_max: usize,
}

impl Default for SortedSetLimits {
    fn default() -> Self {
        Self { entries_max: 128, member_max: 64 }
    }
}

/// Conditions of [`SortedSet::add`]. The caller refuses what contradicts itself (`nx` with `xx`, `gt` or `lt`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddFlags {
    /// Only if the member is not there.
    pub nx: bool,
    /// Only if the member is there.
    pub xx: bool,
    /// A member that is there gets greater scores only.
    pub gt: bool,
    /// A member that is there gets lesser scores only.
    pub lt: bool,
    /// The score is added to the member's score.
    pub incr: bool,
}

/// What [`SortedSet::add`] did, with the score as the command answers it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AddOutcome {
    /// The member is new.
    Added(f64),
    /// The member got another score.
    Updated(f64),
    /// The member has an equal score already.
    Unchanged(f64),
    /// A condition did not hold.
    Skipped,
    /// The score, or the sum, is not a number; nothing was done.
    NotANumber,
}

/// A sorted set.
pub struct SortedSet(Form<Compact, Large>);

impl Default for SortedSet {
    fn default() -> Self {
        Self(Form::small(Compact::default()))
    }
}

impl SortedSet {
    /// Where its memory begins, if it has any: what is worth prefetching.
    #[inline]
    pub(crate) fn address(&self) -> *const u8 {
        self.0.address()
    }

    /// An empty set. It allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of members. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        match self.0.get() {
            FormRef::Small(compact) => compact.len(),
            FormRef::Large(large) => large.tree.len(),
        }
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The name of the form: `listpack` for the small one, `skiplist` for the large one.
    pub fn encoding_name(&self) -> &'static str {
        match self.0.get() {
            FormRef::Small(_) => "listpack",
            FormRef::Large(_) => "skiplist",
        }
    }

    /// Whether it has the small form.
    pub fn is_small(&self) -> bool {
        matches!(self.0.get(), FormRef::Small(_))
    }

    /// The memory on the heap, in bytes. O(1).
    pub fn memory_bytes(&self) -> usize {
        match self.0.get() {
            FormRef::Small(compact) => compact.memory_bytes(),
            FormRef::Large(large) => large.memory_bytes(),
        }
    }

    /// Adds a member, or changes its score. O(log n), O(n) in the small form.
    ///
    /// A set that outgrows the limits takes its large form, whose hashes are made under `seed`. The small form does
    /// not keep the sign of a zero.
    pub fn add(
        &mut self,
        member: &[u8],
        score: f64,
        flags: AddFlags,
        limits: SortedSetLimits,
        seed: Seed,
    ) -> AddOutcome {
        if score.is_nan() {
            return AddOutcome::NotANumber;
        }
        let compact = match self.0.get_mut() {
            FormMut::Large(large) => return large.upsert(member, |current| decide(current, score, flags)),
            FormMut::Small(compact) => compact,
        };
        let found = compact.find(member).map(|(_, entry)| entry);
        let (new_score, outcome) = decide(found.map(|entry| entry.score), score, flags);
        let Some(new_score) = new_score else { return outcome };
        if let Some(place) = found.map(|entry| entry.place) {
            compact.remove_at(place);
            compact.insert(member, new_score);
        } else if compact.len() < limits.entries_max
            && member.len() <= limits.member_max
            && compact.has_room(member.len())
        {
            compact.insert(member, new_score);
        } else {
            self.enlarge(seed).upsert(member, |_| (Some(new_score), ()));
        }
        outcome
    }

    /// The score of a member. O(1), O(n) in the small form.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self.0.get() {
            FormRef::Small(compact) => compact.find(member).map(|(_, entry)| entry.score),
            FormRef::Large(large) => large.score(member),
        }
    }

    /// The number of members before this one, or after it if `reverse`, and its score. O(log n), O(n) in the small
    /// form.
    pub fn rank(&self, member: &[u8], reverse: bool) -> Option<(usize, f64)> {
        let (rank, score) = match self.0.get() {
            FormRef::Small(compact) => compact.find(member).map(|(rank, entry)| (rank, entry.score))?,
            FormRef::Large(large) => {
                let score = large.score(member)?;
                (large.tree.rank(score, member), score)
            }
        };
        Some((if reverse { self.len() - 1 - rank } else { rank }, score))
    }

    /// Removes a member and returns its score. O(log n), O(n) in the small form.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self.0.get_mut() {
            FormMut::Small(compact) => compact.remove(member),
            FormMut::Large(large) => large.remove(member),
        }
    }

    /// The ranks of the members with scores in the range. O(log n), O(n) in the small form.
    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        let (start, end) = match self.0.get() {
            FormRef::Small(compact) => (
                compact.count_while(|entry| range.is_below(entry.score)),
                compact.count_while(|entry| range.is_within_max(entry.score)),
            ),
            FormRef::Large(large) => (
                large.tree.count_scores(|score| range.is_below(score)),
                large.tree.count_scores(|score| range.is_within_max(score)),
            ),
        };
        start.min(end)..end
    }

    /// The ranks of the members in the range, in a set whose scores are all equal. O(log n), O(n) in the small form.
    ///
    /// With different scores the members are in no order of their own: a small set answers then as the server does,
    /// which walks from one end (the last, if `reverse`) to the first member within, and on to the first that is not;
    /// a large one answers some range.
    pub fn ranks_by_lex(&self, range: &LexRange<'_>, reverse: bool) -> Range<usize> {
        match self.0.get() {
            FormRef::Small(compact) => compact_ranks_by_lex(compact, range, reverse),
            FormRef::Large(large) => {
                let start = large.tree.count_members(|member| range.is_below(member));
                let end = large.tree.count_members(|member| range.is_within_max(member));
                start.min(end)..end
            }
        }
    }

    /// The members of a range of ranks, which is cut to those there are, from its last on if `reverse`. O(log n) to
    /// begin with, O(n) in the small form; O(1) for each member.
    pub fn iter_ranks(&self, ranks: Range<usize>, reverse: bool) -> Iter<'_> {
        let Range { start, end } = clamp(ranks, self.len());
        let from = if reverse { end } else { start };
        let walk = match self.0.get() {
            FormRef::Small(compact) => Walk::Compact(compact.walk(from)),
            FormRef::Large(large) => Walk::Large(large.tree.walk(from)),
        };
        Iter { walk, left: end - start, reverse }
    }

    /// All members in order.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_ranks(0..usize::MAX, false)
    }

    /// Removes the members of a range of ranks, which is cut to those there are, visits them in order, and returns
    /// their number. O(m log n) for m members, O(n) in the small form.
    pub fn remove_ranks(&mut self, ranks: Range<usize>, mut visit: impl FnMut(&[u8], f64)) -> usize {
        let Range { start, end } = clamp(ranks, self.len());
        match self.0.get_mut() {
            FormMut::Small(compact) => compact.remove_ranks(start, end - start, visit),
            FormMut::Large(large) => (start..end).for_each(|_| large.remove_rank(start, &mut visit)),
        }
        end - start
    }

    /// Removes the first member, visits it, and says whether there was one. O(log n), O(n) in the small form.
    pub fn pop_min(&mut self, visit: impl FnMut(&[u8], f64)) -> bool {
        self.remove_ranks(0..1, visit) == 1
    }

    /// Removes the last member, visits it, and says whether there was one. O(log n), O(n) in the small form.
    pub fn pop_max(&mut self, visit: impl FnMut(&[u8], f64)) -> bool {
        let len = self.len();
        self.remove_ranks(len.saturating_sub(1)..len, visit) == 1
    }

    /// Visits some members and says where to go on: 0 at the end, and to begin. A member that is there from the
    /// beginning to the end of an iteration is visited. O(1); a small set is visited at once.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        match self.0.get() {
            FormRef::Small(compact) => {
                compact.iter().for_each(|entry| visit(entry.member, entry.score));
                0
            }
            FormRef::Large(large) => large.scan(cursor, visit),
        }
    }

    /// Takes the small form if the limits allow it: for results that were collected in one go. O(n) if so.
    pub fn compact_if_fits(&mut self, limits: SortedSetLimits) {
        let FormRef::Large(large) = self.0.get() else { return };
        if large.tree.len() > limits.entries_max
            || self.iter().any(|(member, _)| member.len() > limits.member_max)
        {
            return;
        }
        let mut compact = Compact::default();
        for (member, score) in self.iter() {
            if !compact.has_room(member.len()) {
                return;
            }
            compact.insert(member, score);
        }
        self.0 = Form::small(compact);
    }

    /// Takes the large form.
    fn enlarge(&mut self, seed: Seed) -> &mut Large {
        if let FormRef::Small(compact) = self.0.get() {
            let mut large = Box::new(Large::new(seed));
            for entry in compact.iter() {
                large.upsert(entry.member, |_| (Some(entry.score), ()));
            }
            self.0 = Form::large(large);
        }
        match self.0.get_mut() {
            FormMut::Large(large) => large,
            FormMut::Small(_) => unreachable!("the large form was just taken"),
        }
    }
}

impl Clone for SortedSet {
    /// A copy in the same form. O(n log n).
    fn clone(&self) -> Self {
        match self.0.get() {
            FormRef::Small(compact) => Self(Form::small(compact.clone())),
            FormRef::Large(large) => {
                let mut copy = Box::new(Large::new(large.seed()));
                for (member, score) in self.iter() {
                    copy.upsert(member, |_| (Some(score), ()));
                }
                Self(Form::large(copy))
            }
        }
    }
}

impl std::fmt::Debug for SortedSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SortedSet")
            .field("len", &self.len())
            .field("encoding", &self.encoding_name())
            .finish()
    }
}

/// The new score, if it is to be stored, and the outcome.
#[inline]
fn decide(current: Option<f64>, score: f64, flags: AddFlags) -> (Option<f64>, AddOutcome) {
    let Some(current) = current else {
        return if flags.xx { (None, AddOutcome::Skipped) } else { (Some(score), AddOutcome::Added(score)) };
    };
    if flags.nx {
        return (None, AddOutcome::Skipped);
    }
    let score = if flags.incr { current + score } else { score };
    if score.is_nan() {
        (None, AddOutcome::NotANumber)
    } else if (flags.lt && score >= current) || (flags.gt && score <= current) {
        (None, AddOutcome::Skipped)
    } else if score == current {
        (None, AddOutcome::Unchanged(score))
    } else {
        (Some(score), AddOutcome::Updated(score))
    }
}

fn clamp(ranks: Range<usize>, len: usize) -> Range<usize> {
    let end = ranks.end.min(len);
    ranks.start.min(end)..end
}

/// The server's walk over a small set, which may have different scores.
fn compact_ranks_by_lex(compact: &Compact, range: &LexRange<'_>, reverse: bool) -> Range<usize> {
    let mut ends = (compact.walk(0), compact.walk(compact.len()));
    let (Some(first), Some(last)) = (ends.0.next(), ends.1.previous()) else { return 0..0 };
    if range.is_below(last.member) || !range.is_within_max(first.member) {
        return 0..0;
    }
    if reverse {
        let mut walk = compact.walk(compact.len());
        let beyond = std::iter::from_fn(|| walk.previous())
            .take_while(|entry| !range.is_within_max(entry.member))
            .count();
        let end = compact.len() - beyond;
        let mut walk = compact.walk(end);
        let within =
            std::iter::from_fn(|| walk.previous()).take_while(|entry| !range.is_below(entry.member)).count();
        end - within..end
    } else {
        let start = compact.count_while(|entry| range.is_below(entry.member));
        let within = compact.walk(start).take_while(|entry| range.is_within_max(entry.member)).count();
        start..start + within
    }
}
