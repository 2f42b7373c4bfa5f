//! What clients ask about replication: ROLE, WAIT.

use super::Call;
use crate::clients::{UNBLOCKED, flag};
use crate::persistence::LogState;
use moonshard_engine::Error;
use std::time::{Duration, Instant};

/// How often a waiting client looks whether it was released.
const LOOK_EVERY: Duration = Duration::from_millis(10);

impl Call<'_, '_> {
    pub(super) fn role(&mut self) -> Result<(), Error> {
        self.reply.array(3);
        self.reply.bulk(b"master");
        self.reply.int(0);
        self.reply.array(0);
        Ok(())
    }

    /// Waits for replicas, of which there is none, until the time is over.
    pub(super) async fn wait(&mut self) -> Result<(), Error> {
        let replicas = self.args.int(1)?;
        let millis = self.wait_time(2)?;
        self.wait_until(millis, || replicas <= 0).await?;
        self.reply.int(0);
        Ok(())
    }

    /// Waits until the client's changes are in the log on the disk, and for replicas, of which there is none.
    pub(super) async fn wait_aof(&mut self) -> Result<(), Error> {
        let out_of_range = Error::fixed("ERR value is out of range, value must between 0 and 1");
        let local = self.args.int_in(1, 0, 1, out_of_range)?;
        let replicas = self.args.count(2)?;
        let millis = self.wait_time(3)?;
        let log = &self.server.persistence.log;
        if local > 0 && !self.settings.appendonly {
            return Err(Error::fixed(
                "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
            ));
        }
        let last = log.last();
        let is_synced = || log.state() == LogState::On && log.progress().synced() >= last;
        self.wait_until(millis, || replicas == 0 && (local == 0 || is_synced())).await?;
        let synced = log.state() == LogState::On && is_synced();
        self.reply.array(2);
        self.reply.int(i64::from(synced));
        self.reply.int(0);
        Ok(())
    }

    /// The time in the argument at `index`, in milliseconds; 0 is without end.
    fn wait_time(&self, index: usize) -> Result<u64, Error> {
        let millis = self.args.int_or(index, Error::TIMEOUT_NOT_INTEGER)?;
        u64::try_from(millis).map_err(|_| Error::TIMEOUT_NEGATIVE)
    }

    /// Waits until something `is_so`, for so many milliseconds; 0 is without end.
    async fn wait_until(&mut self, millis: u64, is_so: impl Fn() -> bool) -> Result<(), Error> {
        // A transaction does not wait.
        if self.held.is_none() && !is_so() {
            // A time that is beyond what the clock can tell is none.
            let end =
                (millis > 0).then(|| Instant::now().checked_add(Duration::from_millis(millis))).flatten();
            let client = self.session.client.clone();
            client.take_unblocked();
            client.set_flag(flag::BLOCKED, true);
            let released = wait_until(end, &client, is_so).await;
            client.set_flag(flag::BLOCKED, false);
            if released == Some(true) {
                return Err(UNBLOCKED);
            }
        }
        Ok(())
    }
}

/// Waits until something `is_so`, until `end`, if there is one, or until the client is killed or released; tells whether
/// with an error.
async fn wait_until(
    end: Option<Instant>,
    client: &crate::clients::Client,
    is_so: impl Fn() -> bool,
) -> Option<bool> {
    loop {
        if let Some(with_error) = client.take_unblocked() {
            return Some(with_error);
        }
        let left = end.map_or(LOOK_EVERY, |end| end.saturating_duration_since(Instant::now()));
        if client.is_killed() || left.is_zero() || is_so() {
            return None;
        }
        tokio::time::sleep(left.min(LOOK_EVERY)).await;
    }
}
