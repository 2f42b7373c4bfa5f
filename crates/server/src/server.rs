//! The server: what all its connections share.

use crate::acl::Acl;
use crate::clients::Clients;
use crate::cluster::Cluster;
use crate::config::{Config, Settings};
use crate::debugging::Debugging;
use crate::effects::{KeyTable, Notified};
use crate::figures::Figures;
use crate::latency::Latency;
use crate::listener::Listening;
use crate::monitors::Monitors;
use crate::pause::Pause;
use crate::persistence::Persistence;
use crate::pubsub::PubSub;
use crate::reaper::Reaper;
use crate::runtime::IoPool;
use crate::script_figures::ScriptFigures;
use crate::scripts::{HeldShards, Scripts};
use crate::shards::{ShardCell, ShardState};
use crate::shutdown::Shutdown;
use crate::slowlog::Slowlog;
use crate::stats::Stats;
use crate::tracking::Tracking;
use moonshard_disk::FaultyDisk;
use moonshard_engine::keyspace::Shard;
use moonshard_engine::{Error, EvictionPolicy, Rng};
use moonshard_lock::ShardLock;
use moonshard_scripting::{Control, Vm};
use moonshard_store::Seed;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// What all connections share.
pub struct Server {
    /// The configuration.
    pub config: Config,
    /// The shards.
    pub shards: Box<[ShardCell]>,
    /// As many without slots and so without keys, numbered after the shards: a script without keys runs here, and is in
    /// nobody's way.
    pub keyless: Box<[ShardCell]>,
    /// Where connections live; set before the first is accepted.
    pub io: OnceLock<Arc<IoPool>>,
    /// The clock that times commands.
    pub ticks: quanta::Clock,
    /// The scripts.
    pub scripts: Scripts,
    /// The scripts that are being debugged.
    pub debugging: Debugging,
    /// This node of a cluster; `None` when `cluster-enabled` is off.
    pub cluster: Option<Cluster>,
    /// The users.
    pub acl: Acl,
    /// The clients.
    pub clients: Clients,
    /// Counters.
    pub stats: Stats,
    /// What INFO shows of the shards.
    pub figures: Figures,
    /// What was counted of scripts.
    pub script_figures: ScriptFigures,
    /// The last commands that took long.
    pub slowlog: Slowlog,
    /// The latency monitor.
    pub latency: Latency,
    /// The shortest time of a command, in nanoseconds, of which one of the two wants to know.
    pub notable_nanos: AtomicU64,
    /// Forty hexadecimal digits, new at every start.
    pub run_id: String,
    /// Forty hexadecimal digits that name the history of the data, should a replica ask for it.
    replication_id: Mutex<String>,
    /// Unix time in milliseconds of the start.
    pub started_ms: u64,
    /// The seed of all hash tables.
    pub seed: Seed,
    /// What `CLIENT PAUSE` holds back.
    pub pause: Pause,
    /// What is listened on.
    pub listening: Listening,
    /// Who has subscribed to which messages.
    pub pubsub: PubSub,
    /// The classes of keyspace notifications that are sent.
    pub notified: Notified,
    /// Who has read which keys and is told when they change.
    pub tracking: Tracking,
    /// Who watches every command.
    pub monitors: Arc<Monitors>,
    /// Whether keys expire by themselves (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expire: AtomicBool,
    /// Whether what happens by itself does not (`DEBUG PAUSE-CRON`).
    pub cron_paused: AtomicBool,
    /// Where everything lies that is kept on disk.
    pub disk: Arc<FaultyDisk>,
    /// Snapshots on disk.
    pub persistence: Persistence,
    /// Told to end.
    pub shutdown: Shutdown,
    errors: Mutex<BTreeMap<Vec<u8>, u64>>,
    /// The shard that the next eviction begins with.
    pub(crate) evict_from: AtomicUsize,
    reaper: Reaper,
}

