//! The end of the server.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tokio::sync::Notify;

/// Tells everybody that the server ends.
#[derive(Debug, Default)]
pub struct Shutdown {
    requested: AtomicBool,
    notify: Notify,
}

impl Shutdown {
    /// Asks the server to end.
    pub fn request(&self) {
        self.requested.store(true, Relaxed);
        self.notify.notify_waiters();
        self.notify.notify_one();
    }

    /// Whether the server is to end.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Relaxed)
    }

    /// Waits until the server is to end.
    pub async fn requested(&self) {
        while !self.is_requested() {
            let notified = self.notify.notified();
            if self.is_requested() {
                break;
            }
            notified.await;
        }
    }
}
