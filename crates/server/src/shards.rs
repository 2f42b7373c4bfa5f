//! The shards as the server holds them, and how commands get several of them at once.

use crate::effects::{KeyTable, Waiter, Watcher};
use crate::scripts::HeldShards;
use moonshard_engine::Rng;
use moonshard_engine::effects::Audience;
use moonshard_engine::keyspace::Shard;
use moonshard_lock::{Guards, ShardLock};
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

/// A shard, padded so that two shards' locks are never on one cache line.
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

impl AsRef<ShardLock<ShardState>> for ShardCell {
    fn as_ref(&self) -> &ShardLock<ShardState> {
        &self.lock
    }
}
