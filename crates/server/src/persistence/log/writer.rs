//! Puts the journals in order, writes and syncs them, and tells how far that has come: a step at a time, on the thread
//! whose clients wait, or on one of its own.

use super::output::{Failure, Output, Syncing};
use super::{Log, Order, QUICK_STEP_NANOS, State};
use crate::config::{AppendFsync, Settings};
use crate::persistence::Activity;
use crate::server::{Server, unix_ms};
use moonshard_journal::Collected;
use std::io;
use std::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};
use std::thread::{park, park_timeout, sleep};
use std::time::{Duration, Instant};

/// Time between two syncs of `everysec`.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// After a failure, so long until the next attempt.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// The part of a sync's time that is waited for more to sync, and the part of that between two looks.
const PATIENCE: u32 = 4;
/// The longest time that is waited for more.
const PATIENCE_MAX: Duration = Duration::from_millis(5);

/// What takes records from the journals to the disk, one step after another.
pub(super) struct Writer {
    output: Output,
    collected: Collected,
    /// When the last sync began.
    synced_at: Instant,
    /// Whether the thread that syncs sleeps until there is something to sync.
    sync_rests: bool,
    /// Who waits to hear that everything is on the disk.
    waiting: Vec<tokio::sync::oneshot::Sender<io::Result<()>>>,
}

/// What the thread that syncs is to do.
pub(super) enum NextSync {
    Begin(Syncing),
    After(Duration),
    /// Sleep until it is woken.
    Rest,
}

impl Writer {
    /// A writer that takes what is recorded after the record `last`.
    pub(super) fn new(last: u64) -> Self {
        Self {
            output: Output::new(last),
            collected: Collected::default(),
            synced_at: Instant::now(),
            sync_rests: false,
            waiting: Vec::new(),
        }
    }

    /// Takes what was recorded and asked for, writes it, syncs it if that is due, and tells who waits. Returns whether
    /// that could be done.
    pub(super) fn step(&mut self, server: &Server) -> bool {
        // Before anything is taken: whoever asks later is seen afterwards.
        server.persistence.log.is_asked.swap(false, SeqCst);
        let settings = server.config.load();
        let gathered = self.gather(server, &settings);
        let outcome = gathered.and_then(|()| self.write(server, &settings));
        note_outcome(server, &outcome);
        self.publish(server, &settings);
        for sender in self.waiting.drain(..) {
            let outcome = match &outcome {
                Ok(()) => Ok(()),
                Err(failure) => Err(io::Error::new(failure.error().kind(), failure.error().to_string())),
            };
            // Who asked may have given up.
            let _ = sender.send(outcome);
        }
        outcome.is_ok()
    }

    /// Takes what was recorded and asked for.
    fn gather(&mut self, server: &Server, settings: &Settings) -> Result<(), Failure> {
        let log = &server.persistence.log;
        // Both under the mutex: nothing is taken that was recorded after an order that is not.
        let mut waiting = log.orders.lock();
        let mut orders = std::mem::take(&mut *waiting).into_iter().peekable();
        log.has_orders.store(false, SeqCst);
        log.journals.collect(&mut self.collected);
        drop(waiting);
        if !self.collected.is_empty() && log.unsynced_since_ms.load(Relaxed) == 0 {
            log.unsynced_since_ms.store(unix_ms(), Relaxed);
        }
        let mut outcome = Ok(());
        let seconds = settings.aof_timestamp_enabled.then(|| unix_ms() / 1000);
        let collected = std::mem::take(&mut self.collected);
        for (number, record) in collected.iter() {
            while let Some(order) = orders.next_if(|order| order.after().is_none_or(|after| after < number)) {
                outcome = outcome.and(self.follow(log, order));
            }
            // After a failure everything is only kept.
            let put = self.output.put(number, record, seconds, outcome.is_ok());
            outcome = outcome.and(put);
        }
        self.collected = collected;
        for order in orders {
            outcome = outcome.and(self.follow(log, order));
        }
        outcome
    }