/// Unix time in milliseconds.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Unix time in microseconds.
pub fn unix_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// The settings as the engine reads them.
pub fn engine_settings(settings: &Settings, seed: Seed) -> moonshard_engine::Settings {
    use crate::config::MaxmemoryPolicy as Policy;
    moonshard_engine::Settings {
        databases: settings.databases as usize,
        bulk_len_max: settings.proto_max_bulk_len,
        hash: moonshard_store::HashLimits {
            entries: settings.hash_max_listpack_entries,
            value_len: settings.hash_max_listpack_value,
        },
        list: moonshard_store::ListLimits::from_setting(settings.list_max_listpack_size),
        set: moonshard_store::SetLimits {
            intset_entries: settings.set_max_intset_entries,
            ..moonshard_store::SetLimits::DEFAULT
        },
        stream: moonshard_store::StreamLimits {
            node_bytes: settings.stream_node_max_bytes,
            node_entries: settings.stream_node_max_entries,
        },
        sorted_set: moonshard_store::SortedSetLimits {
            entries_max: settings.zset_max_listpack_entries,
            member_max: settings.zset_max_listpack_value,
        },
        hll_sparse_len_max: settings.hll_sparse_max_bytes,
        eviction: match settings.maxmemory_policy {
            Policy::NoEviction => EvictionPolicy::NoEviction,
            Policy::AllkeysLru => EvictionPolicy::AllKeysLru,
            Policy::AllkeysLfu => EvictionPolicy::AllKeysLfu,
            Policy::AllkeysRandom => EvictionPolicy::AllKeysRandom,
            Policy::VolatileLru => EvictionPolicy::VolatileLru,
            Policy::VolatileLfu => EvictionPolicy::VolatileLfu,
            Policy::VolatileRandom => EvictionPolicy::VolatileRandom,
            Policy::VolatileTtl => EvictionPolicy::VolatileTtl,
        },
        eviction_samples: settings.maxmemory_samples as usize,
        lfu_log_factor: settings.lfu_log_factor,
        lfu_decay_minutes: settings.lfu_decay_time,
        lazy_free: settings.lazyfree_lazy_server_del,
        lazy_user_del: settings.lazyfree_lazy_user_del,
        lazy_user_flush: settings.lazyfree_lazy_user_flush,
        lazy_expire: settings.lazyfree_lazy_expire,
        lazy_eviction: settings.lazyfree_lazy_eviction,
        compress_dumps: settings.rdbcompression,
        cluster: settings.cluster_enabled,
        ..moonshard_engine::Settings::new(seed)
    }
}

impl Server {
    /// A server with empty shards. `random` decides the hash seeds, the run id and the random sources.
    pub fn new(config: Config, mut random: Rng) -> Self {
        let settings = config.load_full();
        let shards = settings.shards.max(1) as usize;
        let seed = Seed::new(random.next(), random.next());
        let scripts = Scripts::new(&settings);
        let mut cell = |index: usize| {
            let control = Arc::new(Control::new());
            let shard =
                Shard::new(index, shards, settings.databases as usize, seed, settings.cluster_enabled);
            let vm = Vm::new(index, scripts.registry.clone(), control.clone(), scripts.host());
            let audience = shard.effects.audience.clone();
            let state = ShardState { shard, vm, rng: Rng::new(random.next()), logged: 0 };
            ShardCell {
                lock: ShardLock::new(state),
                control,
                script_holds: HeldShards::default(),
                waits: KeyTable::new(audience.clone()),
                watched: KeyTable::new(audience.clone()),
                audience,
            }
        };
        let keyless: Box<[ShardCell]> = (shards..2 * shards).map(&mut cell).collect();
        let shards: Box<[ShardCell]> = (0..shards).map(cell).collect();
        let monitors = Arc::<Monitors>::default();
        for cell in shards.iter().chain(&keyless) {
            let monitors = monitors.clone();
            cell.control.spectator.set(move |db, args| monitors.feed_script(db, args));
        }
        let (run_id, replication_id) = (random_id(&mut random), random_id(&mut random));
        let shard_count = shards.len();
        let server = Self {
            config,
            shards,
            keyless,
            io: OnceLock::new(),
            ticks: quanta::Clock::new(),
            scripts,
            debugging: Debugging::default(),
            cluster: None,
            acl: Acl::new(settings.requirepass.as_deref()),
            clients: Clients::default(),
            stats: Stats::default(),
            figures: Figures::default(),
            script_figures: ScriptFigures::default(),
            slowlog: Slowlog::default(),
            latency: Latency::default(),
            notable_nanos: AtomicU64::new(u64::MAX),
            run_id,
            replication_id: Mutex::new(replication_id),
            started_ms: unix_ms(),
            seed,
            pause: Pause::default(),
            listening: Listening::default(),
            pubsub: PubSub::default(),
            notified: Notified::default(),
            tracking: Tracking::new(settings.shards.max(1) as usize, Rng::new(random.next())),
            monitors,
            active_expire: AtomicBool::new(true),
            cron_paused: AtomicBool::new(false),
            disk: Arc::default(),
            persistence: Persistence::new(shard_count),
            shutdown: Shutdown::default(),
            errors: Mutex::default(),
            evict_from: AtomicUsize::new(0),
            reaper: Reaper::start(),
        };
        server.observe_as(&settings);
        server
    }

