//! A new base of the log: a snapshot, from which on changes go to an increment of their own.

use crate::persistence::LogState;
use crate::server::{Server, unix_ms};
use moonshard_engine::Error;
use moonshard_lock::lock_all;
use std::io;
use std::sync::Arc;

/// After a failed rewrite, the next of its own waits so long.
const RETRY_MS: u64 = 1_000;

impl Server {
    /// Sees to the log: a base is written if only that helps. Called several times a second.
    pub fn tend_log(self: &Arc<Self>) {
        let log = &self.persistence.log;
        self.log_as_time_goes(self.config.load().appendfsync);
        if log.wants_base() && !self.persistence.is_saving() && log.may_try(unix_ms(), RETRY_MS) {
            let server = self.clone();
            tokio::spawn(async move {
                if let Err(error) = server.rewrite_log().await {
                    tracing::warn!(%error, "the log could not be rewritten");
                }
            });
        }
    }

    /// Writes a new base, and begins a new increment at the same moment.
    ///
    /// # Errors
    /// When a snapshot is being written, or this fails; the log is then what it was.
    pub async fn rewrite_log(self: &Arc<Self>) -> Result<(), Error> {
        self.claim_snapshot()?;
        let outcome = self.rewrite_claimed().await;
        self.give_up_snapshot();
        outcome.map_err(|error| Error::text(format!("ERR {error}")))
    }

    async fn rewrite_claimed(self: &Arc<Self>) -> io::Result<()> {
        let log = &self.persistence.log;
        let mut rewrite = {
            let mut files = log.files.lock();
            let Some(files) = &mut *files else { return Err(io::Error::other("the log is off")) };
            files.start_rewrite(log.state() == LogState::On, true)?
        };
        let all: Vec<usize> = (0..self.shards.len()).collect();
        let begun = {
            let Ok(mut guards) = lock_all(&self.shards, &all).await else {
                return Err(io::Error::other("a script is busy"));
            };
            self.cut_log(&guards, &mut rewrite);
            self.begin_snapshot(&mut guards, true)
        };
        self.write_pieces(begun, rewrite.base.clone()).await?;
        self.finish_rewrite(rewrite)
    }
}
