//! The thread that drops what is costly to drop.

use moonshard_engine::keyspace::Garbage;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Drops values on a thread of its own, which ends when this does.
pub struct Reaper {
    sender: crossbeam_channel::Sender<Garbage>,
    /// Values that were handed over and are not yet dropped.
    pending: Arc<AtomicUsize>,
}

impl Reaper {
    /// Starts the thread.
    pub fn start() -> Self {
        let (sender, receiver) = crossbeam_channel::unbounded::<Garbage>();
        let pending = Arc::new(AtomicUsize::new(0));
        let left = pending.clone();
        let spawned = std::thread::Builder::new().name("reaper".into()).spawn(move || {
            for garbage in receiver {
                drop(garbage);
                left.fetch_sub(1, Relaxed);
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for lazy freeing: values are freed in place");
        }
        Self { sender, pending }
    }

    /// Hands a value over.
    pub fn take(&self, garbage: Garbage) {
        self.pending.fetch_add(1, Relaxed);
        // The thread lives as long as this; without it the value is dropped here.
        if self.sender.send(garbage).is_err() {
            self.pending.fetch_sub(1, Relaxed);
        }
    }

    /// Values that are not yet dropped.
    pub fn pending(&self) -> usize {
        self.pending.load(Relaxed)
    }
}
