//! SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE.

use super::Call;
use crate::persistence::Activity;
use moonshard_engine::Error;
use std::sync::atomic::Ordering::Relaxed;

const REWRITE_IN_PROGRESS: Error =
    Error::fixed("ERR Background append only file rewriting already in progress");
const CANNOT_REWRITE: Error = Error::fixed(
    "ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
);

impl Call<'_, '_> {
    /// Unlike in Redis others go on meanwhile.
    pub(super) async fn save(&mut self) -> Result<(), Error> {
        self.server.save().await?;
        self.reply.ok();
        Ok(())
    }

    /// As in Redis, what a transaction asks for begins after it.
    pub(super) async fn bg_save(&mut self) -> Result<(), Error> {
        let is_scheduled = match self.args.len() {
            1 => false,
            2 if self.args.is(1, "SCHEDULE") => true,
            _ => return Err(Error::SYNTAX),
        };
        let state = &self.server.persistence;
        let activity = state.activity();
        if activity == Activity::Snapshot {
            return Err(crate::persistence::IN_PROGRESS);
        }
        if self.held.is_some() || (is_scheduled && activity == Activity::Rewrite) {
            state.snapshot_scheduled.store(true, Relaxed);
            self.reply.status("Background saving scheduled");
            return Ok(());
        }
        self.server.save_in_background().await?;
        self.reply.status("Background saving started");
        Ok(())
    }

    pub(super) async fn bg_rewrite_aof(&mut self) -> Result<(), Error> {
        let state = &self.server.persistence;
        match state.activity() {
            Activity::Rewrite => return Err(REWRITE_IN_PROGRESS),
            Activity::None if self.held.is_none() => {}
            Activity::None | Activity::Snapshot => {
                state.rewriting.schedule();
                self.reply.status("Background append only file rewriting scheduled");
                return Ok(());
            }
        }
        match self.server.rewrite_in_background().await {
            Ok(()) => self.reply.status("Background append only file rewriting started"),
            Err(error) if error.is_busy() => return Err(error),
            Err(_) => return Err(CANNOT_REWRITE),
        }
        Ok(())
    }

    pub(super) fn last_save(&mut self) -> Result<(), Error> {
        self.reply.int(self.server.persistence.last_save.load(Relaxed) as i64);
        Ok(())
    }
}
