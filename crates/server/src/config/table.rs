//! The table of directives, and the settings made from it.

use super::check;
use super::choice::*;
use super::compound::*;
use super::directive::{Directive, DirectiveFlags, Kind, NumberForm};
use super::flags::{NotifyClasses, ScriptFlags, ShutdownFlags};

const MB: i64 = 1 << 20;
const GB: i64 = 1 << 30;

/// The type of the field for a kind.
macro_rules! field {
    (flag($($_:tt)*)) => { bool };
    (text($($_:tt)*)) => { Box<[u8]> };
    (optional($($_:tt)*)) => { Option<Box<[u8]>> };
    (secret()) => { Option<Box<[u8]>> };
    ($kind:ident($type:ty, $($_:tt)*)) => { $type };
}

/// Its value at start.
macro_rules! default {
    (flag($default:literal $($_:tt)*)) => {
        $default
    };
    (text($default:literal $($_:tt)*)) => {
        $default.as_bytes().into()
    };
    (optional($($_:tt)*)) => {
        None
    };
    (secret()) => {
        None
    };
    (choice($type:ident, $default:ident)) => {
        $type::$default
    };
    (special($type:ty, $default:expr)) => {
        $default
    };
    ($kind:ident($type:ty, $range:expr, $default:expr)) => {
        ($default) as $type
    };
}

macro_rules! checked {
    () => {
        None
    };
    ($check:path) => {
        Some($check)
    };
}

/// The way to the field.
macro_rules! kind {
    ($field:ident, flag($default:literal $(, $check:path)?)) => {
        Kind::Flag { get: |s| s.$field, set: |s, on| s.$field = on, check: checked!($($check)?) }
    };
    ($field:ident, text($default:literal $(, $check:path)?)) => {
        Kind::Text {
            binary: false,
            get: |s| Some(&s.$field),
            set: |s, text| s.$field = text.into(),
            check: checked!($($check)?),
        }
    };
    ($field:ident, optional($($check:path)?)) => {
        Kind::Text {
            binary: false,
            get: |s| s.$field.as_deref(),
            set: |s, text| s.$field = (!text.is_empty()).then(|| text.into()),
            check: checked!($($check)?),
        }
    };
    ($field:ident, secret()) => {
        Kind::Text {
            binary: true,
            get: |s| s.$field.as_deref(),
            set: |s, text| s.$field = (!text.is_empty()).then(|| text.into()),
            check: None,
        }
    };
    ($field:ident, choice($type:ident, $default:ident)) => {
        Kind::Choice {
            words: $type::WORDS,
            get: |s| s.$field.word(),
            set: |s, word| $type::from_word(word).map(|value| s.$field = value).is_some(),
        }
    };
    ($field:ident, special($type:ty, $default:expr)) => {
        Kind::Compound {
            get: |s| s.$field.format(),
            set: |s, args, again| s.$field.take(args, again),
            lines: |name, s, default| s.$field.lines(name, &default.$field),
        }
    };
    ($field:ident, int($($number:tt)*)) => { kind!($field, Plain, $($number)*) };
    ($field:ident, memory($($number:tt)*)) => { kind!($field, Memory, $($number)*) };
    ($field:ident, memory_or_percent($($number:tt)*)) => { kind!($field, MemoryOrPercent, $($number)*) };
    ($field:ident, octal($($number:tt)*)) => { kind!($field, Octal, $($number)*) };
    ($field:ident, $form:ident, $type:ty, $range:expr, $default:expr) => {
        Kind::Number {
            form: NumberForm::$form,
            low: *$range.start() as i128,
            high: *$range.end() as i128,
            get: |s| s.$field as i128,
            set: |s, value| s.$field = value as $type,
        }
    };
}

macro_rules! directives {
    ($(
        #[doc = $doc:literal]
        $field:ident: $kind:ident($($spec:tt)*) => $name:literal $(| $alias:literal)?, [$($flag:ident)*];
    )*) => {
        /// The value of every directive. Texts are bytes; where a text may be absent, the empty one is.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $(#[doc = $doc] pub $field: field!($kind($($spec)*)),)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($field: default!($kind($($spec)*)),)* }
            }
        }

        /// Every directive, in the order in which they are shown.
        pub static DIRECTIVES: &[Directive] = &[
            $(Directive {
                name: $name,
                alias: [$(Some($alias),)? None][0],
                field: stringify!($field),
                flags: DirectiveFlags::empty()$(.union(DirectiveFlags::$flag))*,
                doc: $doc.trim_ascii(),
                kind: kind!($field, $kind($($spec)*)),
            },)*
        ];
    };
}

