//! SHUTDOWN.

use super::Call;
use crate::config::ShutdownFlags;
use moonshard_engine::Error;

impl Call<'_, '_> {
    /// Ends the server. The client gets no reply; its connection closes.
    pub(super) async fn shutdown(&mut self) -> Result<(), Error> {
        let (mut how, mut abort) = (ShutdownFlags::empty(), false);
        for at in 1..self.args.len() {
            how |= match self.args.raw(at).to_ascii_lowercase().as_slice() {
                b"nosave" => ShutdownFlags::NOSAVE,
                b"save" => ShutdownFlags::SAVE,
                b"now" => ShutdownFlags::NOW,
                b"force" => ShutdownFlags::FORCE,
                b"abort" => {
                    abort = true;
                    ShutdownFlags::empty()
                }
                _ => return Err(Error::SYNTAX),
            };
        }
        if (abort && !how.is_empty()) || how.contains(ShutdownFlags::SAVE | ShutdownFlags::NOSAVE) {
            return Err(Error::SYNTAX);
        }
        if abort {
            // The end, once asked for, is not waited for by anything that could still be called off.
            return Err(Error::fixed("ERR No shutdown in progress."));
        }
        let no_save = how.contains(ShutdownFlags::NOSAVE);
        if !no_save && self.server.cells().any(|cell| cell.control.is_busy()) {
            return Err(self.server.busy_error(&[]));
        }
        if self.server.keep_at_end(how).await.is_err() {
            return Err(Error::fixed("ERR Errors trying to SHUTDOWN. Check logs."));
        }
        self.session.closing = true;
        self.server.shutdown.request();
        Ok(())
    }
}
