//! Where the commands that make changes again go.

use crate::server::Server;
use moonshard_engine::effects::Commands;

impl Server {
    /// Takes the commands of one call, script or transaction, which belong together, while the shards that they are
    /// about are locked; `journal` is one of these shards.
    pub fn log_record(&self, _journal: usize, commands: &mut Commands) {
        commands.clear();
    }

    /// Takes a command that is about no key, and so about no shard.
    pub fn log_record_apart(&self, _args: &[&[u8]]) {}
}
