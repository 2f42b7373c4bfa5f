//! The large form of a sorted set: a table from member to score, and a tree of their order.

use super::member::Member;
use super::tree::Tree;
use crate::table::{Seed, Slot, Table};

pub(super) struct Large {
    /// Points into the table's members, so it is changed first when a member goes.
    pub(super) tree: Tree,
    table: Table<Member>,
    /// The members' allocations, in bytes.
    members_bytes: usize,
}

impl Large {
    pub(super) fn new(seed: Seed) -> Self {
        Self { tree: Tree::new(), table: Table::new(seed), members_bytes: 0 }
    }

    pub(super) fn seed(&self) -> Seed {
        self.table.seed()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.tree.memory_bytes() + self.table.memory_bytes() + self.members_bytes
    }

    #[inline]
    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.table.get(self.table.hash(member), member).map(Member::score)
    }

    /// Adds a member, or changes its score, as `decide` says when it is given the current score.
    pub(super) fn upsert<R>(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> (Option<f64>, R),
    ) -> R {
        match self.table.find_or_reserve(self.table.hash(member), member) {
            Slot::Occupied(found) => {
                let (score, result) = decide(Some(found.score()));
                if let Some(score) = score {
                    // SAFETY: the table's member leaves the tree before it leaves the table.
                    unsafe { self.tree.update(found.score(), found.handle(), score) };
                    found.set_score(score);
                }
                result
            }
            Slot::Vacant(slot) => {
                let (score, result) = decide(None);
                if let Some(score) = score {
                    let inserted = slot.insert(Member::new(member, score));
                    self.members_bytes += inserted.allocated();
                    // SAFETY: as above.
                    unsafe { self.tree.insert(score, inserted.handle()) };
                }
                result
            }
        }
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let slot = self.table.find_mut(self.table.hash(member), member)?;
        let score = slot.get().score();
        self.tree.remove(score, member);
        self.members_bytes -= slot.remove().allocated();
        Some(score)
    }

    /// Removes the member of a rank below the length.
    pub(super) fn remove_rank(&mut self, rank: usize, visit: impl FnOnce(&[u8], f64)) {
        let (member, score) = self.tree.walk(rank).next();
        let hash = self.table.hash(member);
        let Some(slot) = self.table.find_mut(hash, member) else {
            return debug_assert!(false, "not in the table");
        };
        self.tree.remove_rank(rank);
        let removed = slot.remove();
        self.members_bytes -= removed.allocated();
        visit(removed.bytes(), score);
    }

    pub(super) fn scan(&self, cursor: u64, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        self.table.scan(cursor, |member| visit(member.bytes(), member.score()))
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        self.tree.check();
        assert_eq!(self.tree.len(), self.table.len());
        assert_eq!(self.members_bytes, self.table.iter().map(Member::allocated).sum());
        for member in self.table.iter() {
            let rank = self.tree.rank(member.score(), member.bytes());
            let (found, score) = self.tree.walk(rank).next();
            assert_eq!(found.as_ptr(), member.bytes().as_ptr());
            assert_eq!(score.to_bits(), member.score().to_bits());
        }
    }
}
