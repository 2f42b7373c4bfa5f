//! What clients ask about replication: ROLE, WAIT; and LASTSAVE.

use super::Call;
use crate::clients::flag;
use moonshard_engine::Error;
use std::time::{Duration, Instant};

/// How often a waiting client looks whether it was released.
const LOOK_EVERY: Duration = Duration::from_millis(10);

impl Call<'_> {
    pub(super) fn role(&mut self) -> Result<(), Error> {
        self.reply.array(3);
        self.reply.bulk(b"master");
        self.reply.int(0);
        self.reply.array(0);
        Ok(())
    }

    pub(super) fn last_save(&mut self) -> Result<(), Error> {
        self.reply.int((self.server.started_ms / 1000) as i64);
        Ok(())
    }

    /// Waits for replicas, of which there is none, until the time is over.
    pub(super) async fn wait(&mut self) -> Result<(), Error> {
        let replicas = self.args.int(1)?;
        let millis = self.args.int_or(2, Error::TIMEOUT_NOT_INTEGER)?;
        let Ok(millis) = u64::try_from(millis) else { return Err(Error::TIMEOUT_NEGATIVE) };
        if replicas > 0 {
            // A time that is beyond what the clock can tell is none.
            let end =
                (millis > 0).then(|| Instant::now().checked_add(Duration::from_millis(millis))).flatten();
            let client = self.session.client.clone();
            client.take_unblocked();
            client.set_flag(flag::BLOCKED, true);
            let released = wait_until(end, &client).await;
            client.set_flag(flag::BLOCKED, false);
            if released == Some(true) {
                return Err(Error::fixed("UNBLOCKED client unblocked via CLIENT UNBLOCK"));
            }
        }
        self.reply.int(0);
        Ok(())
    }
}

/// Waits until `end`, if there is one, or until the client is killed or released; tells whether with an error.
async fn wait_until(end: Option<Instant>, client: &crate::clients::Client) -> Option<bool> {
    loop {
        if let Some(with_error) = client.take_unblocked() {
            return Some(with_error);
        }
        let left = end.map_or(LOOK_EVERY, |end| end.saturating_duration_since(Instant::now()));
        if client.is_killed() || left.is_zero() {
            return None;
        }
        tokio::time::sleep(left.min(LOOK_EVERY)).await;
    }
}
