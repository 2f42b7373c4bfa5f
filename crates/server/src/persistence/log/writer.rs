//! Puts the journals in order, writes and syncs them, and tells how far that has come: a step at a time, on a thread of its
//! own, or on the one whose clients wait.

use super::output::{Failure, Output};
use super::{Log, Order, State};
use crate::config::{AppendFsync, Settings};
use crate::persistence::Activity;
use crate::server::{Server, unix_ms};
use moonshard_journal::Collected;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::{Duration, Instant};

/// While records come, they are written every so often; `always` does not wait for more to come.
const GATHER: Duration = Duration::from_millis(5);
/// Time between two syncs of `everysec`.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// Whoever waits for a reply wakes the thread; what was recorded without one is looked for so often.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// After a failure, so long until the next attempt.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// A sync that takes less than this is not worth waking another thread for.
const QUICK_SYNC_NANOS: u64 = 250_000;

/// What takes records from the journals to the disk, one step after another.
pub(super) struct Writer {
    server: Arc<Server>,
    output: Output,
    collected: Collected,
    /// When the last sync began.
    synced_at: Instant,
    /// Who waits to hear that everything is on the disk.
    waiting: Vec<tokio::sync::oneshot::Sender<io::Result<()>>>,
}

impl Writer {
    pub(super) fn new(server: Arc<Server>) -> Self {
        let last = server.persistence.log.last();
        Self {
            server,
            output: Output::new(last),
            collected: Collected::default(),
            synced_at: Instant::now(),
            waiting: Vec::new(),
        }
    }

    fn log(&self) -> &Log {
        &self.server.persistence.log
    }

    /// Takes what was recorded and asked for, writes it, syncs it if that is due, and tells who waits.
    fn step(&mut self) -> Pause {
        let settings = self.server.config.load_full();
        let gathered = self.gather(&settings);
        let outcome = gathered.and_then(|()| self.write(&settings));
        self.tell(&settings, &outcome);
        self.pause(&settings, outcome.is_err())
    }

    /// Takes what was recorded and asked for.
    fn gather(&mut self, settings: &Settings) -> Result<(), Failure> {
        let server = self.server.clone();
        let log = &server.persistence.log;
        let mut orders = std::mem::take(&mut *log.orders.lock()).into_iter().peekable();
        log.has_orders.store(false, SeqCst);
        log.journals.collect(&mut self.collected);
        if !self.collected.is_empty() {
            let _ = log.unsynced_since_ms.compare_exchange(0, unix_ms(), Relaxed, Relaxed);
        }
        let mut outcome = Ok(());
        let seconds = settings.aof_timestamp_enabled.then(|| unix_ms() / 1000);
        let collected = std::mem::take(&mut self.collected);
        for (number, record) in collected.iter() {
            while let Some(order) = orders.next_if(|order| order.after().is_none_or(|after| after < number)) {
                outcome = outcome.and(self.follow(order));
            }
            // After a failure everything is only kept.
            let put = self.output.put(number, record, seconds, outcome.is_ok());
            outcome = outcome.and(put);
        }
        self.collected = collected;
        for order in orders {
            outcome = outcome.and(self.follow(order));
        }
        outcome
    }

    fn follow(&mut self, order: Order) -> Result<(), Failure> {
        match order {
            Order::Switch { file, len, .. } => self.output.switch(file, len),
            Order::DropEarlier => {
                self.output.drop_earlier();
                self.log().wants_base.store(false, Relaxed);
            }
            Order::Sync(sender) => self.waiting.push(sender),
            Order::Close { .. } => {
                let outcome = self.output.sync();
                self.output.close();
                return outcome;
            }
        }
        Ok(())
    }

    /// Writes what was gathered, and syncs it if it is time for that.
    fn write(&mut self, settings: &Settings) -> Result<(), Failure> {
        let begun = self.server.ticks.raw();
        self.output.write()?;
        self.note("aof-write", begun);
        if self.output.is_unsynced() && self.is_sync_due(settings) {
            self.synced_at = Instant::now();
            let begun = self.server.ticks.raw();
            self.output.sync()?;
            self.note(
                if settings.appendfsync == AppendFsync::Always { "aof-fsync-always" } else { "aof-fsync" },
                begun,
            );
            let (average, nanos) = (&self.log().sync_nanos, self.synced_at.elapsed().as_nanos() as u64);
            average.store((average.load(Relaxed) * 7 + nanos) / 8, Relaxed);
        }
        Ok(())
    }

    fn is_sync_due(&self, settings: &Settings) -> bool {
        if !self.waiting.is_empty() {
            return true;
        }
        if settings.no_appendfsync_on_rewrite && self.server.persistence.activity() != Activity::None {
            return false;
        }
        match settings.appendfsync {
            AppendFsync::Always => true,
            AppendFsync::EverySec => self.synced_at.elapsed() >= SYNC_EVERY,
            AppendFsync::No => false,
        }
    }

