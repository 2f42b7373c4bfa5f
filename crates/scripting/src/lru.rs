//! Scripts in the order of their last use.

use crate::registry::Script;
use crate::sha::Sha;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Scripts that may go. When one was used, only its own stamp tells; its place is corrected once it is next to go. That
/// costs O(log n) for every script used in between.
#[derive(Debug, Default)]
pub(crate) struct Lru {
    /// By the stamp when it got this place, and a number.
    order: BTreeMap<(u64, u64), Arc<Script>>,
    places: HashMap<Sha, (u64, u64)>,
    next_number: u64,
    bytes: usize,
    /// 0 for as many as there are.
    entries_max: usize,
    /// 0 for as many as there are.
    bytes_max: usize,
}

impl Lru {
    pub(crate) fn set_limits(&mut self, entries_max: usize, bytes_max: usize) {
        (self.entries_max, self.bytes_max) = (entries_max, bytes_max);
    }

    /// Takes a script in, as used when its stamp says.
    pub(crate) fn push(&mut self, script: Arc<Script>) {
        self.bytes += script.bytes();
        self.place(script);
    }

    fn place(&mut self, script: Arc<Script>) {
        self.next_number += 1;
        let place = (script.used(), self.next_number);
        self.places.insert(script.sha, place);
        self.order.insert(place, script);
    }

    /// Takes a script out.
    pub(crate) fn remove(&mut self, sha: &Sha) {
        if let Some(script) = self.places.remove(sha).and_then(|place| self.order.remove(&place)) {
            self.bytes -= script.bytes();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.order.clear();
        self.places.clear();
        self.bytes = 0;
    }

    fn is_too_much(&self) -> bool {
        let too_many = self.entries_max != 0 && self.order.len() > self.entries_max;
        too_many || self.bytes_max != 0 && self.bytes > self.bytes_max
    }

    /// Takes out the script that was not used for longest, if there is too much. The last one stays, whatever its size.
    pub(crate) fn pop_excess(&mut self) -> Option<Arc<Script>> {
        while self.is_too_much() && self.order.len() > 1 {
            let ((stamp, _), script) = self.order.pop_first()?;
            self.places.remove(&script.sha);
            if script.used() == stamp {
                self.bytes -= script.bytes();
                return Some(script);
            }
            self.place(script);
        }
        None
    }
}
