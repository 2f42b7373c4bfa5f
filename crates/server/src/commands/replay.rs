//! Commands of the log that are about more than one shard's keys, or about the server.

use super::Call;
use moonshard_engine::admission::Gate;
use moonshard_engine::command::Handler;
use moonshard_engine::{Caller, Error};
use moonshard_lock::lock_all;

impl Call<'_, '_> {
    /// Runs the call as one that has run before. What it was answered is in the reply.
    ///
    /// # Errors
    /// What is answered instead of a reply of the command's own.
    pub async fn replay(&mut self) -> Result<(), Error> {
        match self.entry.command.handler {
            Handler::Container => Err(Error::wrong_arity(&self.entry.full_name)),
            Handler::Session(command) => self.run_session(command).await,
            Handler::Server(command) => self.run_server(command).await,
            Handler::Shard(_) => {
                let needs = self.needs(self.entry, self.args)?;
                if needs.shards.is_empty() {
                    self.run_anywhere();
                    return Ok(());
                }
                let server = self.server.clone();
                let mut guards = lock_all(&server.shards, &needs.shards)
                    .await
                    .map_err(|_| server.busy_error(&needs.shards))?;
                self.run_locked(&mut guards, 0, needs.script, Caller::Replay, Gate::empty());
                server.settle_all(&mut guards, self.moment());
                Ok(())
            }
        }
    }
}