    fn note(&self, event: &'static str, begun: u64) {
        let ticks = &self.server.ticks;
        self.server.latency.note(event, ticks.delta_as_nanos(begun, ticks.raw()));
    }

    /// Tells everybody how far the log has come.
    fn tell(&mut self, settings: &Settings, outcome: &Result<(), Failure>) {
        let server = self.server.clone();
        let log = &server.persistence.log;
        match outcome {
            Ok(()) => {
                if log.failure.swap(0, Relaxed) != 0 {
                    tracing::info!("the log can be written again");
                    server.judge_writes();
                }
            }
            Err(failure) => {
                log.wants_base.fetch_or(matches!(failure, Failure::Sync(_)), Relaxed);
                let errno = failure.error().raw_os_error().unwrap_or(libc::EIO);
                if log.failure.swap(errno, Relaxed) != errno {
                    tracing::error!(error = %failure.error(), "the log cannot be written: writes are refused");
                    server.judge_writes();
                }
                // Those who only read wait no longer. With every attempt, since somebody may have begun to wait in the moment of the failure.
                log.progress.wake_all();
            }
        }
        log.len.store(self.output.len(), Relaxed);
        log.pending.store(self.output.pending(), Relaxed);
        if !self.output.is_unsynced() && self.output.pending() == 0 {
            log.unsynced_since_ms.store(0, Relaxed);
        }
        if outcome.is_ok() && log.is_stalled.swap(false, Relaxed) {
            log.judge_replies(settings.appendfsync, unix_ms());
        }
        let (written, synced) = (self.output.written(), self.output.synced());
        let is_strict = settings.appendfsync == AppendFsync::Always
            && log.state() == State::On
            && !(settings.no_appendfsync_on_rewrite && server.persistence.activity() != Activity::None);
        let is_late = settings.appendfsync == AppendFsync::EverySec
            && log.holds_replies()
            && !log.is_stalled.load(Relaxed);
        log.progress.publish(synced, if is_strict || is_late { synced } else { written });
        for sender in self.waiting.drain(..) {
            let outcome = match outcome {
                Ok(()) => Ok(()),
                Err(failure) => Err(io::Error::new(failure.error().kind(), failure.error().to_string())),
            };
            // Who asked may have given up.
            let _ = sender.send(outcome);
        }
    }

    /// What to wait for after a step that went so.
    fn pause(&self, settings: &Settings, failed: bool) -> Pause {
        if failed {
            return Pause::For(RETRY_AFTER);
        }
        if !self.collected.is_empty() && settings.appendfsync != AppendFsync::Always {
            // Without being woken for each record.
            return Pause::For(GATHER);
        }
        let until = if self.output.is_unsynced() && settings.appendfsync == AppendFsync::EverySec {
            Some(SYNC_EVERY.saturating_sub(self.synced_at.elapsed()))
        } else if self.log().holds_replies() || self.output.is_unsynced() {
            Some(LOOK_EVERY)
        } else {
            None
        };
        Pause::UntilRecorded { last: self.collected.last(), until }
    }
}

/// What the thread waits for.
enum Pause {
    For(Duration),
    /// For a record after `last`, or an order, or at most for so long.
    UntilRecorded {
        last: u64,
        until: Option<Duration>,
    },
}

impl Log {
    fn rest(&self, pause: &Pause) {
        match pause {
            Pause::For(time) => std::thread::park_timeout(*time),
            Pause::UntilRecorded { last, until } => {
                self.sleeps.store(true, SeqCst);
                if self.journals.last() == *last && !self.has_orders.load(SeqCst) {
                    match until {
                        Some(time) => std::thread::park_timeout(*time),
                        None => std::thread::park(),
                    }
                }
                self.sleeps.store(false, Relaxed);
            }
        }
    }
}

/// The log's thread: runs as long as the process does.
pub(super) fn run(server: &Server) {
    let log = &server.persistence.log;
    loop {
        // Not kept while it rests: others may take a step meanwhile.
        let pause = match &mut *log.writer.lock() {
            Some(writer) => writer.step(),
            None => return,
        };
        log.rest(&pause);
    }
}

impl Server {
    /// Brings to the disk what replies wait for. Where the disk is quick, this thread does so itself, which is cheaper than
    /// waking another; else the log's thread is woken, and this one goes on with other connections.
    pub fn hasten_log(&self) {
        let log = &self.persistence.log;
        let is_quick = log.sync_nanos.load(Relaxed) < QUICK_SYNC_NANOS && log.failure().is_none();
        if is_quick
            && let Some(mut writer) = log.writer.try_lock()
            && let Some(writer) = &mut *writer
        {
            writer.step();
        } else {
            log.hurry();
        }
    }
}
