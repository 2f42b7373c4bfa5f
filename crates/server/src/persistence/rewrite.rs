//! A new base of the log: a snapshot, from which on changes go to an increment of their own.

use super::log::{Files, Rewrite};
use super::{Activity, Begun, LogState};
use crate::config::Settings;
use crate::server::{Server, unix_ms};
use moonshard_engine::Error;
use moonshard_lock::lock_all;
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering::Relaxed};

/// After a failed attempt to write a base that alone makes the log valid again, so long until the next one.
const RETRY_MS: u64 = 1_000;
/// After so many failures in a row, what begins by itself waits.
const FAILURES_MAX: u32 = 3;
/// The longest time that it waits.
const DELAY_MINUTES_MAX: u64 = 60;

/// Somebody has changed the log's settings before the rewrite began.
const GIVEN_UP: Error = Error::fixed("ERR The rewrite was given up");

/// How rewriting stands.
#[derive(Debug)]
pub struct Rewriting {
    scheduled: AtomicBool,
    /// Whether what is being written is not wanted any more.
    given_up: AtomicBool,
    begun_ms: AtomicU64,
    /// Seconds that the last one took; -1 before the first.
    pub last_seconds: AtomicI64,
    failed: AtomicBool,
    /// Rewrites begun since the start.
    pub count: AtomicU64,
    /// Failures since the last one that succeeded.
    pub failures: AtomicU32,
    patience: Mutex<Patience>,
}

impl Default for Rewriting {
    fn default() -> Self {
        Self {
            scheduled: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
            begun_ms: AtomicU64::new(0),
            last_seconds: AtomicI64::new(-1),
            failed: AtomicBool::new(false),
            count: AtomicU64::new(0),
            failures: AtomicU32::new(0),
            patience: Mutex::default(),
        }
    }
}

impl Rewriting {
    /// The log is rewritten as soon as nothing else is being written, however often that has failed.
    pub fn schedule(&self) {
        self.failures.store(0, Relaxed);
        self.scheduled.store(true, Relaxed);
    }

    /// Whether a rewrite waits for something else.
    pub fn is_scheduled(&self) -> bool {
        self.scheduled.load(Relaxed)
    }

    /// Whether the last one failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// Seconds since the present one began.
    pub fn current_seconds(&self) -> u64 {
        unix_ms().saturating_sub(self.begun_ms.load(Relaxed)) / 1000
    }

    /// Ends the one that is going on, as if it had not begun.
    pub fn give_up(&self) {
        self.given_up.store(true, Relaxed);
    }

    /// Whether the one that is going on is not wanted any more.
    pub fn is_given_up(&self) -> bool {
        self.given_up.load(Relaxed)
    }

    fn note_failure(&self) {
        self.failed.store(true, Relaxed);
        self.failures.fetch_add(1, Relaxed);
    }
}

/// How long to wait after failures: longer from time to time.
#[derive(Debug, Default)]
struct Patience {
    delay_minutes: u64,
    /// Unix time in seconds until which nothing is tried; 0 if it is not to be waited for.
    until: u64,
}

impl Patience {
    /// Whether, after so many failures in a row, nothing is to be tried at this Unix time in seconds.
    fn is_limited(&mut self, failures: u32, seconds: u64) -> bool {
        if failures < FAILURES_MAX {
            *self = Self::default();
            return false;
        }
        if self.until != 0 {
            let waits = seconds < self.until;
            if !waits {
                self.until = 0;
            }
            return waits;
        }
        self.delay_minutes = (self.delay_minutes * 2).clamp(1, DELAY_MINUTES_MAX);
        self.until = seconds + self.delay_minutes * 60;
        tracing::warn!(minutes = self.delay_minutes, "rewriting the log has failed repeatedly: waiting");
        true
    }
}

