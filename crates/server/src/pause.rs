//! CLIENT PAUSE: holds requests back for a while.

use moonshard_engine::command::Flags;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// Only what may write.
    Writes,
    /// All commands.
    All,
}

/// The pause, if there is one.
#[derive(Debug, Default)]
pub struct Pause {
    set: AtomicBool,
    until: Mutex<Option<(Instant, Paused)>>,
    ended: Notify,
}

impl Pause {
    /// Whether there may be a pause: a cheap look.
    #[inline]
    pub fn is_set(&self) -> bool {
        self.set.load(Relaxed)
    }

    /// Starts a pause, or makes the present one longer or wider; it never gets shorter or narrower.
    pub fn start(&self, duration: Duration, what: Paused) {
        let mut until = self.until.lock();
        let end = Instant::now() + duration;
        let (end, what) = match *until {
            Some((present, Paused::All)) if present > Instant::now() => (end.max(present), Paused::All),
            Some((present, _)) => (end.max(present), what),
            None => (end, what),
        };
        *until = Some((end, what));
        self.set.store(true, Relaxed);
    }

    /// Ends the pause.
    pub fn end(&self) {
        *self.until.lock() = None;
        self.set.store(false, Relaxed);
        self.ended.notify_waiters();
    }

    /// The end of the pause that holds a command of these flags back, if one does.
    fn holds(&self, flags: Flags) -> Option<Instant> {
        let (end, what) = (*self.until.lock())?;
        if end <= Instant::now() {
            return None;
        }
        let may_write = flags.intersects(Flags::WRITE.union(Flags::MAY_REPLICATE));
        (what == Paused::All || may_write).then_some(end)
    }

    /// Waits as long as a command of these flags is held back; `waiting` tells when that begins and ends.
    pub async fn wait(&self, flags: Flags, waiting: impl Fn(bool)) {
        if self.holds(flags).is_none() {
            return;
        }
        waiting(true);
        while self.is_set() {
            let ended = self.ended.notified();
            let Some(end) = self.holds(flags) else { break };
            let timeout = tokio::time::sleep_until(end.into());
            tokio::select! {
                () = ended => {}
                () = timeout => {}
            }
        }
        let mut until = self.until.lock();
        if until.is_some_and(|(end, _)| end <= Instant::now()) {
            *until = None;
            self.set.store(false, Relaxed);
        }
        drop(until);
        waiting(false);
    }
}
