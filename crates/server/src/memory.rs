//! Memory: what is used, the limit, and making room under it.

use crate::allocator;
use crate::effects::Moment;
use crate::server::{Server, engine_settings, unix_ms};
use crate::shards::ShardState;
use moonshard_engine::admission::Gate;
use moonshard_engine::command::{Entry, Flags, Route};
use moonshard_engine::{EvictionPolicy, Settings};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Keys evicted before other tasks may run.
const EVICT_BATCH: usize = 16;
/// How long to wait for the thread that frees large values before looking again, and how often a call looks.
const REAP_WAIT: Duration = Duration::from_millis(1);
const REAP_LOOKS_MAX: usize = 100;

/// Whether a command must not run while memory is over its limit.
pub fn needs_room(entry: &Entry) -> bool {
    entry.command.meta.flags.contains(Flags::DENYOOM) || entry.command.meta.route == Route::Script
}

impl Server {
    /// Bytes in use.
    #[inline]
    pub fn used_memory(&self) -> u64 {
        allocator::used()
    }

    /// Whether more memory is in use than `limit`; a limit of 0 is none.
    #[inline]
    pub fn is_over(&self, limit: u64) -> bool {
        limit > 0 && self.used_memory() > limit
    }

    /// Evicts keys until memory is under its limit, and tells whether commands that need memory must be refused.
    pub async fn make_room(&self, settings: &Settings, now_ms: u64) -> Gate {
        let limit = self.config.load().maxmemory;
        // Nothing is evicted while data is loaded.
        if !self.is_over(limit) || self.persistence.loading.is_active() {
            return Gate::empty();
        }
        if settings.eviction == EvictionPolicy::NoEviction {
            return Gate::OUT_OF_MEMORY;
        }
        let mut looks = 0;
        loop {
            // What was evicted or unlinked is still to be freed, and evicting more in its stead would be too much.
            while looks < REAP_LOOKS_MAX && self.lazy_free_pending() > 0 && self.is_over(limit) {
                tokio::time::sleep(REAP_WAIT).await;
                looks += 1;
            }
            if !self.is_over(limit) {
                return Gate::empty();
            }
            if self.evict_round(settings, limit, now_ms).await.is_none_or(|evicted| evicted == 0) {
                return Gate::OUT_OF_MEMORY;
            }
        }
    }

    /// Evicts some keys of every shard, as long as memory is over its limit and all that was evicted is free; returns how
    /// many. `None` when a shard that is busy with a long script would have to be waited for.
    async fn evict_round(&self, settings: &Settings, limit: u64, now_ms: u64) -> Option<usize> {
        let count = self.shards.len();
        let first = self.evict_from.fetch_add(1, Relaxed);
        let (mut evicted, mut held) = (0, Vec::new());
        for shard in (first..first + count).map(|shard| shard % count) {
            match self.shards[shard].lock.try_lock_for_spin() {
                Some(mut guard) => {
                    evicted +=
                        self.evict_some(shard, &mut guard, limit, Moment { now_ms, settings, origin: 0 })
                }
                None => held.push(shard),
            }
            if !self.is_over(limit) || (evicted > 0 && self.lazy_free_pending() > 0) {
                return Some(evicted);
            }
            tokio::task::yield_now().await;
        }
        if evicted > 0 {
            return Some(evicted);
        }
        // The others have nothing that may go, so these have to be waited for.
        for shard in held {
            let mut guard = self.shards[shard].lock.lock().await.ok()?;
            evicted += self.evict_some(shard, &mut guard, limit, Moment { now_ms, settings, origin: 0 });
        }
        Some(evicted)
    }

    /// Evicts some keys of a shard; returns how many.
    fn evict_some(&self, index: usize, state: &mut ShardState, limit: u64, moment: Moment<'_>) -> usize {
        let mut evicted = 0;
        while evicted < EVICT_BATCH
            && self.is_over(limit)
            && state.shard.evict_one(moment.now_ms, moment.settings, &mut state.rng).is_some()
        {
            evicted += 1;
        }
        self.settle(index, state, moment);
        evicted
    }

    /// Evicts keys without a command that needs the room, for at most so long: the limit may have been lowered.
    pub async fn evict_by_itself(&self, at_most: Duration) {
        let settings = self.config.load_full();
        if self.is_over(settings.maxmemory) {
            let engine = engine_settings(&settings, self.seed);
            // What is not done in time goes on in the next round.
            let _ = tokio::time::timeout(at_most, self.make_room(&engine, unix_ms())).await;
        }
    }
}
