//! The keys of a shard that clients have read, and by whom.

use std::collections::HashMap;
use std::sync::Arc;

/// A key's place in the list, and the ids of its readers in ascending order.
#[derive(Debug)]
struct Readers {
    at: usize,
    ids: Vec<u64>,
}

/// Keys with their readers. Databases are not told apart, as in Redis.
#[derive(Debug, Default)]
pub struct Table {
    readers: HashMap<Arc<[u8]>, Readers>,
    /// All keys, to draw one from.
    keys: Vec<Arc<[u8]>>,
}

/// What a table has more than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// Whether the key is new.
    pub key: bool,
    /// Whether the reader is new to the key.
    pub item: bool,
}

impl Table {
    /// Notes that a client has read a key. O(log readers), but for a new one.
    pub fn remember(&mut self, key: &[u8], id: u64) -> Growth {
        match self.readers.get_mut(key) {
            Some(readers) => match readers.ids.binary_search(&id) {
                Ok(_) => Growth::default(),
                Err(at) => {
                    readers.ids.insert(at, id);
                    Growth { key: false, item: true }
                }
            },
            None => {
                let key: Arc<[u8]> = key.into();
                self.readers.insert(key.clone(), Readers { at: self.keys.len(), ids: vec![id] });
                self.keys.push(key);
                Growth { key: true, item: true }
            }
        }
    }

    /// Forgets a key; its readers.
    pub fn forget(&mut self, key: &[u8]) -> Option<Vec<u64>> {
        let Readers { at, ids } = self.readers.remove(key)?;
        self.keys.swap_remove(at);
        if let Some(moved) = self.keys.get(at)
            && let Some(readers) = self.readers.get_mut(moved)
        {
            readers.at = at;
        }
        Some(ids)
    }

    /// A key, drawn by a number below [`Table::len`].
    pub fn key(&self, number: usize) -> Option<Arc<[u8]>> {
        self.keys.get(number).cloned()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_forgotten_one_by_one() {
        let mut table = Table::default();
        for (key, id) in [("a", 2), ("b", 1), ("c", 1), ("a", 1), ("a", 2)] {
            table.remember(key.as_bytes(), id);
        }
        assert_eq!(table.remember(b"a", 1), Growth::default());
        assert_eq!(table.remember(b"a", 3), Growth { key: false, item: true });
        assert_eq!(table.forget(b"a"), Some(vec![1, 2, 3]));
        assert_eq!((table.forget(b"a"), table.len()), (None, 2));
        assert_eq!((table.forget(b"c"), table.key(0).as_deref()), (Some(vec![1]), Some(&b"b"[..])));
        assert_eq!((table.forget(b"b"), table.key(0)), (Some(vec![1]), None));
    }
}
