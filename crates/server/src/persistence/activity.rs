//! What is being written of all shards: one thing at a time, since a shard has one walk at a time.

use moonshard_engine::Error;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use tokio::sync::Notify;

/// What is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Activity {
    /// Nothing.
    None,
    /// A snapshot, as a file of its own.
    Snapshot,
    /// A base of the log.
    Rewrite,
}

/// The claim to write something.
#[derive(Debug, Default)]
pub struct Claim {
    activity: AtomicU8,
    /// Told whenever something has ended.
    ended: Notify,
}

impl Claim {
    /// What is being written.
    pub fn activity(&self) -> Activity {
        match self.activity.load(Relaxed) {
            0 => Activity::None,
            1 => Activity::Snapshot,
            _ => Activity::Rewrite,
        }
    }

    /// Claims the right to write; whoever has it gives it back by [`Claim::end`].
    ///
    /// # Errors
    /// What is said to a client when something else is being written.
    pub fn begin(&self, activity: Activity) -> Result<(), Error> {
        match self.activity.compare_exchange(0, activity as u8, Relaxed, Relaxed) {
            Ok(_) => Ok(()),
            Err(other) if other == Activity::Snapshot as u8 => Err(super::IN_PROGRESS),
            Err(_) => Err(super::ANOTHER_IN_PROGRESS),
        }
    }

    /// Gives the claim back.
    pub fn end(&self) {
        self.activity.store(Activity::None as u8, Relaxed);
        self.ended.notify_waiters();
    }

    /// Waits until a rewrite of the log is not going on.
    pub async fn after_rewrite(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            // From here on nothing that is told is missed.
            ended.as_mut().enable();
            if self.activity() != Activity::Rewrite {
                return;
            }
            ended.await;
        }
    }
}
