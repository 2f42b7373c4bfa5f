//! SHUTDOWN.

use super::Call;
use moonshard_engine::Error;

impl Call<'_, '_> {
    /// Ends the server. The client gets no reply; its connection closes.
    pub(super) async fn shutdown(&mut self) -> Result<(), Error> {
        let (mut save, mut no_save, mut now, mut force, mut abort) = (false, false, false, false, false);
        for at in 1..self.args.len() {
            match self.args.raw(at).to_ascii_lowercase().as_slice() {
                b"nosave" => no_save = true,
                b"save" => save = true,
                b"now" => now = true,
                b"force" => force = true,
                b"abort" => abort = true,
                _ => return Err(Error::SYNTAX),
            }
        }
        if (abort && (save || no_save || now || force)) || (save && no_save) {
            return Err(Error::SYNTAX);
        }
        if abort {
            // The end, once asked for, is not waited for by anything that could still be called off.
            return Err(Error::fixed("ERR No shutdown in progress."));
        }
        if !no_save && self.server.shards.iter().any(|cell| cell.control.is_busy()) {
            return Err(self.server.busy_error(&[]));
        }
        let saved = match () {
            // What is loaded so far must not take the place of what is on the disk.
            () if self.server.persistence.loading.is_active() => Ok(()),
            () if no_save => self.server.sync_log_at_end().await,
            () if save => self.server.save_at_end().await,
            () => self.server.keep_at_end().await,
        };
        if saved.is_err() && !force {
            return Err(Error::fixed("ERR Errors trying to SHUTDOWN. Check logs."));
        }
        self.session.closing = true;
        self.server.shutdown.request();
        Ok(())
    }
}