    fn follow(&mut self, log: &Log, order: Order) -> Result<(), Failure> {
        match order {
            Order::Switch { file, len, .. } => self.output.switch(file, len),
            Order::DropEarlier => {
                self.output.drop_earlier();
                log.wants_base.store(false, Relaxed);
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

    /// Writes what was gathered, and syncs it if replies wait for that.
    fn write(&mut self, server: &Server, settings: &Settings) -> Result<(), Failure> {
        let (ticks, log) = (&server.ticks, &server.persistence.log);
        let begun = ticks.raw();
        self.output.write()?;
        let written = ticks.raw();
        let is_syncing = log.is_syncing();
        note_write(server, is_syncing, ticks.delta_as_nanos(begun, written));
        let is_strict = settings.appendfsync == AppendFsync::Always;
        if self.output.is_unsynced()
            && (!self.waiting.is_empty() || (is_strict && server.may_sync_log(settings)))
        {
            self.synced_at = Instant::now();
            self.output.sync()?;
            let event = if is_strict { "aof-fsync-always" } else { "aof-fsync" };
            server.latency.note(event, ticks.delta_as_nanos(written, ticks.raw()));
        }
        if !self.collected.is_empty() {
            let average = &log.step_nanos[usize::from(is_syncing)];
            let nanos = ticks.delta_as_nanos(begun, ticks.raw());
            average.store((average.load(Relaxed) * 7 + nanos) / 8, Relaxed);
        }
        if self.sync_rests
            && self.output.is_unsynced()
            && settings.appendfsync == AppendFsync::EverySec
            && let Some(thread) = log.sync_thread.get()
        {
            self.sync_rests = false;
            thread.unpark();
        }
        Ok(())
    }

    /// Tells everybody how far the log has come.
    fn publish(&self, server: &Server, settings: &Settings) {
        let log = &server.persistence.log;
        let (written, synced) = (self.output.written(), self.output.synced());
        log.len.store(self.output.len(), Relaxed);
        log.pending.store(self.output.pending(), Relaxed);
        if !self.output.is_unsynced() && self.output.pending() == 0 {
            log.unsynced_since_ms.store(0, Relaxed);
        }
        let waits_for_disk = log.state() == State::On
            && server.may_sync_log(settings)
            && match settings.appendfsync {
                AppendFsync::Always => true,
                AppendFsync::EverySec => log.is_overdue.load(Relaxed),
                AppendFsync::No => false,
            };
        log.written.store(written, Relaxed);
        log.progress.publish(synced, if waits_for_disk { synced } else { written });
    }

    /// What the thread that syncs is to do now; a sync that it is to begin has begun.
    pub(super) fn next_sync(&mut self, server: &Server) -> NextSync {
        let (settings, log) = (server.config.load(), &server.persistence.log);
        let is_asked = log.is_sync_asked.swap(false, SeqCst);
        let is_regular = settings.appendfsync == AppendFsync::EverySec && server.may_sync_log(&settings);
        let is_wanted = is_asked || is_regular;
        let left =
            if is_asked { Duration::ZERO } else { SYNC_EVERY.saturating_sub(self.synced_at.elapsed()) };
        match self.output.begin_sync().filter(|_| is_wanted) {
            None => {
                self.sync_rests = true;
                NextSync::Rest
            }
            Some(_) if !left.is_zero() => NextSync::After(left),
            Some(syncing) => {
                self.synced_at = Instant::now();
                log.is_syncing.store(true, Relaxed);
                NextSync::Begin(syncing)
            }
        }
    }

    /// Takes note of how a sync has ended that began at Unix time `begun_ms`.
    pub(super) fn end_sync(
        &mut self,
        server: &Server,
        syncing: &Syncing,
        begun_ms: u64,
        outcome: io::Result<()>,
    ) {
        let log = &server.persistence.log;
        log.is_syncing.store(false, Relaxed);
        // What is not on the disk was written since then.
        log.unsynced_since_ms.store(begun_ms, Relaxed);
        if let Err(failure) = self.output.end_sync(syncing, outcome) {
            note_outcome(server, &Err(failure));
        }
        self.publish(server, &server.config.load());
    }
}

fn note_write(server: &Server, is_syncing: bool, nanos: u64) {
    server.latency.note("aof-write", nanos);
    let beside = match server.persistence.activity() {
        _ if is_syncing => "aof-write-pending-fsync",
        Activity::None => "aof-write-alone",
        Activity::Snapshot | Activity::Rewrite => "aof-write-active-child",
    };
    server.latency.note(beside, nanos);
}

/// Takes note of whether the log can be written.
fn note_outcome(server: &Server, outcome: &Result<(), Failure>) {
    let log = &server.persistence.log;
    match outcome {
        Ok(()) if log.failure().is_none() => {}
        Ok(()) => {
            log.failure.store(0, Relaxed);
            tracing::info!("the log can be written again");
            server.judge_writes();
        }
        Err(failure) => {
            log.wants_base.fetch_or(matches!(failure, Failure::Sync(_)), Relaxed);
            let errno = failure.error().raw_os_error().unwrap_or(libc::EIO);
            if log.failure.swap(errno, Relaxed) != errno {
                tracing::error!(error = %failure.error(), "the log cannot be written: writes are refused");
                server.judge_writes();
            }
            // Some of those who wait do so no longer. With every attempt, since somebody may have begun to wait in the
            // moment of the failure.
            log.progress.wake_all();
        }
    }
}

impl Log {
    /// Waits for those whose replies have gone out with the last sync, if their next requests come soon and syncs take
    /// long: or else each sync would be for half of the clients, and the other half would wait for the next.
    fn await_regulars(&self) {
        let nanos = self.step_nanos[0].load(Relaxed);
        if !self.is_strict() || nanos < QUICK_STEP_NANOS || self.failure().is_some() {
            return;
        }
        let begun = Instant::now();
        let most = Duration::from_nanos(nanos / u64::from(PATIENCE)).min(PATIENCE_MAX);
        while !self.progress.is_full() && begun.elapsed() < most {
            sleep(most / PATIENCE);
        }
    }
}

/// The log's thread: takes a step whenever it is called, and again and again after a failure. Runs as long as the process
/// does.
pub(super) fn run(server: &Server) {
    let log = &server.persistence.log;
    loop {
        log.await_regulars();
        // Before the step: whoever calls later is seen afterwards.
        log.is_called.store(false, SeqCst);
        let Some(is_done) = log.with_writer(|writer| writer.step(server)) else { return };
        if !is_done {
            park_timeout(RETRY_AFTER);
            continue;
        }
        while !log.is_called.load(SeqCst) {
            park();
        }
    }
}