    /// The name of the data's history.
    pub fn replication_id(&self) -> String {
        self.replication_id.lock().clone()
    }

    /// Gives the data's history a new name.
    pub fn change_replication_id(&self, random: &mut Rng) {
        *self.replication_id.lock() = random_id(random);
    }

    /// Whether requests have to be looked at one by one: a monitor watches, clients are paused, or
    /// some of them are refused at the moment.
    #[inline]
    pub fn is_watched(&self) -> bool {
        self.monitors.any()
            || self.pause.is_set()
            || self.slowlog.wants_all()
            || self.persistence.refuses_writes()
            || self.persistence.loading.is_active()
    }

    /// Counts an error reply by its code.
    pub fn count_error(&self, error: &Error) {
        self.count_error_code(error.code());
    }

    fn count_error_code(&self, code: &[u8]) {
        self.stats.errors.fetch_add(1, Relaxed);
        *self.errors.lock().entry(code.to_vec()).or_default() += 1;
    }

    /// Counts an error reply of a command that ran on `shard`. A script's that one of its calls was answered is counted
    /// with the others of its calls.
    pub fn count_failure(&self, shard: &Shard, error: &Error) {
        if !shard.stats.script_errors.iter().any(|code| **code == *error.code()) {
            self.count_error(error);
        }
    }

    /// Counts the errors that the calls of scripts on `shard` were answered.
    #[cold]
    pub fn count_script_errors(&self, shard: &mut Shard) {
        for code in shard.stats.script_errors.drain(..) {
            self.count_error_code(&code);
        }
    }

    /// Error replies by code, for INFO's errorstats.
    pub fn error_counts(&self) -> BTreeMap<Vec<u8>, u64> {
        self.errors.lock().clone()
    }

    /// Forgets the error replies.
    pub fn reset_error_counts(&self) {
        self.errors.lock().clear();
    }

    /// Values that were given to the thread that drops them, and are not yet dropped.
    pub fn lazy_free_pending(&self) -> usize {
        self.reaper.pending()
    }

    /// Takes over what the configuration says about observing commands.
    pub fn observe_as(&self, settings: &Settings) {
        self.slowlog.configure(settings.slowlog_log_slower_than, settings.slowlog_max_len);
        self.latency.configure(settings.latency_monitor_threshold, settings.latency_tracking);
        self.notable_nanos.store(self.slowlog.slow_nanos().min(self.latency.slow_nanos()), Relaxed);
        self.notify_as(settings.notify_keyspace_events);
        self.limit_tracking(settings.tracking_table_max_keys);
    }

    /// Hands what a shard has thrown away to the thread that drops it.
    pub fn reap(&self, shard: &mut Shard) {
        if shard.garbage.is_empty() {
            return;
        }
        self.stats.lazy_freed.fetch_add(shard.garbage.len() as u64, Relaxed);
        for garbage in shard.garbage.drain(..) {
            self.reaper.take(garbage);
        }
    }
}

/// Forty hexadecimal digits.
fn random_id(random: &mut Rng) -> String {
    (0..40).map(|_| char::from_digit((random.next() % 16) as u32, 16).unwrap_or('0')).collect()
}
