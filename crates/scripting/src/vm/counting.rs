//! What a VM counts of its scripts and functions.

use super::{Compiled, LastRun, Name, Ready, Vm};
use crate::library::FunctionId;
use crate::registry::Script;
use crate::stats::{ScriptName, StatsCopy, StatsId, Usage};
use moonshard_engine::Error;
use moonshard_engine::keyspace::COUNTS;
use std::sync::Arc;

impl Vm {
    /// Notes how long the last call took, which ran a script or a function or was refused. Returns the script, if the
    /// call has made it known: whose call it was, only the caller knows.
    #[inline]
    pub fn took(&mut self, nanos: u64) -> Option<Arc<Script>> {
        let ready = self.ready.as_mut()?;
        if let Some(stats) = ready.stats.get_mut(ready.last.stats) {
            let clock = &ready.bridge.clock;
            stats.took(nanos, ready.last.command_ticks.map(|ticks| clock.delta_as_nanos(0, ticks)));
            ready.last.stats = StatsId::NONE;
        }
        ready.last.introduced.take()
    }

    /// Renews a copy of what was counted of each script and function that was run here.
    pub fn copy_stats(&self, copy: &mut StatsCopy) {
        copy.take(self.ready.as_ref().map(|ready| &ready.stats));
    }

    /// Begins all counts of scripts and functions anew.
    pub fn reset_stats(&mut self) {
        if let Some(ready) = &mut self.ready {
            ready.stats.reset();
        }
    }

    /// Counts a call that the rules refused.
    #[cold]
    pub(super) fn refused(&mut self, script: &Compiled, error: &Error) {
        if let Some(ready) = &mut self.ready {
            let id = ready.stats_of(script);
            if let Some(stats) = ready.stats.get_mut(id) {
                stats.failed(error.code());
            }
        }
    }
}

impl Ready {
    /// Where a script is counted.
    #[inline]
    fn stats_of(&mut self, script: &Compiled) -> StatsId {
        match script.name {
            Name::Function(id) if script.stats == StatsId::NONE => self.count_function(id),
            _ => script.stats,
        }
    }

    /// A place for a function that was not called before.
    #[cold]
    fn count_function(&mut self, id: FunctionId) -> StatsId {
        let name = self.functions.set.entry(id).name.clone();
        let place = self.stats.insert(ScriptName::Function(name));
        self.functions.set_stats(id, place);
        place
    }

    /// Begins to count what a script does.
    #[inline]
    pub(super) fn begin_counting(&mut self, script: &Compiled) -> StatsId {
        if !COUNTS {
            return StatsId::NONE;
        }
        let id = self.stats_of(script);
        let timed = self.stats.get_mut(id).is_some_and(|stats| stats.times_next());
        self.bridge.usage = Usage { timed, ..Usage::default() };
        self.lua.begin_peak();
        id
    }

    /// Counts a run. Its time is told by [`Vm::took`].
    #[inline]
    pub(super) fn count_run(
        &mut self,
        id: StatsId,
        now_ms: u64,
        bytes_returned: usize,
        error: Option<&Error>,
    ) {
        if !COUNTS {
            return;
        }
        let usage = &self.bridge.usage;
        let memory = self.lua.grown();
        let Some(stats) = self.stats.get_mut(id) else { return };
        stats.ran(usage, now_ms, bytes_returned as u64, memory as u64);
        if let Some(error) = error {
            stats.failed(error.code());
        }
        self.last = LastRun {
            stats: id,
            command_ticks: usage.timed.then_some(usage.command_ticks),
            introduced: self.last.introduced.take(),
        };
    }
}
