//! The shards as the server holds them, and how commands get several of them at once.

use crate::effects::{KeyTable, Waiter, Watcher};
use crate::scripts::HeldShards;
use crate::server::Server;
use moonshard_engine::Rng;
use moonshard_engine::effects::Audience;
use moonshard_engine::keyspace::Shard;
use moonshard_lock::{Busy, Guard, Guards, ShardLock};
use moonshard_scripting::{Control, Vm};
use std::sync::Arc;

/// What a shard's lock guards.
pub struct ShardState {
    /// The keys.
    pub shard: Shard,
    /// What runs scripts; its Lua state is made on the first one.
    pub vm: Vm,
    /// The shard's random source.
    pub rng: Rng,
    /// The log's last record of a change of it.
    pub logged: u64,
}

/// A shard, or what is like one but has no slots; padded so that two shards' locks are never on one cache line.
#[repr(align(128))]
pub struct ShardCell {
    /// The lock and what it guards.
    pub lock: ShardLock<ShardState>,
    /// What other threads see of the script that runs here, and end it by.
    pub control: Arc<Control>,
    /// What that script has locked besides this shard.
    pub script_holds: HeldShards,
    /// Who listens to what changes in it.
    pub audience: Arc<Audience>,
    /// Clients that wait for a key.
    pub waits: KeyTable<Arc<Waiter>>,
    /// Clients that watch a key.
    pub watched: KeyTable<Watcher>,
}

/// Guards of several shards, in ascending order; see [`lock_all`](moonshard_lock::lock_all).
pub type ShardGuards<'a> = Guards<'a, ShardState>;

/// Locked shards, each in its place among `count`, as commands over several of them find them.
pub fn in_their_places<'s>(
    locked: impl Iterator<Item = (usize, &'s mut Shard)>,
    count: usize,
) -> Vec<Option<&'s mut Shard>> {
    let mut places = Vec::new();
    places.resize_with(count, || None);
    for (index, shard) in locked {
        places[index] = Some(shard);
    }
    places
}

impl Server {
    /// The shards, and then those without slots.
    pub fn cells(&self) -> impl Iterator<Item = &ShardCell> {
        self.shards.iter().chain(&self.keyless)
    }

    /// One of [`Server::cells`] by its number.
    ///
    /// # Panics
    /// When there is none.
    #[inline]
    pub fn cell(&self, number: usize) -> &ShardCell {
        self.shards.get(number).unwrap_or_else(|| &self.keyless[number - self.shards.len()])
    }

    /// A place for a script without keys: the first that is free, so that few VMs are kept warm.
    pub fn try_lock_keyless(&self) -> Option<(usize, Guard<'_, ShardState>)> {
        let numbered = (self.shards.len()..).zip(&self.keyless);
        numbered.into_iter().find_map(|(number, cell)| Some((number, cell.lock.try_lock()?)))
    }

    /// The same; while there is none that is free, `client` decides which one is waited for.
    ///
    /// # Errors
    /// [`Busy`] if a busy script is there.
    pub async fn lock_keyless(&self, client: u64) -> Result<ShardGuards<'_>, Busy> {
        if let Some(free) = self.try_lock_keyless() {
            return Ok(vec![free]);
        }
        let at = client as usize % self.keyless.len();
        Ok(vec![(self.shards.len() + at, self.keyless[at].lock.lock().await?)])
    }
}

impl AsRef<ShardLock<ShardState>> for ShardCell {
    fn as_ref(&self) -> &ShardLock<ShardState> {
        &self.lock
    }
}
