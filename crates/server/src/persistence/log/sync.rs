//! The thread that syncs the log every second, beside those who write: a slow disk is not in their way.

use super::State;
use super::writer::NextSync;
use crate::config::{AppendFsync, Settings};
use crate::server::{Server, unix_ms};
use std::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst};
use std::thread::{park, park_timeout};
use std::time::{Duration, Instant};

/// How often to look whether the disk has something.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// A sync that takes no longer is in nobody's way.
const SHORT_SYNC: Duration = Duration::from_millis(20);
/// The longest time that is spent on making the next sync short.
const EASE_MAX: Duration = Duration::from_secs(10);

/// Runs as long as the process does.
pub(super) fn run(server: &Server) {
    let log = &server.persistence.log;
    loop {
        let (begun, begun_ms) = (server.ticks.raw(), unix_ms());
        match log.with_writer(|writer| writer.next_sync(server)) {
            Some(NextSync::Begin(syncing)) => {
                let outcome = syncing.run();
                server.latency.note("aof-fsync", server.ticks.delta_as_nanos(begun, server.ticks.raw()));
                log.with_writer(|writer| writer.end_sync(server, &syncing, begun_ms, outcome));
            }
            Some(NextSync::After(time)) => park_timeout(time),
            Some(NextSync::Rest) => park(),
            None => return,
        }
    }
}

impl Server {
    /// Syncs beside those who write, until little is left to sync: the log is about to go on in another file, and no byte
    /// goes there before the disk has all of this one, so replies wait for that.
    pub async fn ease_log(&self, settings: &Settings) {
        let log = &self.persistence.log;
        if log.state() != State::On || settings.appendfsync == AppendFsync::Always {
            return;
        }
        let begun = Instant::now();
        let may_go_on = || {
            let is_wanted = log.failure().is_none() && !self.persistence.rewriting.is_given_up();
            is_wanted && begun.elapsed() < EASE_MAX
        };
        while may_go_on() {
            let (round, written) = (Instant::now(), log.written.load(Relaxed));
            log.is_sync_asked.store(true, SeqCst);
            if let Some(thread) = log.sync_thread.get() {
                thread.unpark();
            }
            while log.progress.synced() < written && may_go_on() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            if round.elapsed() < SHORT_SYNC {
                return;
            }
        }
    }
}
