//! WATCH: clients whose next EXEC fails when a key has changed.

use crate::server::Server;
use crate::shards::ShardState;
use moonshard_engine::effects::Event;
use moonshard_engine::slot::{shard_of_slot, slot};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What a client watches, until its next EXEC.
#[derive(Debug, Default)]
pub struct Watch {
    /// Whether a key has changed.
    touched: AtomicBool,
}

/// A client that watches a key.
#[derive(Clone, Debug)]
pub struct Watcher {
    watch: Arc<Watch>,
    /// Whether the key was there when it was first watched; until the watch is touched, it still is, or is not.
    existed: bool,
}

/// A connection's watched keys.
#[derive(Debug, Default)]
pub struct Watched {
    watch: Arc<Watch>,
    keys: Vec<(usize, Box<[u8]>, bool)>,
}

impl Watched {
    /// Whether a key has changed.
    pub fn is_touched(&self) -> bool {
        self.watch.touched.load(Relaxed)
    }

    /// How many keys are watched.
    pub const fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether a key is watched.
    pub fn has(&self, db: usize, key: &[u8]) -> bool {
        self.keys.iter().any(|(of, watched, _)| *of == db && **watched == *key)
    }

    /// The keys with their databases, and whether they were there.
    pub fn keys(&self) -> impl Iterator<Item = (usize, &[u8], bool)> {
        self.keys.iter().map(|(db, key, existed)| (*db, &**key, *existed))
    }

    /// Watches one more key; its shard is locked.
    pub fn add(&mut self, server: &Server, db: usize, key: &[u8], existed: bool) {
        let shard = shard_of_slot(slot(key), server.shards.len());
        server.shards[shard].watched.add(db, key, Watcher { watch: self.watch.clone(), existed });
        self.keys.push((db, key.into(), existed));
    }

    /// Watches nothing any more, and forgets what has changed.
    pub fn clear(&mut self, server: &Server) {
        for (db, key, _) in self.keys.drain(..) {
            let shard = shard_of_slot(slot(&key), server.shards.len());
            server.shards[shard].watched.remove(db, &key, |other| Arc::ptr_eq(&other.watch, &self.watch));
        }
        self.watch = Arc::default();
    }
}

impl Server {
    /// Tells watchers of a change of one key.
    pub(super) fn touch_key(&self, shard: usize, event: &Event) {
        for watcher in self.shards[shard].watched.of(event.db, &event.key) {
            watcher.watch.touched.store(true, Relaxed);
        }
    }

    /// Tells watchers that a database of a shard was emptied or has changed places with another: a key that neither
    /// was there nor is there now has not changed.
    pub(super) fn touch_database(&self, index: usize, state: &ShardState, db: usize, now_ms: u64) {
        for (key, watcher) in self.shards[index].watched.in_database(db) {
            if watcher.existed || state.shard.holds(db, &key, now_ms) {
                watcher.watch.touched.store(true, Relaxed);
            }
        }
    }
}
