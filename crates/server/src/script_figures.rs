//! What is shown of scripts and functions, without waiting for the shards that run them: a shard's counts are taken when
//! it is free, and every second, and kept for when it is not.

use crate::clients::Client;
use crate::server::{Server, unix_ms};
use crate::shards::{ShardGuards, ShardState};
use moonshard_scripting::{Script, ScriptName, ScriptStats, Sender, StatsCopy, merged};
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;

/// The shards' counts as they were last seen.
#[derive(Debug, Default)]
pub struct ScriptFigures(Mutex<Vec<StatsCopy>>);

impl ScriptFigures {
    /// Begins all counts anew.
    pub fn reset(&self) {
        self.0.lock().iter_mut().for_each(StatsCopy::clear);
    }
}

/// What one shard has counted of all its scripts and functions together.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShardScripts {
    /// Runs.
    pub calls: u64,
    /// Runs that ended in an error, and refused calls.
    pub errors: u64,
    /// Commands that they called.
    pub commands: u64,
    /// Nanoseconds that they took.
    pub nanos: u64,
    /// Nanoseconds of those in commands.
    pub command_nanos: u64,
}

impl Server {
    /// What the shards have counted of every script and function that was run: as of now for those shards that are free,
    /// as of at most about a second ago for those that are busy.
    pub fn script_stats(&self) -> HashMap<ScriptName, ScriptStats> {
        merged(self.fresh_script_figures().iter().flat_map(StatsCopy::iter))
    }

    /// The same by shard, all scripts and functions together.
    pub fn script_sums(&self) -> Vec<ShardScripts> {
        let sum = |copy: &StatsCopy| {
            copy.iter().fold(ShardScripts::default(), |sum, stats| ShardScripts {
                calls: sum.calls + stats.calls,
                errors: sum.errors + stats.errors_total(),
                commands: sum.commands + stats.commands,
                nanos: sum.nanos + stats.nanos,
                command_nanos: sum.command_nanos + stats.command_nanos(),
            })
        };
        self.fresh_script_figures().iter().map(sum).collect()
    }

    /// Keeps the counts fresh: called about every second.
    pub fn refresh_script_figures(&self) {
        drop(self.fresh_script_figures());
    }

    fn fresh_script_figures(&self) -> MutexGuard<'_, Vec<StatsCopy>> {
        let mut copies = self.script_figures.0.lock();
        copies.resize_with(self.cells().count(), StatsCopy::default);
        for (cell, copy) in self.cells().zip(copies.iter_mut()) {
            if let Some(guard) = cell.lock.try_lock_for_spin() {
                guard.vm.copy_stats(copy);
            }
        }
        copies
    }

    /// Takes the counts of shards that the caller has locked.
    pub fn note_script_figures(&self, guards: &ShardGuards<'_>) {
        let mut copies = self.script_figures.0.lock();
        copies.resize_with(self.cells().count(), StatsCopy::default);
        for (index, guard) in guards {
            if let Some(copy) = copies.get_mut(*index) {
                guard.vm.copy_stats(copy);
            }
        }
    }

    /// Notes how long a client's call of a script or function took, which ran on this shard.
    #[inline]
    pub fn script_took(&self, state: &mut ShardState, nanos: u64, client: &Client) {
        if let Some(script) = state.vm.took(nanos) {
            note_sender(&script, client);
            self.log_evaluated(&script);
        }
    }
}

/// Notes that it was this client that made a script known.
#[cold]
pub fn note_sender(script: &Script, client: &Client) {
    script.set_sender(|| as_sender(client));
}

/// A client as one who makes scripts known.
pub fn as_sender(client: &Client) -> Sender {
    Sender {
        name: client.names.lock().name.as_slice().into(),
        addr: client.addr.as_str().into(),
        unix_ms: unix_ms(),
    }
}
