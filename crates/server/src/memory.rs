//! Memory: what is used, the limit, and making room under it.

use crate::allocator;
use crate::server::Server;
use moonshard_engine::Settings;
use moonshard_engine::admission::Gate;
use std::sync::atomic::Ordering::Relaxed;

/// Keys evicted before the limit is looked at again and other tasks may run.
const EVICT_BATCH: usize = 16;

impl Server {
    /// Bytes in use.
    pub fn used_memory(&self) -> u64 {
        allocator::used()
    }

    /// Looks at the limit; while memory is over it, requests take the general path, which makes room first.
    pub fn check_memory(&self) {
        let limit = self.config.load().maxmemory;
        self.over_memory.store(limit > 0 && self.used_memory() > limit, Relaxed);
    }

    /// Evicts keys until memory is under its limit, and tells whether commands that need memory must be refused.
    pub async fn make_room(&self, settings: &Settings, now_ms: u64) -> Gate {
        let limit = self.config.load().maxmemory;
        if limit == 0 || self.used_memory() <= limit {
            self.over_memory.store(false, Relaxed);
            return Gate::empty();
        }
        self.over_memory.store(true, Relaxed);
        let mut fruitless = 0;
        let mut next = self.evict_from.fetch_add(1, Relaxed);
        while fruitless < self.shards.len() {
            let evicted = self.evict_some(next % self.shards.len(), settings, now_ms);
            if self.used_memory() <= limit {
                self.over_memory.store(false, Relaxed);
                return Gate::empty();
            }
            fruitless = if evicted { 0 } else { fruitless + 1 };
            next = next.wrapping_add(1);
            tokio::task::yield_now().await;
        }
        Gate::OUT_OF_MEMORY
    }

    /// Evicts some keys of a shard, unless it is busy. Returns whether there was one to evict.
    fn evict_some(&self, shard: usize, settings: &Settings, now_ms: u64) -> bool {
        let Some(mut guard) = self.shards[shard].lock.try_lock_for_spin() else { return false };
        let mut evicted = 0;
        let state = &mut *guard;
        while evicted < EVICT_BATCH && state.shard.evict_one(now_ms, settings, &mut state.rng).is_some() {
            evicted += 1;
        }
        self.reap(&mut state.shard);
        evicted > 0
    }
}