/// Whether the log has grown so much that it is to be rewritten, from `base` bytes to `len`.
fn has_outgrown(settings: &Settings, base: u64, len: u64) -> bool {
    let percentage = u64::from(settings.auto_aof_rewrite_percentage);
    let growth = (len.saturating_mul(100) / base.max(1)).saturating_sub(100);
    percentage > 0 && len > settings.auto_aof_rewrite_min_size && growth >= percentage
}

/// A rewrite that has begun.
struct BegunRewrite {
    rewrite: Rewrite,
    snapshot: Begun,
    /// Whether it is in the RDB format.
    rdb: bool,
}

impl Server {
    /// Sees to the log: it is rewritten if that was put off, or if only that helps, or if it has grown. What else was put
    /// off is begun. Called several times a second.
    pub async fn tend_log(self: &Arc<Self>) {
        let settings = self.config.load_full();
        let (log, rewriting) = (&self.persistence.log, &self.persistence.rewriting);
        self.log_as_time_goes(&settings);
        if self.persistence.activity() != Activity::None {
            return;
        }
        let now_ms = unix_ms();
        let may = || {
            let failures = rewriting.failures.load(Relaxed);
            !rewriting.patience.lock().is_limited(failures, now_ms / 1000)
        };
        let is_due = if log.wants_base() {
            log.may_try(now_ms, RETRY_MS)
        } else if rewriting.is_scheduled() {
            may()
        } else {
            log.state() == LogState::On
                && has_outgrown(&settings, log.rewritten_len(), log.current_len())
                && may()
        };
        if is_due {
            // Whoever calls this has other things to do than to wait until it has begun.
            let server = self.clone();
            tokio::spawn(async move {
                // What went wrong is in the server's log, and in INFO.
                let _ = server.rewrite_in_background().await;
            });
        } else {
            self.save_what_was_scheduled().await;
        }
    }

    /// Begins to write a new base in its own time; whoever wants to know how it ended looks at [`Rewriting`].
    ///
    /// # Errors
    /// When something else is being written, `BUSY`, and the system's.
    pub async fn rewrite_in_background(self: &Arc<Self>) -> Result<(), Error> {
        let begun = self.begin_rewrite().await?;
        let server = self.clone();
        tokio::spawn(async move {
            // What went wrong is in the server's log, and in INFO.
            let _ = server.write_base(begun).await;
        });
        Ok(())
    }

    /// Writes a new base, and begins a new increment at the same moment.
    ///
    /// # Errors
    /// When something else is being written, or this fails; the log is then what it was.
    pub async fn rewrite_log(self: &Arc<Self>) -> Result<(), Error> {
        let begun = self.begin_rewrite().await?;
        self.write_base(begun).await.map_err(|error| Error::text(format!("ERR {error}")))
    }

    async fn begin_rewrite(self: &Arc<Self>) -> Result<BegunRewrite, Error> {
        let (claim, rewriting) = (&self.persistence.claim, &self.persistence.rewriting);
        if self.shards.iter().any(|cell| cell.lock.is_refusing()) {
            return Err(self.busy_error(&[]));
        }
        claim.begin(Activity::Rewrite)?;
        rewriting.given_up.store(false, Relaxed);
        self.ease_log(&self.config.load_full()).await;
        if rewriting.is_given_up() {
            claim.end();
            return Err(GIVEN_UP);
        }
        let settings = self.config.load_full();
        let rdb = settings.aof_use_rdb_preamble;
        let mut rewrite = match self.start_increment(&settings, rdb) {
            Ok(rewrite) => rewrite,
            Err(error) => {
                tracing::warn!(%error, "cannot rewrite the log");
                rewriting.failed.store(true, Relaxed);
                claim.end();
                return Err(Error::text(format!("ERR {error}")));
            }
        };
        let all: Vec<usize> = (0..self.shards.len()).collect();
        let locked = lock_all(&self.shards, &all).await.map_err(|_| self.busy_error(&all));
        // Had it been given up meanwhile, the cut would turn a log on again that was turned off.
        let locked =
            locked.and_then(|guards| if rewriting.is_given_up() { Err(GIVEN_UP) } else { Ok(guards) });
        let mut guards = match locked {
            Ok(guards) => guards,
            Err(error) => {
                self.abandon_rewrite(&rewrite);
                claim.end();
                return Err(error);
            }
        };
        if rewrite.has_increment() {
            self.cut_log(&guards, &mut rewrite);
        }
        let snapshot = self.begin_snapshot(&mut guards, true);
        drop(guards);
        rewriting.begun_ms.store(snapshot.header.now_ms, Relaxed);
        rewriting.scheduled.store(false, Relaxed);
        rewriting.count.fetch_add(1, Relaxed);
        tracing::info!("rewriting the log has begun");
        Ok(BegunRewrite { rewrite, snapshot, rdb })
    }

