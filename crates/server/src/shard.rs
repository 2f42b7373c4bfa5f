//! A shard as the server holds it: its keyspace and its Lua VM behind one lock.

use moonshard_engine::Rng;
use moonshard_engine::keyspace::Shard;
use moonshard_lock::ShardLock;
use moonshard_scripting::{Control, Vm};
use std::sync::Arc;

/// What the lock guards.
pub struct ShardState {
    /// The keys.
    pub shard: Shard,
    /// What runs scripts; its Lua state is made on the first one.
    pub vm: Vm,
    /// The shard's random source.
    pub rng: Rng,
}

/// A shard, padded so that two shards' locks are never on one cache line.
#[repr(align(128))]
pub struct ShardCell {
    /// The lock and what it guards.
    pub lock: ShardLock<ShardState>,
    /// What other threads may ask of the script that runs on the shard.
    pub control: Arc<Control>,
}

impl AsRef<ShardLock<ShardState>> for ShardCell {
    fn as_ref(&self) -> &ShardLock<ShardState> {
        &self.lock
    }
}
