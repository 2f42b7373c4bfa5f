//! How loading stands: whether it goes on, since when, and how far it is.

use crate::server::unix_ms;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use tokio::sync::Notify;

/// How loading stands. While it goes on, clients are answered `LOADING`, but for the commands that are declared to run then.
#[derive(Debug, Default)]
pub struct Loading {
    active: AtomicBool,
    /// Bytes that are read at the start of the server before clients are answered.
    silent_bytes: AtomicU64,
    /// Told once, when clients are to be answered although loading goes on.
    long: Notify,
    told_long: AtomicBool,
    /// Unix time in seconds of its begin.
    started: AtomicU64,
    /// Unix time in seconds at which the log was told last how far it is.
    told: AtomicU64,
    total_bytes: AtomicU64,
    loaded_bytes: AtomicU64,
    /// Memory that was in use when the file was written, as the file says.
    used_memory: AtomicU64,
}

/// How loading stands, as INFO shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Unix time in seconds of its begin.
    pub started: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Bytes of them that were read.
    pub loaded_bytes: u64,
    /// Memory that was in use when the file was written, as the file says.
    pub used_memory: u64,
    /// How far it is, in percent.
    pub percent: f64,
    /// Seconds that it will take yet, by what it took so far.
    pub eta_seconds: u64,
}

impl Loading {
    /// Whether loading goes on.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.active.load(Relaxed)
    }

    /// Loading begins at the start of the server, at Unix time `now` in seconds. It is [long](Self::is_long) once so many
    /// bytes were read.
    pub fn begin_at_start(&self, now: u64, silent_bytes: u64) {
        self.silent_bytes.store(silent_bytes, Relaxed);
        self.begin(now);
    }

    /// Loading begins, at Unix time `now` in seconds.
    pub fn begin(&self, now: u64) {
        self.started.store(now, Relaxed);
        self.told.store(now, Relaxed);
        self.active.store(true, Relaxed);
    }

    /// Everything is loaded.
    pub fn end(&self) {
        self.active.store(false, Relaxed);
    }

    /// So many bytes have to be read in all.
    pub fn expect(&self, bytes: u64) {
        self.total_bytes.store(bytes, Relaxed);
        self.loaded_bytes.store(0, Relaxed);
    }

    /// So many bytes were read.
    #[inline]
    pub fn reach(&self, bytes: u64) {
        self.loaded_bytes.store(bytes, Relaxed);
        if bytes >= self.silent_bytes.load(Relaxed) {
            self.note_long();
        }
    }

    /// Loading takes long, so that clients should not wait for its end without an answer.
    pub fn note_long(&self) {
        if !self.told_long.swap(true, Relaxed) {
            self.long.notify_one();
        }
    }

    /// Waits until loading takes long. One task may wait, once.
    pub async fn is_long(&self) {
        self.long.notified().await;
    }

    /// The file says how much memory was in use when it was written.
    pub fn note_used_memory(&self, bytes: u64) {
        self.used_memory.store(bytes, Relaxed);
    }

    /// Tells the log how far it is, if it was not told for some seconds.
    pub fn log_at_times(&self) {
        /// Seconds from one time to the next.
        const EVERY: u64 = 5;
        let (now, last) = (unix_ms() / 1000, self.told.load(Relaxed));
        if now < last + EVERY {
            return;
        }
        self.told.store(now, Relaxed);
        let (loaded, total) = (self.loaded_bytes.load(Relaxed), self.total_bytes.load(Relaxed));
        let percent = loaded as f64 / total.max(1) as f64 * 100.0;
        tracing::info!(bytes = loaded, of = total, "loading: {percent:.0}%");
    }

    /// How it stands at Unix time `now` in seconds; `None` when nothing is being loaded.
    pub fn progress(&self, now: u64) -> Option<Progress> {
        if !self.is_active() {
            return None;
        }
        let (started, loaded_bytes) = (self.started.load(Relaxed), self.loaded_bytes.load(Relaxed));
        let total_bytes = self.total_bytes.load(Relaxed);
        let (percent, left) = match total_bytes {
            0 => (0.0, 1),
            total => (loaded_bytes as f64 / total as f64 * 100.0, total.saturating_sub(loaded_bytes)),
        };
        let eta_seconds = match now.saturating_sub(started) {
            // Nothing to go by yet; Redis says so too.
            0 => 1,
            elapsed => elapsed.saturating_mul(left) / (loaded_bytes + 1),
        };
        let used_memory = self.used_memory.load(Relaxed);
        Some(Progress { started, total_bytes, loaded_bytes, used_memory, percent, eta_seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_while_it_goes_on() {
        let loading = Loading::default();
        assert_eq!(loading.progress(5), None);
        loading.begin(100);
        assert_eq!(
            loading.progress(100).map(|progress| (progress.percent, progress.eta_seconds)),
            Some((0.0, 1))
        );
        loading.expect(1_000);
        loading.reach(249);
        let progress = loading.progress(110).unwrap();
        assert_eq!((progress.percent, progress.eta_seconds), (24.9, 10 * 751 / 250));
        loading.end();
        assert_eq!(loading.progress(110), None);
    }

    #[test]
    fn it_is_long_once_enough_was_read_or_somebody_says_so() {
        let is_long = |loading: &Loading| {
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            std::pin::pin!(loading.is_long()).poll(&mut context).is_ready()
        };
        let loading = Loading::default();
        loading.begin_at_start(100, 1_000);
        loading.expect(5_000);
        assert!(!is_long(&loading));
        loading.reach(999);
        assert!(!is_long(&loading));
        loading.reach(1_000);
        loading.reach(2_000);
        assert!(is_long(&loading));
        let loading = Loading::default();
        loading.begin_at_start(100, 1_000);
        loading.note_long();
        assert!(is_long(&loading));
    }
}
