//! Snapshots on disk, in Redis' RDB format: written without fork while commands go on, loaded at start.
//!
//! A snapshot begins with all shards locked for a moment, so it is of one point in time over all of them. Then each
//! shard in turn writes a slice of what it has ([`moonshard_engine::keyspace::Snapshot`]), under its own lock, and a
//! thread writes the pieces to the file.

mod activity;
mod commands;
mod file;
mod load;
mod loading;
mod log;
mod pieces;
mod reload;
mod rewrite;

pub use activity::Activity;
pub use load::{load, load_log_again};
pub use loading::{Loading, Progress};
pub use log::{Log, Place, State as LogState};
pub use reload::reload;

use crate::config::{Settings, ShutdownFlags};
use crate::figures::ShardFigures;
use crate::pause::Paused;
use crate::server::{Server, engine_settings, unix_ms};
use crate::shards::ShardGuards;
use activity::Claim;
use file::Header;
use moonshard_engine::Error;
use moonshard_engine::admission::Gate;
use moonshard_engine::keyspace::AccessClock;
use moonshard_lock::lock_all;
use pieces::Walk;
use rewrite::Rewriting;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// After a failure, the next attempt of its own waits so long.
const RETRY_MS: u64 = 5_000;

/// Writes that come while the server ends are held back for as long as that takes.
const END_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// When the server ends, scripts that have not written are ended after this.
const SCRIPTS_END_WITHIN: Duration = Duration::from_millis(50);

/// How often to look whether another snapshot is done.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What is said to those who want a snapshot while one is written, or a base of the log.
pub const IN_PROGRESS: Error = Error::fixed("ERR Background save already in progress");
const ANOTHER_IN_PROGRESS: Error = Error::fixed(
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a \
     BGSAVE whenever possible.",
);

/// How snapshots and the log stand.
pub struct Persistence {
    claim: Claim,
    /// Whether a snapshot is to be written when nothing else is.
    pub snapshot_scheduled: AtomicBool,
    /// How rewriting the log stands.
    pub rewriting: Rewriting,
    /// How far the walk over the shards is.
    pub walk: Walk,
    /// Unix time in milliseconds of the begin of the snapshot that is being written.
    begun_ms: AtomicU64,
    /// Unix time in seconds of the last one that succeeded; at first, of the start.
    pub last_save: AtomicU64,
    last_attempt_ms: AtomicU64,
    failed: AtomicBool,
    /// Seconds that the last one took; -1 before the first.
    pub last_seconds: AtomicI64,
    /// Snapshots begun since the start.
    pub saves: AtomicU64,
    /// Keys of what is being written, a snapshot or a base of the log: written so far, and in all.
    pub keys: (AtomicU64, AtomicU64),
    /// How loading stands.
    pub loading: Loading,
    /// Keys loaded at the start, and keys left out because they were due.
    pub loaded: (AtomicU64, AtomicU64),
    /// Whether writes are refused because the last snapshot failed, or because the log cannot be written.
    refuses_writes: AtomicBool,
    /// The append-only log.
    pub log: Log,
}

impl Persistence {
    /// Nothing saved and nothing loaded, of so many shards.
    pub fn new(shards: usize) -> Self {
        Self {
            claim: Claim::default(),
            snapshot_scheduled: AtomicBool::new(false),
            rewriting: Rewriting::default(),
            walk: Walk::default(),
            begun_ms: AtomicU64::new(0),
            last_save: AtomicU64::new(unix_ms() / 1000),
            last_attempt_ms: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            last_seconds: AtomicI64::new(-1),
            saves: AtomicU64::new(0),
            keys: (AtomicU64::new(0), AtomicU64::new(0)),
            loading: Loading::default(),
            loaded: (AtomicU64::new(0), AtomicU64::new(0)),
            refuses_writes: AtomicBool::new(false),
            log: Log::new(shards),
        }
    }

    /// What is being written.
    pub fn activity(&self) -> Activity {
        self.claim.activity()
    }