    /// Names a new base; and a new increment, unless the log is off.
    fn start_increment(&self, settings: &Settings, rdb: bool) -> io::Result<Rewrite> {
        let log = &self.persistence.log;
        let mut files = log.files.lock();
        if files.is_none() {
            let (folder, name) = (&settings.appenddirname, &settings.appendfilename);
            *files = Some(Files::read(self.disk.clone(), folder, name).map_err(io::Error::other)?);
        }
        let Some(files) = &mut *files else { return Err(io::Error::other("the log is off")) };
        let records = log.state() != LogState::Off || log.wants_base() || settings.appendonly;
        files.start_rewrite(records, log.state() == LogState::On, rdb)
    }

    async fn write_base(self: &Arc<Self>, begun: BegunRewrite) -> io::Result<()> {
        let BegunRewrite { rewrite, snapshot, rdb } = begun;
        let (rewriting, log) = (&self.persistence.rewriting, &self.persistence.log);
        let written = self.write_pieces(snapshot.header, rewrite.base.clone(), rdb).await;
        let outcome = written.and_then(|()| {
            if rewriting.is_given_up() {
                return Err(io::Error::other("it was given up"));
            }
            self.finish_rewrite(&rewrite)
        });
        if outcome.is_err() {
            self.abandon_rewrite(&rewrite);
        }
        match &outcome {
            Ok(()) => {
                rewriting.failed.store(false, Relaxed);
                rewriting.failures.store(0, Relaxed);
                tracing::info!(bytes = log.current_len(), "the log was rewritten");
            }
            Err(error) if rewriting.is_given_up() => tracing::info!(%error, "the log is not rewritten"),
            Err(error) => {
                rewriting.note_failure();
                tracing::warn!(%error, "the log could not be rewritten");
            }
        }
        rewriting.last_seconds.store(rewriting.current_seconds() as i64, Relaxed);
        self.persistence.claim.end();
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_failures_it_waits_longer_and_longer() {
        let mut patience = Patience::default();
        assert!(!patience.is_limited(2, 1_000));
        let mut now = 1_000;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(patience.is_limited(3, now));
            assert!(patience.is_limited(3, now + minutes * 60 - 1), "{minutes}");
            now += minutes * 60;
            assert!(!patience.is_limited(3, now), "{minutes}");
        }
        assert!(!patience.is_limited(0, now));
        assert!(patience.is_limited(3, now) && !patience.is_limited(3, now + 60));
    }

    #[test]
    fn growth_is_measured_as_in_redis() {
        let mut settings = Settings::default();
        (settings.auto_aof_rewrite_percentage, settings.auto_aof_rewrite_min_size) = (100, 1_000);
        assert!(!has_outgrown(&settings, 400, 1_000));
        assert!(has_outgrown(&settings, 400, 1_001));
        assert!(!has_outgrown(&settings, 1_000, 1_999));
        assert!(has_outgrown(&settings, 1_000, 2_000));
        assert!(has_outgrown(&settings, 0, 1_001));
        settings.auto_aof_rewrite_percentage = 0;
        assert!(!has_outgrown(&settings, 0, 1_000_000));
    }
}
