//! Prefixes of keys about which clients want to hear whether they have read them or not (`BCAST`).

use crate::clients::Client;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

#[derive(Debug, Default)]
struct Prefix {
    clients: Vec<Arc<Client>>,
    /// Keys that changed since the last broadcast, and the id of the client that changed each last.
    changed: BTreeMap<Box<[u8]>, u64>,
}

/// All prefixes that somebody wants to hear about.
#[derive(Debug, Default)]
pub struct Prefixes {
    len: AtomicUsize,
    /// Whether something is to be broadcast.
    pending: AtomicBool,
    all: Mutex<BTreeMap<Box<[u8]>, Prefix>>,
}

impl Prefixes {
    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Adds a client to a prefix.
    pub fn add(&self, prefix: &[u8], client: &Arc<Client>) {
        let mut all = self.all.lock();
        let clients = &mut all.entry(prefix.into()).or_default().clients;
        if clients.iter().all(|other| other.id != client.id) {
            clients.push(client.clone());
        }
        self.len.store(all.len(), Relaxed);
    }

    /// Removes a client from all prefixes.
    pub fn remove(&self, id: u64) {
        let mut all = self.all.lock();
        all.retain(|_, prefix| {
            prefix.clients.retain(|client| client.id != id);
            !prefix.clients.is_empty()
        });
        self.len.store(all.len(), Relaxed);
    }

    /// The prefixes of a client, in ascending order.
    pub fn of(&self, id: u64) -> Vec<Box<[u8]>> {
        let all = self.all.lock();
        let own = all.iter().filter(|(_, prefix)| prefix.clients.iter().any(|client| client.id == id));
        own.map(|(name, _)| name.clone()).collect()
    }

    /// Notes that a client, or nobody, changed a key. O(prefixes).
    pub fn note(&self, key: &[u8], origin: u64) {
        for (name, prefix) in &mut *self.all.lock() {
            if key.starts_with(name) {
                prefix.changed.insert(key.into(), origin);
                self.pending.store(true, Relaxed);
            }
        }
    }

    /// Whether something is to be broadcast.
    #[inline]
    pub fn is_pending(&self) -> bool {
        self.pending.load(Relaxed)
    }

    /// Hands out what has changed since the last time, for each client of each prefix: its keys, in ascending order,
    /// with who changed them.
    pub fn broadcast(&self, mut send: impl FnMut(&Arc<Client>, &BTreeMap<Box<[u8]>, u64>)) {
        self.pending.store(false, Relaxed);
        for prefix in self.all.lock().values_mut() {
            let changed = std::mem::take(&mut prefix.changed);
            if !changed.is_empty() {
                prefix.clients.iter().for_each(|client| send(client, &changed));
            }
        }
    }
}