    /// Whether a snapshot is being written, as a file of its own.
    pub fn is_saving(&self) -> bool {
        self.activity() == Activity::Snapshot
    }

    /// Whether the last snapshot failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// Whether writes are refused: because the last snapshot failed (`stop-writes-on-bgsave-error`), or because the log
    /// cannot be written.
    #[inline]
    pub fn refuses_writes(&self) -> bool {
        self.refuses_writes.load(Relaxed)
    }

    /// Seconds since the snapshot that is being written began; -1 when none is.
    pub fn current_seconds(&self) -> i64 {
        if self.is_saving() {
            (unix_ms().saturating_sub(self.begun_ms.load(Relaxed)) / 1000) as i64
        } else {
            -1
        }
    }
}

/// A snapshot that has begun.
pub struct Begun {
    header: Header,
    /// Changes of all shards before it began.
    changes: u64,
}

impl Server {
    /// Loads libraries of functions in a way that is no change of the data: they are on the disk.
    pub fn load_unchanged<T>(&self, load: impl FnOnce() -> T) -> T {
        let generation = || self.scripts.registry.libraries().generation();
        let before = generation();
        let loaded = load();
        self.figures.saved_changes.fetch_add(generation() - before, Relaxed);
        loaded
    }

    /// What the state of the last snapshot and of the log forbids.
    #[inline]
    pub fn gate(&self) -> Gate {
        if self.persistence.refuses_writes() { self.closed_gate() } else { Gate::empty() }
    }

    #[cold]
    fn closed_gate(&self) -> Gate {
        let of_log = self.persistence.log.failure().map_or(Gate::empty(), Gate::log_failed);
        if self.must_refuse(&self.config.load()) { of_log | Gate::SNAPSHOT_FAILED } else { of_log }
    }

    /// Whether the last snapshot's failure is a reason to refuse writes.
    fn must_refuse(&self, settings: &Settings) -> bool {
        settings.stop_writes_on_bgsave_error && !settings.save.0.is_empty() && self.persistence.has_failed()
    }

    /// Begins a claimed snapshot on all shards, which are locked: a file of its own, or a base of the log.
    fn begin_snapshot(&self, guards: &mut ShardGuards<'_>, is_base: bool) -> Begun {
        let settings = self.config.load_full();
        let engine = engine_settings(&settings, self.seed);
        let now_ms = unix_ms();
        let libraries = self.scripts.registry.libraries();
        let mut header = Header {
            now_ms,
            used_memory: self.used_memory(),
            timed_fields: false,
            is_base,
            sizes: vec![(0, 0); engine.databases],
            stored: self.scripts.registry.stored(),
        };
        let (mut changes, mut keys) = (libraries.generation(), 0);
        let clock = AccessClock::of_snapshot(now_ms, &engine);
        for (_, guard) in guards.iter_mut() {
            guard.shard.begin_snapshot(settings.rdbcompression, clock);
            changes += guard.shard.effects.changes;
            keys += guard.shard.len() as u64;
            for (database, size) in guard.shard.databases.iter().zip(&mut header.sizes) {
                header.timed_fields |= database.hashes_with_deadlines() > 0;
                size.0 += database.len() as u64;
                size.1 += database.expiring() as u64;
            }
        }
        self.persistence.keys.0.store(0, Relaxed);
        self.persistence.keys.1.store(keys, Relaxed);
        Begun { header, changes }
    }

    /// Claims and begins a snapshot of its own.
    ///
    /// # Errors
    /// When something else is being written, and `BUSY`.
    async fn begin_saving(&self) -> Result<Begun, Error> {
        let state = &self.persistence;
        state.claim.begin(Activity::Snapshot)?;
        let all: Vec<usize> = (0..self.shards.len()).collect();
        let Ok(mut guards) = lock_all(&self.shards, &all).await else {
            state.claim.end();
            return Err(self.busy_error(&all));
        };
        let begun = self.begin_snapshot(&mut guards, false);
        drop(guards);
        state.begun_ms.store(begun.header.now_ms, Relaxed);
        state.last_attempt_ms.store(begun.header.now_ms, Relaxed);
        state.snapshot_scheduled.store(false, Relaxed);
        state.saves.fetch_add(1, Relaxed);
        Ok(begun)
    }

