//! The shards as the server holds them, and how commands get several of them at once.

use crate::scripts::HeldShards;
use moonshard_engine::Rng;
use moonshard_engine::keyspace::Shard;
use moonshard_lock::{Busy, Guard, ShardLock};
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
}

/// Guards of several shards, in ascending order.
pub type ShardGuards<'a> = Vec<(usize, Guard<'a, ShardState>)>;

/// Attempts to get all locks without waiting for one while holding another, before waiting in that way after all.
const PATIENT_AFTER: u32 = 16;

/// Locks the shards of `indices`, which ascend without repeats.
///
/// While one of them is held by somebody else, none is held: a long script on one shard must not make the others
/// wait for it. Only a set that is contended again and again is waited for lock by lock, in ascending order, which
/// cannot deadlock.
///
/// # Errors
/// [`Busy`] when a long script runs on one of them.
pub async fn lock_all<'a>(shards: &'a [ShardCell], indices: &[usize]) -> Result<ShardGuards<'a>, Busy> {
    let mut guards = ShardGuards::with_capacity(indices.len());
    for _ in 0..PATIENT_AFTER {
        match try_lock_all(shards, indices, &mut guards) {
            Ok(()) => return Ok(guards),
            Err(held) => drop(shards[held].lock.lock().await?),
        }
    }
    for &index in indices {
        guards.push((index, shards[index].lock.lock().await?));
    }
    Ok(guards)
}

/// Locks all of `indices` if each is free within a microsecond or two; else none, and tells which was not.
pub fn try_lock_all<'a>(
    shards: &'a [ShardCell],
    indices: &[usize],
    guards: &mut ShardGuards<'a>,
) -> Result<(), usize> {
    guards.clear();
    for &index in indices {
        let Some(guard) = shards[index].lock.try_lock_for_spin() else {
            guards.clear();
            return Err(index);
        };
        guards.push((index, guard));
    }
    Ok(())
}
