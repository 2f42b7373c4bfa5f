//! What was said while shards were locked becomes one record of the log, before any of them is let go.

use crate::server::Server;
use crate::shards::ShardState;
use std::ops::DerefMut;

impl Server {
    /// Hands over what a command on one shard has said.
    #[inline]
    pub fn record_one(&self, index: usize, state: &mut ShardState) {
        if state.shard.effects.has_commands() {
            state.logged = self.log_record(index, state.shard.effects.commands_mut());
        }
    }

    /// Hands over what was said in several locked shards, ascending, since they were locked: it happens together or not
    /// at all.
    pub fn record<D: DerefMut<Target = ShardState>>(&self, held: &mut [(usize, D)]) {
        let mut spoken = held.iter_mut().filter(|(_, state)| state.shard.effects.has_commands());
        let Some((index, first)) = spoken.next() else { return };
        let commands = first.shard.effects.commands_mut();
        for (_, state) in spoken {
            commands.append(state.shard.effects.commands_mut());
        }
        let number = self.log_record(*index, commands);
        held.iter_mut().for_each(|(_, state)| state.logged = number);
    }
}