    /// Begins a snapshot, which is written in its own time; whoever wants to know how it ended looks at [`Persistence`].
    ///
    /// # Errors
    /// When something else is being written, and `BUSY`.
    pub async fn save_in_background(self: &Arc<Self>) -> Result<(), Error> {
        let begun = self.begin_saving().await?;
        let server = self.clone();
        tokio::spawn(async move {
            // What went wrong is in the server's log, and in INFO.
            let _ = server.write_snapshot(begun).await;
        });
        Ok(())
    }

    /// Takes a snapshot and waits until it is on the disk. A rewrite of the log that is going on is waited for.
    ///
    /// # Errors
    /// When one is being written already, or this one fails.
    pub async fn save(self: &Arc<Self>) -> Result<(), Error> {
        let begun = loop {
            self.persistence.claim.after_rewrite().await;
            match self.begin_saving().await {
                Err(error) if error == ANOTHER_IN_PROGRESS => {}
                begun => break begun?,
            }
        };
        self.write_snapshot(begun).await.map_err(|error| Error::text(format!("ERR {error}")))
    }

    /// Keeps what is to be kept before the server ends: a last snapshot, if the settings have save points or `how` asks
    /// for it, and the log. From then on nothing is changed any more, so nobody is told of a change that is lost. What is
    /// loaded so far must not take the place of what is on the disk, so nothing is done while that goes on.
    ///
    /// # Errors
    /// When one of them fails, unless `how` says to end nevertheless; the server goes on then.
    pub async fn keep_at_end(self: &Arc<Self>, how: ShutdownFlags) -> Result<(), Error> {
        if self.persistence.loading.is_active() {
            return Ok(());
        }
        let (by_itself, force) = (!self.config.load().save.0.is_empty(), how.contains(ShutdownFlags::FORCE));
        let saves = how.contains(ShutdownFlags::SAVE) || (by_itself && !how.contains(ShutdownFlags::NOSAVE));
        self.pause.start(END_PAUSE, Paused::Writes);
        let mut kept = if saves { self.save_after_others().await } else { Ok(()) };
        if kept.is_ok() || force {
            kept = kept.and(self.sync_log_for_good().await);
        }
        match kept {
            Err(error) if force => {
                tracing::error!("not everything could be kept, and the server ends nevertheless: {error}");
                Ok(())
            }
            Err(error) => {
                tracing::error!("not everything could be kept, so the server stays: {error}");
                self.pause.end();
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Brings the log to the disk and keeps all shards locked: the process is about to end, and what was under way when
    /// clients were paused must not be answered after that.
    async fn sync_log_for_good(&self) -> Result<(), Error> {
        match self.persistence.log.state() {
            LogState::Off => return Ok(()),
            LogState::Waiting if self.persistence.activity() == Activity::Rewrite => {
                return Err(Error::fixed("ERR the first base of the log is being written"));
            }
            LogState::Waiting | LogState::On => {}
        }
        let all: Vec<usize> = (0..self.shards.len()).collect();
        let lock = async {
            loop {
                match lock_all(&self.shards, &all).await {
                    Ok(guards) => return guards,
                    Err(_) => tokio::time::sleep(LOOK_EVERY).await,
                }
            }
        };
        let guards = self.despite_scripts(lock).await;
        self.sync_log().await.map_err(|error| Error::text(format!("ERR the log: {error}")))?;
        std::mem::forget(guards);
        Ok(())
    }

    /// Takes a snapshot, once the one is done that may be going on.
    ///
    /// # Errors
    /// When it fails.
    pub async fn save_after_others(self: &Arc<Self>) -> Result<(), Error> {
        let save = async {
            loop {
                match self.save().await {
                    Err(error) if error == IN_PROGRESS || error.is_busy() => {
                        tokio::time::sleep(LOOK_EVERY).await;
                    }
                    outcome => return outcome,
                }
            }
        };
        self.persistence.rewriting.give_up();
        self.despite_scripts(save).await
    }

    /// Does what needs the shards when the server ends. A script would hold its shard for as long as it likes, so one that
    /// has not written is ended soon. Of one that has written half would be kept: it has time until it counts as busy.
    async fn despite_scripts<T>(&self, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let timeout = Duration::from_secs(u64::from(self.config.load().shutdown_timeout));
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if begun.elapsed() >= timeout {
                self.end_scripts();
            } else if begun.elapsed() >= SCRIPTS_END_WITHIN {
                self.end_most_scripts();
            }
        }
    }

    /// Writes a snapshot that has begun, and notes how it went.
    async fn write_snapshot(self: &Arc<Self>, begun: Begun) -> io::Result<()> {
        let changes = begun.changes;
        let path = PathBuf::from(String::from_utf8_lossy(&self.config.load().dbfilename).into_owned());
        let outcome = self.write_pieces(begun.header, path, true).await;
        let state = &self.persistence;
        let now_ms = unix_ms();
        state
            .last_seconds
            .store((now_ms.saturating_sub(state.begun_ms.load(Relaxed)) / 1000) as i64, Relaxed);
        state.failed.store(outcome.is_err(), Relaxed);
        match &outcome {
            Ok(()) => {
                state.last_save.store(now_ms / 1000, Relaxed);
                self.figures.saved_changes.store(changes, Relaxed);
                tracing::info!(keys = state.keys.0.load(Relaxed), "snapshot saved on disk");
            }
            Err(error) => tracing::warn!(%error, "snapshot failed"),
        }
        self.judge_writes();
        state.claim.end();
        outcome
    }

    /// Decides whether writes are refused, when a snapshot has ended, the log has failed or recovered, or the settings
    /// have changed.
    pub fn judge_writes(&self) {
        let refuses = self.must_refuse(&self.config.load()) || self.persistence.log.failure().is_some();
        self.persistence.refuses_writes.store(refuses, Relaxed);
    }

    /// Changes of keys and of libraries since the last snapshot.
    pub fn unsaved_changes(&self, shards: &[ShardFigures]) -> u64 {
        let of_keys: u64 = shards.iter().map(|shard| shard.changes).sum();
        let changes = of_keys + self.scripts.registry.libraries().generation();
        changes.saturating_sub(self.figures.saved_changes.load(Relaxed))
    }

    /// Takes a snapshot if a save point says so; called about every second.
    pub async fn save_by_itself(self: &Arc<Self>) {
        let state = &self.persistence;
        let settings = self.config.load_full();
        let unsaved = self.unsaved_changes(&self.shard_figures());
        let now_ms = unix_ms();
        let since = (now_ms / 1000).saturating_sub(state.last_save.load(Relaxed));
        let due = settings.save.0.iter().any(|point| {
            unsaved >= u64::try_from(point.changes).unwrap_or(0)
                && since > u64::try_from(point.seconds).unwrap_or(0)
        });
        let may =
            !state.has_failed() || now_ms.saturating_sub(state.last_attempt_ms.load(Relaxed)) > RETRY_MS;
        if due && may && state.activity() == Activity::None {
            tracing::info!(unsaved, seconds = since, "changes since the last snapshot: saving");
            // What went wrong is in the server's log, and in INFO.
            let _ = self.save_in_background().await;
        }
    }

    /// Takes a snapshot if one was put off, unless the last one has failed just now.
    async fn save_what_was_scheduled(self: &Arc<Self>) {
        let state = &self.persistence;
        let since_ms = unix_ms().saturating_sub(state.last_attempt_ms.load(Relaxed));
        if state.snapshot_scheduled.load(Relaxed) && (since_ms > RETRY_MS || !state.has_failed()) {
            // It stays scheduled until it begins.
            let _ = self.save_in_background().await;
        }
    }
}
