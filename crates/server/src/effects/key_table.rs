//! Who wants to hear of which keys of a shard: watchers and waiting clients.

use moonshard_engine::effects::Audience;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Listeners of one shard by key, in the order in which they came. Whoever must not miss a change is added under the
/// shard's lock.
#[derive(Debug)]
pub struct KeyTable<T> {
    audience: Arc<Audience>,
    len: AtomicUsize,
    by_key: Mutex<ByKey<T>>,
}

/// The listeners of each key, with the databases that they mean.
type ByKey<T> = HashMap<Box<[u8]>, Vec<(usize, T)>>;

impl<T: Clone> KeyTable<T> {
    /// An empty table of a shard that tells `audience`.
    pub fn new(audience: Arc<Audience>) -> Self {
        Self { audience, len: AtomicUsize::new(0), by_key: Mutex::default() }
    }

    /// Whether nobody listens.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len.load(Relaxed) == 0
    }

    /// Adds a listener to a key of a database.
    pub fn add(&self, db: usize, key: &[u8], listener: T) {
        let mut by_key = self.by_key.lock();
        match by_key.get_mut(key) {
            Some(listeners) => listeners.push((db, listener)),
            None => drop(by_key.insert(key.into(), vec![(db, listener)])),
        }
        self.len.fetch_add(1, Relaxed);
        self.audience.hear_events(true);
    }

    /// Removes a key's listeners that are meant.
    pub fn remove(&self, db: usize, key: &[u8], is_meant: impl Fn(&T) -> bool) {
        let mut by_key = self.by_key.lock();
        let Some(listeners) = by_key.get_mut(key) else { return };
        let before = listeners.len();
        listeners.retain(|(of, listener)| *of != db || !is_meant(listener));
        let removed = before - listeners.len();
        if listeners.is_empty() {
            by_key.remove(key);
        }
        self.len.fetch_sub(removed, Relaxed);
        for _ in 0..removed {
            self.audience.hear_events(false);
        }
    }

    /// The listeners of a key, in the order in which they came.
    pub fn of(&self, db: usize, key: &[u8]) -> Vec<T> {
        if self.is_empty() {
            return Vec::new();
        }
        let by_key = self.by_key.lock();
        let all = by_key.get(key).into_iter().flatten();
        all.filter(|(of, _)| *of == db).map(|(_, listener)| listener.clone()).collect()
    }

    /// Whether somebody listens to a key.
    pub fn has(&self, db: usize, key: &[u8]) -> bool {
        !self.is_empty() && self.by_key.lock().get(key).is_some_and(|all| all.iter().any(|(of, _)| *of == db))
    }

    /// Every listener to a key of a database.
    pub fn in_database(&self, db: usize) -> Vec<(Box<[u8]>, T)> {
        if self.is_empty() {
            return Vec::new();
        }
        let by_key = self.by_key.lock();
        let each = by_key.iter().flat_map(|(key, all)| all.iter().map(move |listener| (key, listener)));
        each.filter(|(_, (of, _))| *of == db)
            .map(|(key, (_, listener))| (key.clone(), listener.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_told_apart_by_key_and_database_and_keep_their_order() {
        let audience = Arc::new(Audience::default());
        let table = KeyTable::new(audience.clone());
        for (db, key, listener) in [(0, "a", 1), (1, "a", 2), (0, "b", 3), (0, "a", 4)] {
            table.add(db, key.as_bytes(), listener);
        }
        assert_eq!((table.of(0, b"a"), table.of(1, b"a"), table.of(1, b"b")), (vec![1, 4], vec![2], vec![]));
        assert!(table.has(0, b"b") && !table.has(1, b"b"));
        let mut all = table.in_database(0);
        all.sort();
        assert_eq!(all, [(b"a"[..].into(), 1), (b"a"[..].into(), 4), (b"b"[..].into(), 3)]);
        table.remove(0, b"a", |&listener| listener == 1);
        table.remove(0, b"a", |&listener| listener == 2);
        assert_eq!(table.of(0, b"a"), [4]);
        for key in ["a", "b"] {
            table.remove(0, key.as_bytes(), |_| true);
        }
        assert!(audience.hears_events() && !table.is_empty());
        table.remove(1, b"a", |_| true);
        assert!(!audience.hears_events() && table.is_empty());
    }
}
