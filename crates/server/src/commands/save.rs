//! SAVE, BGSAVE, LASTSAVE.

use super::Call;
use super::locked::Held;
use moonshard_engine::Error;
use moonshard_lock::lock_all;
use std::sync::atomic::Ordering::Relaxed;

impl Call<'_, '_> {
    /// Unlike in Redis others go on meanwhile.
    pub(super) async fn save(&mut self) -> Result<(), Error> {
        self.server.save().await?;
        self.reply.ok();
        Ok(())
    }

    pub(super) async fn bg_save(&mut self) -> Result<(), Error> {
        // What SCHEDULE waits for in Redis, a rewrite of the log, is not in the way here.
        if self.args.len() > 2 || (self.args.len() == 2 && !self.args.is(1, "SCHEDULE")) {
            return Err(Error::SYNTAX);
        }
        self.server.claim_snapshot()?;
        let begun = match &mut self.held {
            Some(Held::Transaction(guards)) => self.server.begin_snapshot(guards, false),
            Some(Held::Script { .. }) => return Err(Error::NOT_FROM_SCRIPT),
            None => {
                let all: Vec<usize> = (0..self.server.shards.len()).collect();
                let Ok(mut guards) = lock_all(&self.server.shards, &all).await else {
                    self.server.give_up_snapshot();
                    return Err(Error::BUSY);
                };
                self.server.begin_snapshot(&mut guards, false)
            }
        };
        self.server.write_in_background(begun);
        self.reply.status("Background saving started");
        Ok(())
    }

    pub(super) fn last_save(&mut self) -> Result<(), Error> {
        self.reply.int(self.server.persistence.last_save.load(Relaxed) as i64);
        Ok(())
    }
}
