//! What of the configuration the engine reads.

use moonshard_store::{HashLimits, ListLimits, Seed, SetLimits, SortedSetLimits, StreamLimits};

/// How keys are chosen for eviction (`maxmemory-policy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the setting's values")]
pub enum EvictionPolicy {
    #[default]
    NoEviction,
    AllKeysLru,
    AllKeysLfu,
    AllKeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

impl EvictionPolicy {
    /// Whether keys are chosen by when they were used last (LRU).
    pub const fn is_lru(self) -> bool {
        matches!(self, Self::AllKeysLru | Self::VolatileLru)
    }

    /// Whether accesses are counted (LFU) rather than dated (LRU).
    pub const fn is_lfu(self) -> bool {
        matches!(self, Self::AllKeysLfu | Self::VolatileLfu)
    }

    /// Whether only keys with an expiry may go.
    pub const fn is_volatile(self) -> bool {
        matches!(self, Self::VolatileLru | Self::VolatileLfu | Self::VolatileRandom | Self::VolatileTtl)
    }
}

/// The engine's settings. A change makes a new value; a command sees one throughout.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The seed of all hash tables.
    pub seed: Seed,
    /// Databases a client can select.
    pub databases: usize,
    /// Longest string, in bytes (`proto-max-bulk-len`).
    pub bulk_len_max: u64,
    /// When hashes leave their packed form.
    pub hash: HashLimits,
    /// How lists are packed.
    pub list: ListLimits,
    /// When sets leave their packed forms.
    pub set: SetLimits,
    /// When sorted sets leave their packed form.
    pub sorted_set: SortedSetLimits,
    /// The longest sparse HyperLogLog, in bytes (`hll-sparse-max-bytes`).
    pub hll_sparse_len_max: usize,
    /// How streams are packed.
    pub stream: StreamLimits,
    /// How keys are chosen for eviction.
    pub eviction: EvictionPolicy,
    /// Keys looked at for each one that is evicted (`maxmemory-samples`).
    pub eviction_samples: usize,
    /// How hard it is for the LFU counter to grow (`lfu-log-factor`).
    pub lfu_log_factor: u32,
    /// Minutes after which an idle key's LFU counter falls by one (`lfu-decay-time`).
    pub lfu_decay_minutes: u32,
    /// Whether large values that are overwritten, or removed for want of elements, are freed off the request path
    /// (`lazyfree-lazy-server-del`).
    pub lazy_free: bool,
    /// Whether those that DEL removes are (`lazyfree-lazy-user-del`).
    pub lazy_user_del: bool,
    /// Whether those that FLUSHALL and FLUSHDB remove are, if the call does not say (`lazyfree-lazy-user-flush`).
    pub lazy_user_flush: bool,
    /// Whether those that expire are (`lazyfree-lazy-expire`).
    pub lazy_expire: bool,
    /// Whether eviction does (`lazyfree-lazy-eviction`).
    pub lazy_eviction: bool,
    /// Whether long strings in payloads of DUMP are compressed (`rdbcompression`).
    pub compress_dumps: bool,
    /// Whether this node is part of a cluster: one slot a command, one database.
    pub cluster: bool,
}

impl Settings {
    /// What Redis 7.0 starts with, for tables hashed with `seed`.
    pub fn new(seed: Seed) -> Self {
        Self {
            seed,
            databases: 16,
            bulk_len_max: 512 << 20,
            hash: HashLimits::DEFAULT,
            list: ListLimits::default(),
            set: SetLimits::DEFAULT,
            sorted_set: SortedSetLimits::default(),
            hll_sparse_len_max: 3000,
            stream: StreamLimits::DEFAULT,
            eviction: EvictionPolicy::NoEviction,
            eviction_samples: 5,
            lfu_log_factor: 10,
            lfu_decay_minutes: 1,
            lazy_free: false,
            lazy_user_del: false,
            lazy_user_flush: false,
            lazy_expire: false,
            lazy_eviction: false,
            compress_dumps: true,
            cluster: false,
        }
    }

    /// How collections are built that come from a payload.
    pub fn restore_limits(&self) -> moonshard_rdb::Limits {
        let Self { hash, list, set, sorted_set, seed, .. } = *self;
        moonshard_rdb::Limits { hash, list, set, sorted_set, seed }
    }
}
