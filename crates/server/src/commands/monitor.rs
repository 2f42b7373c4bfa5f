//! MONITOR.

use super::Call;
use crate::clients::flag;
use moonshard_engine::Error;

impl Call<'_, '_> {
    /// From now on the client sees every command. Asking again is not answered, as in Redis.
    pub(super) fn monitor(&mut self) -> Result<(), Error> {
        let client = &self.session.client;
        if !client.has_flag(flag::MONITOR) {
            client.set_flag(flag::MONITOR, true);
            self.server.monitors.add(client);
            self.server.cells().for_each(|cell| cell.control.spectator.look());
            self.reply.ok();
        }
        Ok(())
    }
}