/// Bounds of values that may be given beyond them and are then held within.
const HZ_MIN: u32 = 1;
const HZ_MAX: u32 = 500;
const REPL_BACKLOG_SIZE_MIN: u64 = 16 << 10;

impl Settings {
    /// Brings values into the ranges in which they mean something.
    pub(super) fn settle(&mut self) {
        self.hz = self.hz.clamp(HZ_MIN, HZ_MAX);
        self.repl_backlog_size = self.repl_backlog_size.max(REPL_BACKLOG_SIZE_MIN);
    }
}

directives! {
    /// Whether RDB files end in a checksum that is verified on load.
    rdbchecksum: flag(true) => "rdbchecksum", [IMMUTABLE];
    /// Whether the server goes to the background at start.
    daemonize: flag(false) => "daemonize", [IMMUTABLE];
    /// Whether I/O threads also read and parse.
    io_threads_do_reads: flag(false) => "io-threads-do-reads", [IMMUTABLE];
    /// Whether the banner is printed when the log is not a terminal.
    always_show_logo: flag(false) => "always-show-logo", [IMMUTABLE];
    /// Refuse clients from other hosts while no password is set and no address is bound.
    protected_mode: flag(true) => "protected-mode", [];
    /// Whether strings in RDB files are compressed with LZF.
    rdbcompression: flag(true) => "rdbcompression", [];
    /// Delete RDB files left by replication when persistence is off.
    rdb_del_sync_files: flag(false) => "rdb-del-sync-files", [];
    /// Spend idle time on moving tables to their new size.
    activerehashing: flag(true) => "activerehashing", [];
    /// Refuse writes after a failed background save.
    stop_writes_on_bgsave_error: flag(true) => "stop-writes-on-bgsave-error", [];
    /// Whether the process title is changed to show the address and mode.
    set_proc_title: flag(true) => "set-proc-title", [IMMUTABLE];
    /// Raise `hz` with the number of clients.
    dynamic_hz: flag(true) => "dynamic-hz", [];
    /// Free evicted values in the background.
    lazyfree_lazy_eviction: flag(false) => "lazyfree-lazy-eviction", [];
    /// Free expired values in the background.
    lazyfree_lazy_expire: flag(false) => "lazyfree-lazy-expire", [];
    /// Free values that a command replaces in the background.
    lazyfree_lazy_server_del: flag(false) => "lazyfree-lazy-server-del", [];
    /// Make DEL free in the background, like UNLINK.
    lazyfree_lazy_user_del: flag(false) => "lazyfree-lazy-user-del", [];
    /// Make FLUSHDB, FLUSHALL, SCRIPT FLUSH and FUNCTION FLUSH free in the background by default.
    lazyfree_lazy_user_flush: flag(false) => "lazyfree-lazy-user-flush", [];
    /// Save packets to replicas at the price of latency.
    repl_disable_tcp_nodelay: flag(false) => "repl-disable-tcp-nodelay", [];
    /// Send full synchronisations from memory to the socket, without a file.
    repl_diskless_sync: flag(true) => "repl-diskless-sync", [];
    /// Sync the rewritten append-only file every 4 MB.
    aof_rewrite_incremental_fsync: flag(true) => "aof-rewrite-incremental-fsync", [];
    /// Do not sync the append-only file while a rewrite or save is running: replies do not wait for the disk then.
    no_appendfsync_on_rewrite: flag(false) => "no-appendfsync-on-rewrite", [];
    /// Stop answering when a slot of the cluster is not served.
    cluster_require_full_coverage: flag(true) => "cluster-require-full-coverage", [];
    /// Sync the RDB file every 4 MB while it is saved.
    rdb_save_incremental_fsync: flag(true) => "rdb-save-incremental-fsync", [];
    /// Load an append-only file whose last command is cut off.
    aof_load_truncated: flag(true) => "aof-load-truncated", [];
    /// Start rewritten append-only files with an RDB image.
    aof_use_rdb_preamble: flag(true) => "aof-use-rdb-preamble", [];
    /// Write time annotations to the append-only file.
    aof_timestamp_enabled: flag(false) => "aof-timestamp-enabled", [];
    /// Never promote this replica by itself.
    cluster_replica_no_failover: flag(false) => "cluster-replica-no-failover" | "cluster-slave-no-failover", [];
    /// Free the old data in the background before a full synchronisation is loaded.
    replica_lazy_flush: flag(false) => "replica-lazy-flush" | "slave-lazy-flush", [];
    /// Whether a replica answers while its primary is unreachable.
    replica_serve_stale_data: flag(true) => "replica-serve-stale-data" | "slave-serve-stale-data", [];
    /// Whether a replica refuses writes of ordinary clients.
    replica_read_only: flag(true) => "replica-read-only" | "slave-read-only", [];
    /// Leave eviction to the primary.
    replica_ignore_maxmemory: flag(true) => "replica-ignore-maxmemory" | "slave-ignore-maxmemory", [];
    /// Whether the allocator purges in a thread of its own.
    jemalloc_bg_thread: flag(true) => "jemalloc-bg-thread", [];
    /// Move values to defragment memory.
    activedefrag: flag(false, check::no_defragmentation) => "activedefrag", [];
    /// Whether the log also goes to the system logger.
    syslog_enabled: flag(false) => "syslog-enabled", [IMMUTABLE];
    /// Run as a node of a cluster.
    cluster_enabled: flag(false) => "cluster-enabled", [IMMUTABLE];
    /// Log every write to the append-only file.
    appendonly: flag(false) => "appendonly", [DENY_LOADING];
    /// Serve reads of own slots while the cluster is down.
    cluster_allow_reads_when_down: flag(false) => "cluster-allow-reads-when-down", [];
    /// Serve sharded pub/sub while the cluster is down.
    cluster_allow_pubsubshard_when_down: flag(true) => "cluster-allow-pubsubshard-when-down", [];
    /// Print a crash report when the process dies.
    crash_log_enabled: flag(true) => "crash-log-enabled", [];
    /// Check memory after a crash.
    crash_memcheck_enabled: flag(true) => "crash-memcheck-enabled", [];
    /// Exit instead of abort on a failed assertion.
    use_exit_on_panic: flag(false) => "use-exit-on-panic", [HIDDEN];
    /// Switch transparent huge pages off for the process.
    disable_thp: flag(true) => "disable-thp", [IMMUTABLE];
    /// Let replicas move to primaries that have none.
    cluster_allow_replica_migration: flag(true) => "cluster-allow-replica-migration", [];
    /// Whether a replica is listed to Sentinel.
    replica_announced: flag(true) => "replica-announced", [];
    /// Keep a histogram of every command's latency.
    latency_tracking: flag(true) => "latency-tracking", [];
    /// Keep append-only files that a rewrite made superfluous.
    aof_disable_auto_gc: flag(false) => "aof-disable-auto-gc", [];
    /// Go on as a replica when a write cannot be logged.
    replica_ignore_disk_write_errors: flag(false) => "replica-ignore-disk-write-errors", [];
    /// Give scripts deprecated functions such as `print`.
    lua_enable_deprecated_api: flag(false) => "lua-enable-deprecated-api", [IMMUTABLE HIDDEN];
    /// File with the users of the access control list; empty for none.
    aclfile: text("") => "aclfile", [IMMUTABLE];
    /// Path of the Unix socket to listen on.
    unixsocket: optional() => "unixsocket", [IMMUTABLE];
    /// File to write the process id to.
    pidfile: optional() => "pidfile", [IMMUTABLE];
    /// Address that a replica tells its primary.
    replica_announce_ip: optional() => "replica-announce-ip" | "slave-announce-ip", [];
    /// User to authenticate as at the primary.
    masteruser: optional() => "masteruser", [SENSITIVE];
    /// Address announced on the cluster bus.
    cluster_announce_ip: optional() => "cluster-announce-ip", [];
    /// File in which a cluster node keeps its view of the cluster.
    cluster_config_file: text("nodes.conf") => "cluster-config-file", [IMMUTABLE];
    /// Host name announced on the cluster bus.
    cluster_announce_hostname: optional(check::hostname) => "cluster-announce-hostname", [];
    /// Name in the system log.
    syslog_ident: text("redis") => "syslog-ident", [IMMUTABLE];
    /// Name of the RDB file in `dir`.
    dbfilename: text("dump.rdb", check::dbfilename) => "dbfilename", [PROTECTED];
    /// Base name of the append-only files.
    appendfilename: text("appendonly.aof", check::appendfilename) => "appendfilename", [IMMUTABLE];
    /// Directory of the append-only files in `dir`.
    appenddirname: text("appendonlydir", check::appenddirname) => "appenddirname", [IMMUTABLE];
    /// CPUs of the threads that serve clients.
    server_cpulist: optional() => "server_cpulist", [IMMUTABLE];
    /// CPUs of the background threads.
    bio_cpulist: optional() => "bio_cpulist", [IMMUTABLE];
    /// CPUs of the rewrite of the append-only file.
    aof_rewrite_cpulist: optional() => "aof_rewrite_cpulist", [IMMUTABLE];
    /// CPUs of the background save.
    bgsave_cpulist: optional() => "bgsave_cpulist", [IMMUTABLE];
    /// Warnings that do not stop the start, such as ARM64-COW-BUG.
    ignore_warnings: text("") => "ignore-warnings", [];
    /// How the process title is made up.
    proc_title_template: text("{title} {listen-addr} {server-mode}", check::proc_title) => "proc-title-template", [];
    /// Local address of outgoing connections.
    bind_source_addr: optional() => "bind-source-addr", [];
    /// File to log to; empty for the standard output.
    logfile: text("") => "logfile", [IMMUTABLE];
    /// Password for the primary.
    masterauth: secret() => "masterauth", [SENSITIVE];
    /// Password of the default user.
    requirepass: secret() => "requirepass", [SENSITIVE];
    /// How readiness is told to the supervisor.
    supervised: choice(Supervised, No) => "supervised", [IMMUTABLE];
    /// Facility of the system log.
    syslog_facility: choice(SyslogFacility, Local0) => "syslog-facility", [IMMUTABLE];
    /// How a replica loads a synchronisation straight from the socket.
    repl_diskless_load: choice(DisklessLoad, Disabled) => "repl-diskless-load", [DENY_LOADING];
    /// Least severity that is logged.
    loglevel: choice(LogLevel, Notice) => "loglevel", [];
    /// Which keys are evicted at `maxmemory`.
    maxmemory_policy: choice(MaxmemoryPolicy, NoEviction) => "maxmemory-policy", [];
    /// When the append-only file is synced to disk; it is written before replies go out in any case.
    appendfsync: choice(AppendFsync, EverySec) => "appendfsync", [];
    /// Whether the kernel's out-of-memory score is adjusted.
    oom_score_adj: choice(OomScoreAdj, No) => "oom-score-adj", [];
    /// Which channels new users may use.
    acl_pubsub_default: choice(PubsubDefault, ResetChannels) => "acl-pubsub-default", [];
    /// Whose RESTORE payloads and RDB files are checked in depth.
    sanitize_dump_payload: choice(SanitizePayload, No) => "sanitize-dump-payload", [];
    /// Who may change protected settings with CONFIG SET.
    enable_protected_configs: choice(AllowedFor, No) => "enable-protected-configs", [IMMUTABLE];
    /// Who may run DEBUG.
    enable_debug_command: choice(AllowedFor, No) => "enable-debug-command", [IMMUTABLE];
    /// Who may run MODULE.
    enable_module_command: choice(AllowedFor, No) => "enable-module-command", [IMMUTABLE];
    /// How cluster redirections name a node.
    cluster_preferred_endpoint_type: choice(EndpointType, Ip) => "cluster-preferred-endpoint-type", [];
    /// What to do when a command from the primary or the log fails.
    propagation_error_behavior: choice(PropagationError, Ignore) => "propagation-error-behavior", [];
    /// How SIGINT shuts down.
    shutdown_on_sigint: special(ShutdownFlags, ShutdownFlags::empty()) => "shutdown-on-sigint", [MULTI_ARG];
    /// How SIGTERM shuts down.
    shutdown_on_sigterm: special(ShutdownFlags, ShutdownFlags::empty()) => "shutdown-on-sigterm", [MULTI_ARG];
    /// Number of databases for SELECT.
    databases: int(u32, 1..=i32::MAX, 16) => "databases", [IMMUTABLE];
    /// TCP port; 0 for none.
    port: int(u16, 0..=65535, 6379) => "port", [];
    /// Number of threads that serve clients; 0 for one a core.
    io_threads: int(u32, 0..=128, 0) => "io-threads", [IMMUTABLE];
    /// Growth of the append-only file, in percent, that starts a rewrite; 0 for never.
    auto_aof_rewrite_percentage: int(u32, 0..=i32::MAX, 100) => "auto-aof-rewrite-percentage", [];
    /// How many node timeouts a replica's data may be old to be promoted; 0 for any.
    cluster_replica_validity_factor: int(u32, 0..=i32::MAX, 10) => "cluster-replica-validity-factor" | "cluster-slave-validity-factor", [];
    /// Entries of a list node, or from -1 to -5 its size of 4 to 64 kB.
    list_max_listpack_size: int(i32, i32::MIN..=i32::MAX, -2) => "list-max-listpack-size" | "list-max-ziplist-size", [];
    /// Seconds between keepalive probes of idle connections; 0 for none.
    tcp_keepalive: int(u32, 0..=i32::MAX, 300) => "tcp-keepalive", [];
    /// Replicas that a primary keeps before one may move away.
    cluster_migration_barrier: int(u32, 0..=i32::MAX, 1) => "cluster-migration-barrier", [];
    /// Least CPU percentage of defragmentation.
    active_defrag_cycle_min: int(u32, 1..=99, 1) => "active-defrag-cycle-min", [];
    /// Greatest CPU percentage of defragmentation.
    active_defrag_cycle_max: int(u32, 1..=99, 25) => "active-defrag-cycle-max", [];
    /// Fragmentation percentage at which defragmentation starts.
    active_defrag_threshold_lower: int(u32, 0..=1000, 10) => "active-defrag-threshold-lower", [];
    /// Fragmentation percentage at which it runs at its greatest effort.
    active_defrag_threshold_upper: int(u32, 0..=1000, 100) => "active-defrag-threshold-upper", [];
    /// How slowly the access counter of LFU saturates.
    lfu_log_factor: int(u32, 0..=i32::MAX, 10) => "lfu-log-factor", [];
    /// Minutes after which the access counter of LFU decays by one.
    lfu_decay_time: int(u32, 0..=i32::MAX, 1) => "lfu-decay-time", [];
    /// Rank for promotion by Sentinel, lowest first; 0 for never.
    replica_priority: int(u32, 0..=i32::MAX, 100) => "replica-priority" | "slave-priority", [];
    /// Seconds to wait for more replicas before a diskless synchronisation.
    repl_diskless_sync_delay: int(u32, 0..=i32::MAX, 5) => "repl-diskless-sync-delay", [];
    /// Keys sampled for each eviction.
    maxmemory_samples: int(u32, 1..=i32::MAX, 5) => "maxmemory-samples", [];
    /// How long eviction may delay commands, from 0 to 100.
    maxmemory_eviction_tenacity: int(u32, 0..=100, 10) => "maxmemory-eviction-tenacity", [];
    /// Seconds after which an idle client is disconnected; 0 for never.
    timeout: int(u32, 0..=i32::MAX, 0) => "timeout", [];
    /// Port that a replica tells its primary; 0 for its own.
    replica_announce_port: int(u16, 0..=65535, 0) => "replica-announce-port" | "slave-announce-port", [];
    /// Length of the queue of connections not yet accepted.
    tcp_backlog: int(u32, 0..=i32::MAX, 511) => "tcp-backlog", [IMMUTABLE];
    /// Port of the cluster bus; 0 for `port` plus 10000.
    cluster_port: int(u16, 0..=65535, 0) => "cluster-port", [IMMUTABLE];
    /// Bus port announced on the cluster bus; 0 for the real one.
    cluster_announce_bus_port: int(u16, 0..=65535, 0) => "cluster-announce-bus-port", [];
    /// Port announced on the cluster bus; 0 for the real one.
    cluster_announce_port: int(u16, 0..=65535, 0) => "cluster-announce-port", [];
    /// TLS port announced on the cluster bus; 0 for the real one.
    cluster_announce_tls_port: int(u16, 0..=65535, 0) => "cluster-announce-tls-port", [];
    /// Seconds of silence after which a replication link is given up.
    repl_timeout: int(u32, 1..=i32::MAX, 60) => "repl-timeout", [];
    /// Seconds between pings to replicas.
    repl_ping_replica_period: int(u32, 1..=i32::MAX, 10) => "repl-ping-replica-period" | "repl-ping-slave-period", [];
    /// Nodes at each end of a list that stay uncompressed; 0 for no compression.
    list_compress_depth: int(u32, 0..=i32::MAX, 0) => "list-compress-depth", [];
    /// Microseconds to wait at each saved key; for tests.
    rdb_key_save_delay: int(i32, i32::MIN..=i32::MAX, 0) => "rdb-key-save-delay", [HIDDEN];
    /// Microseconds to wait at each loaded key; for tests.
    key_load_delay: int(i32, i32::MIN..=i32::MAX, 0) => "key-load-delay", [HIDDEN];
    /// Effort of the active expiry, from 1 to 10.
    active_expire_effort: int(u32, 1..=10, 1) => "active-expire-effort", [];
    /// Rate of background tasks in a second, from 1 to 500.
    hz: int(u32, 0..=i32::MAX, 10) => "hz", [];
    /// Replicas that must be in touch for writes; 0 for none.
    min_replicas_to_write: int(u32, 0..=i32::MAX, 0) => "min-replicas-to-write" | "min-slaves-to-write", [];
    /// Seconds of lag up to which a replica counts as in touch; 0 for any.
    min_replicas_max_lag: int(u32, 0..=i32::MAX, 10) => "min-replicas-max-lag" | "min-slaves-max-lag", [];
    /// Milliseconds of the software watchdog; 0 for off.
    watchdog_period: int(u32, 0..=i32::MAX, 0) => "watchdog-period", [HIDDEN];
    /// Seconds to wait for lagging replicas at shutdown.
    shutdown_timeout: int(u32, 0..=i32::MAX, 10) => "shutdown-timeout", [];
    /// Replicas that end the wait before a diskless synchronisation; 0 for no such number.
    repl_diskless_sync_max_replicas: int(u32, 0..=i32::MAX, 0) => "repl-diskless-sync-max-replicas", [];
    /// Most clients at the same time.
    maxclients: int(u32, 1..=u32::MAX, 10000) => "maxclients", [];
    /// Permissions of the Unix socket, octal; 0 for the process' default.
    unixsocketperm: octal(u32, 0..=0o777, 0) => "unixsocketperm", [IMMUTABLE];
    /// Mark of the listening sockets; 0 for none.
    socket_mark_id: int(u32, 0..=u32::MAX, 0) => "socket-mark-id", [IMMUTABLE];
    /// Values of more fields are defragmented in a pass of their own.
    active_defrag_max_scan_fields: int(usize, 1..=i64::MAX, 1000) => "active-defrag-max-scan-fields", [];
    /// Entries kept in the slow log.
    slowlog_max_len: int(usize, 0..=i64::MAX, 128) => "slowlog-max-len", [];
    /// Entries kept in the ACL log.
    acllog_max_len: int(usize, 0..=i64::MAX, 128) => "acllog-max-len", [];
    /// Milliseconds after which a running script lets other clients be answered BUSY; 0 for never.
    busy_reply_threshold: int(u64, 0..=i64::MAX, 5000) => "busy-reply-threshold" | "lua-time-limit", [];
    /// Milliseconds after which an unreachable cluster node counts as failing.
    cluster_node_timeout: int(u64, 0..=i64::MAX, 15000) => "cluster-node-timeout", [];
    /// Microseconds from which a command is logged as slow; 0 for all, -1 for none.
    slowlog_log_slower_than: int(i64, -1..=i64::MAX, 10000) => "slowlog-log-slower-than", [];
    /// Milliseconds from which an event is recorded by the latency monitor; 0 for off.
    latency_monitor_threshold: int(u64, 0..=i64::MAX, 0) => "latency-monitor-threshold", [];
    /// Longest argument of a request.
    proto_max_bulk_len: memory(u64, MB..=i64::MAX, 512 * MB) => "proto-max-bulk-len", [];
    /// Entries of a stream node; 0 for no limit.
    stream_node_max_entries: int(u64, 0..=i64::MAX, 100) => "stream-node-max-entries", [];
    /// Size of the replication backlog.
    repl_backlog_size: memory(u64, 1..=i64::MAX, MB) => "repl-backlog-size", [];
    /// Memory for data; 0 for no limit.
    maxmemory: memory(u64, 0..=u64::MAX, 0) => "maxmemory", [];
    /// Send buffer from which a link of the cluster bus is closed; 0 for no limit.
    cluster_link_sendbuf_limit: memory(u64, 0..=u64::MAX, 0) => "cluster-link-sendbuf-limit", [];
    /// Most fields of a hash in packed form.
    hash_max_listpack_entries: int(usize, 0..=i64::MAX, 512) => "hash-max-listpack-entries" | "hash-max-ziplist-entries", [];
    /// Most members of a set of integers in packed form.
    set_max_intset_entries: int(usize, 0..=i64::MAX, 512) => "set-max-intset-entries", [];
    /// Most members of a sorted set in packed form.
    zset_max_listpack_entries: int(usize, 0..=i64::MAX, 128) => "zset-max-listpack-entries" | "zset-max-ziplist-entries", [];
    /// Fragmented memory below which there is no defragmentation.
    active_defrag_ignore_bytes: memory(usize, 1..=i64::MAX, 100 * MB) => "active-defrag-ignore-bytes", [];
    /// Longest field or value of a hash in packed form.
    hash_max_listpack_value: memory(usize, 0..=i64::MAX, 64) => "hash-max-listpack-value" | "hash-max-ziplist-value", [];
    /// Size of a stream node; 0 for no limit.
    stream_node_max_bytes: memory(usize, 0..=i64::MAX, 4096) => "stream-node-max-bytes", [];
    /// Longest member of a sorted set in packed form.
    zset_max_listpack_value: memory(usize, 0..=i64::MAX, 64) => "zset-max-listpack-value" | "zset-max-ziplist-value", [];
    /// Size up to which a HyperLogLog stays sparse.
    hll_sparse_max_bytes: memory(usize, 0..=i64::MAX, 3000) => "hll-sparse-max-bytes", [];
    /// Most keys remembered for client-side caching; 0 for no limit.
    tracking_table_max_keys: int(usize, 0..=i64::MAX, 1000000) => "tracking-table-max-keys", [];
    /// Longest unprocessed input of a client.
    client_query_buffer_limit: memory(usize, MB..=i64::MAX, GB) => "client-query-buffer-limit", [];
    /// Memory of all clients together, in bytes or in percent of `maxmemory`; percentages are held as negative numbers; 0 for no limit.
    maxmemory_clients: memory_or_percent(i64, -100..=i64::MAX, 0) => "maxmemory-clients", [];
    /// Seconds after which the backlog is freed when no replica is left; 0 for never.
    repl_backlog_ttl: int(u64, 0..=i64::MAX, 3600) => "repl-backlog-ttl", [];
    /// Size below which the append-only file is not rewritten by itself.
    auto_aof_rewrite_min_size: memory(u64, 0..=i64::MAX, 64 * MB) => "auto-aof-rewrite-min-size", [];
    /// Bytes loaded between two looks at the clients.
    loading_process_events_interval_bytes: int(u64, 1024..=i32::MAX, 2 * MB) => "loading-process-events-interval-bytes", [HIDDEN];
    /// TLS port; 0 for none.
    tls_port: int(u16, 0..=65535, 0) => "tls-port", [];
    /// TLS sessions kept.
    tls_session_cache_size: int(u32, 0..=i32::MAX, 20480) => "tls-session-cache-size", [];
    /// Seconds for which a TLS session is kept.
    tls_session_cache_timeout: int(u32, 0..=i32::MAX, 300) => "tls-session-cache-timeout", [];
    /// Whether the cluster bus uses TLS.
    tls_cluster: flag(false) => "tls-cluster", [];
    /// Whether the link to the primary uses TLS.
    tls_replication: flag(false) => "tls-replication", [];
    /// Whether TLS clients must show a certificate.
    tls_auth_clients: choice(TlsAuthClients, Yes) => "tls-auth-clients", [];
    /// Whether the server's order of ciphers counts.
    tls_prefer_server_ciphers: flag(false) => "tls-prefer-server-ciphers", [];
    /// Whether TLS sessions are kept.
    tls_session_caching: flag(true) => "tls-session-caching", [];
    /// Certificate.
    tls_cert_file: optional() => "tls-cert-file", [];
    /// Private key.
    tls_key_file: optional() => "tls-key-file", [];
    /// Passphrase of the private key.
    tls_key_file_pass: optional() => "tls-key-file-pass", [];
    /// Certificate for outgoing connections.
    tls_client_cert_file: optional() => "tls-client-cert-file", [];
    /// Private key for outgoing connections.
    tls_client_key_file: optional() => "tls-client-key-file", [];
    /// Passphrase of the private key for outgoing connections.
    tls_client_key_file_pass: optional() => "tls-client-key-file-pass", [];
    /// Diffie-Hellman parameters.
    tls_dh_params_file: optional() => "tls-dh-params-file", [];
    /// Certificates of the authorities that are trusted.
    tls_ca_cert_file: optional() => "tls-ca-cert-file", [];
    /// Directory of such certificates.
    tls_ca_cert_dir: optional() => "tls-ca-cert-dir", [];
    /// TLS versions allowed.
    tls_protocols: optional() => "tls-protocols", [];
    /// Ciphers allowed up to TLS 1.2.
    tls_ciphers: optional() => "tls-ciphers", [];
    /// Cipher suites allowed in TLS 1.3.
    tls_ciphersuites: optional() => "tls-ciphersuites", [];
    /// Working directory, where files are written.
    dir: special(WorkDir, WorkDir::current()) => "dir", [PROTECTED DENY_LOADING];
    /// Pairs of seconds and changes after which the data is saved.
    save: special(SavePoints, SavePoints::redis()) => "save", [MULTI_ARG];
    /// For each class of clients the hard limit, the soft limit and the seconds it may be exceeded.
    client_output_buffer_limit: special(OutputBufferLimits, OutputBufferLimits::redis()) => "client-output-buffer-limit", [MULTI_ARG];
    /// Score of a primary, a replica and a background process.
    oom_score_adj_values: special(OomScores, OomScores([0, 200, 800])) => "oom-score-adj-values", [MULTI_ARG];
    /// Classes of keyspace notifications; empty for none.
    notify_keyspace_events: special(NotifyClasses, NotifyClasses::empty()) => "notify-keyspace-events", [];
    /// Addresses to listen on; one with a leading `-` may be missing.
    bind: special(BindAddresses, BindAddresses::loopback()) => "bind", [MULTI_ARG];
    /// Host and port of the primary.
    replicaof: special(ReplicaOf, ReplicaOf(None)) => "replicaof" | "slaveof", [IMMUTABLE MULTI_ARG];
    /// Percentiles of latency shown by INFO.
    latency_tracking_info_percentiles: special(Percentiles, Percentiles::redis()) => "latency-tracking-info-percentiles", [MULTI_ARG];
    /// Number of shards; 0 for a power of two of at least four a core.
    shards: int(u32, 0..=16384, 0) => "shards", [IMMUTABLE];
    /// Flags of scripts without a shebang line, such as `allow-cross-slot-keys`; empty for none.
    lua_default_flags: special(ScriptFlags, ScriptFlags::empty()) => "lua-default-flags", [MULTI_ARG];
    /// Milliseconds that a script may run; 0 for as many as it likes. A script's first line can set less.
    script_max_ms: int(u64, 0..=i64::MAX, 0) => "script-max-ms", [];
    /// End scripts that are over their limit of time, unless they have written; else others are answered BUSY.
    script_kill_over_limit: flag(true) => "script-kill-over-limit", [];
    /// Take `load`, `loadstring`, `coroutine`, `collectgarbage` and their like away from scripts.
    lua_strict_sandbox: flag(false) => "lua-strict-sandbox", [IMMUTABLE];
    /// Memory of one shard's scripts; 0 for no limit.
    script_memory_limit: memory(u64, 0..=i64::MAX, 256 * MB) => "script-memory-limit", [];
    /// Scripts that only EVAL has seen, at most; the least recently used go. 0 for no limit.
    script_cache_max_entries: int(usize, 0..=i64::MAX, 500) => "script-cache-max-entries", [];
    /// Memory of scripts that only EVAL has seen, at most; 0 for no limit.
    script_cache_max_bytes: memory(usize, 0..=i64::MAX, 0) => "script-cache-max-bytes", [];
    /// Directory whose files `*.lua` are loaded at start, as by FUNCTION LOAD.
    function_load_dir: optional() => "function-load-dir", [IMMUTABLE];
    /// Form of log lines: for people, or a JSON object each.
    log_format: choice(LogFormat, Human) => "log-format", [IMMUTABLE];
}
