//! The keys of a session that works on copies: each is copied when a command first names it.

use crate::server::{Server, unix_ms};
use moonshard_engine::command::{Entry, Route};
use moonshard_engine::keyspace::Keyspace;
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, Error};
use moonshard_lock::lock_all;
use moonshard_scripting::KeySource;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::runtime::Handle;

/// Most keys that are copied for a command that looks at all of them.
const KEYS_MAX: usize = 1_000_000;
/// Most bytes of such copies.
const BYTES_MAX: usize = 1 << 30;
/// Keys that are copied under one hold of a shard's lock, about.
const KEYS_A_HOLD: usize = 64;

const TOO_MANY: Error = Error::fixed(
    "ERR The debugger copies up to 1000000 keys and 1073741824 bytes for commands over all keys: debug with SCRIPT \
     DEBUG SYNC",
);

/// Copies keys out of the shards, each at most once: from then on the session's own is the one that counts.
pub struct KeyCopies {
    server: Arc<Server>,
    runtime: Handle,
    copied: HashSet<Box<[u8]>>,
    /// Whether every key was copied.
    complete: bool,
}

type Copy = moonshard_store::Entry;

impl KeyCopies {
    /// No copies yet. `runtime` is where this waits for shards.
    pub fn new(server: Arc<Server>, runtime: Handle) -> Self {
        Self { server, runtime, copied: HashSet::new(), complete: false }
    }

    /// Copies those of the keys that were not copied yet, all at one moment, from all databases.
    ///
    /// # Errors
    /// `BUSY`, as long as a script is busy on one of their shards.
    pub fn copy(&mut self, keys: &mut Keyspace<'_>, names: &[&[u8]]) -> Result<(), Error> {
        let mut missing: Vec<&[u8]> = names.to_vec();
        missing.retain(|&name| !self.complete && !self.copied.contains(name));
        if missing.is_empty() {
            return Ok(());
        }
        let count = self.server.shards.len();
        let mut shards: Vec<usize> = missing.iter().map(|name| shard_of_slot(slot(name), count)).collect();
        shards.sort_unstable();
        shards.dedup();
        let mut found: Vec<(usize, Copy)> = Vec::new();
        {
            let locks = lock_all(&self.server.shards, &shards);
            let guards = self.runtime.block_on(locks).map_err(|_| self.server.busy_error(&shards))?;
            let now_ms = unix_ms();
            for &name in &missing {
                let index = shard_of_slot(slot(name), count);
                let Some((_, state)) = guards.iter().find(|(of, _)| *of == index) else { continue };
                let copies = (0..state.shard.databases.len())
                    .filter_map(|db| Some((db, state.shard.entry(db, name, now_ms)?.clone())));
                found.extend(copies);
            }
        }
        self.copied.extend(missing.into_iter().map(Box::from));
        insert(keys, found);
        Ok(())
    }

    /// Copies every key that was not copied yet, a few at a time, so that no shard is held for long. Should it fail on
    /// the way, no key counts as copied for it: whatever names one copies it anew.
    ///
    /// # Errors
    /// As [`KeyCopies::copy`], and when there are too many.
    fn copy_all(&mut self, keys: &mut Keyspace<'_>) -> Result<(), Error> {
        let (mut count, mut bytes) = (0, 0);
        for index in 0..self.server.shards.len() {
            for db in 0..self.server.config.load().databases as usize {
                let mut cursor = 0;
                loop {
                    let (next, found) = self.copy_some(index, db, cursor)?;
                    count += found.len();
                    bytes += found.iter().map(|(_, entry)| entry.memory_bytes()).sum::<usize>();
                    if count > KEYS_MAX || bytes > BYTES_MAX {
                        return Err(TOO_MANY);
                    }
                    insert(keys, found);
                    cursor = next;
                    if cursor == 0 {
                        break;
                    }
                }
            }
        }
        self.complete = true;
        Ok(())
    }

    /// Goes on with the copies of a shard's part of a database.
    fn copy_some(
        &self,
        index: usize,
        db: usize,
        mut cursor: u64,
    ) -> Result<(u64, Vec<(usize, Copy)>), Error> {
        let lock = self.server.shards[index].lock.lock();
        let guard = self.runtime.block_on(lock).map_err(|_| self.server.busy_error(&[index]))?;
        let (now_ms, mut found) = (unix_ms(), Vec::new());
        let table = guard.shard.databases[db].table();
        loop {
            cursor = table.scan(cursor, |entry| {
                let alive = entry.expiry_ms().is_none_or(|at| at > now_ms);
                if alive && !self.copied.contains(entry.key()) {
                    found.push((db, entry.clone()));
                }
            });
            if cursor == 0 || found.len() >= KEYS_A_HOLD {
                break;
            }
        }
        Ok((cursor, found))
    }
}

fn insert(keys: &mut Keyspace<'_>, found: Vec<(usize, Copy)>) {
    let selected = keys.db();
    for (db, entry) in found {
        keys.select(db);
        keys.insert(entry);
    }
    keys.select(selected);
}

impl KeySource for KeyCopies {
    fn prepare(&mut self, keys: &mut Keyspace<'_>, entry: &Entry, args: Args<'_>) -> Result<(), Error> {
        if self.complete {
            return Ok(());
        }
        let meta = &entry.command.meta;
        if matches!(meta.route, Route::All | Route::Cursor) || (meta.widens)(args) {
            return self.copy_all(keys);
        }
        let mut names: Vec<&[u8]> = Vec::new();
        // What is wrong with the arguments the command itself says.
        if meta.each_key(args, &mut |span| names.push(args.raw(span.index))).is_err() {
            return Ok(());
        }
        self.copy(keys, &names)
    }
}
