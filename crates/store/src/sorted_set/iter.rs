//! Iteration over a range of ranks, in either direction.

use super::{compact, tree};
use std::iter::FusedIterator;

/// Members with their scores, from [`super::SortedSet::iter_ranks`]. It knows its length.
#[derive(Clone)]
pub struct Iter<'a> {
    pub(super) walk: Walk<'a>,
    pub(super) left: usize,
    pub(super) reverse: bool,
}

#[derive(Clone)]
pub(super) enum Walk<'a> {
    Compact(compact::Walk<'a>),
    Large(tree::Walk<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        match &mut self.walk {
            Walk::Compact(walk) => {
                let entry = if self.reverse { walk.previous() } else { walk.next() };
                entry.map(|entry| (entry.member, entry.score))
            }
            Walk::Large(walk) => Some(if self.reverse { walk.previous() } else { walk.next() }),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
impl FusedIterator for Iter<'_> {}
