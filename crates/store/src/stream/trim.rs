//! Trimming a stream at its head.

use super::{Stream, StreamId};

/// Down to where a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrimTo {
    /// This many entries stay.
    Len(u64),
    /// Entries from this id on stay.
    Id(StreamId),
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// Down to where.
    pub to: TrimTo,
    /// Only whole nodes go: cheap, and more may stay than was asked for.
    pub approximate: bool,
    /// Most entries that go; 0 for no limit.
    pub limit: u64,
}

impl Stream {
    /// Removes entries from the head. Returns how many went. Whole nodes go at once: O(nodes that go).
    pub fn trim(&mut self, trim: &Trim) -> usize {
        let mut removed = 0;
        while let Some(node) = self.nodes.first() {
            let live = node.live();
            if matches!(trim.to, TrimTo::Len(len) if self.len as u64 <= len)
                || trim.limit > 0 && (removed + live) as u64 > trim.limit
            {
                break;
            }
            let goes_whole = match trim.to {
                TrimTo::Len(len) => (self.len - live) as u64 >= len,
                TrimTo::Id(id) => node.last_id() < id,
            };
            if goes_whole {
                self.nodes.pop_first();
                self.len -= live;
                removed += live;
                continue;
            }
            if !trim.approximate {
                removed += self.trim_first_node(trim.to);
            }
            break;
        }
        if removed > 0 {
            self.find_first_id();
        }
        removed
    }

    /// Marks as deleted what has to go of the first node, which is not all of it.
    fn trim_first_node(&mut self, to: TrimTo) -> usize {
        let Some(node) = self.nodes.first_mut() else { return 0 };
        let removed = match to {
            TrimTo::Len(len) => {
                let mut surplus = (self.len as u64).saturating_sub(len);
                node.delete_while(|_| {
                    let goes = surplus > 0;
                    surplus = surplus.saturating_sub(1);
                    goes
                })
            }
            TrimTo::Id(first) => node.delete_while(|id| id < first),
        };
        self.len -= removed;
        removed
    }
}
