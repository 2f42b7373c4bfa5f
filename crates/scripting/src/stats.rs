//! What a VM counts of every script and function that it has run.
//!
//! A VM counts for itself, under its shard's lock, and others copy what it has counted. How long a script's commands
//! take is measured in a few of its runs only, since reading the clock costs as much as a short command.

use crate::sha::Sha;
use moonshard_engine::keyspace::Latencies;
use std::collections::HashMap;

/// Runs of a script in which its commands are timed before only some are.
const FIRST_TIMED_RUNS: u64 = 32;
/// After those, one in so many is.
const TIMED_RUN_EVERY: u64 = 64;
/// Kinds of errors that are told apart; the others count as one.
const ERROR_KINDS_MAX: usize = 16;
/// What the others are called.
const OTHER_ERRORS: &[u8] = b"other";

/// What tells a script or a function apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScriptName {
    /// A script, by its SHA1.
    Script(Sha),
    /// A function, as it was registered.
    Function(Box<str>),
}

impl ScriptName {
    /// The SHA1 or the name.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Script(sha) => sha.as_bytes(),
            Self::Function(name) => name.as_bytes(),
        }
    }
}

/// What was counted of a script or function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptStats {
    /// What it is.
    pub name: ScriptName,
    /// Runs.
    pub calls: u64,
    /// Runs that ended in an error, and calls that were refused, by the error's code.
    pub errors: Vec<(Box<[u8]>, u64)>,
    /// Time of all runs, in nanoseconds.
    pub nanos: u64,
    /// Time of the longest run, in nanoseconds.
    pub nanos_max: u64,
    /// The runs by their time.
    pub latencies: Latencies,
    /// Commands that it has called.
    pub commands: u64,
    /// Keys named by those of them that only read.
    pub keys_read: u64,
    /// Keys named by those of them that may write.
    pub keys_written: u64,
    /// Bytes of its replies.
    pub bytes_returned: u64,
    /// The most by which a run has made its VM's memory grow, in bytes, garbage included.
    pub memory_max: u64,
    /// Unix time in milliseconds of its first run; 0 before it.
    pub first_ms: u64,
    /// Unix time in milliseconds of its last run; 0 before the first.
    pub last_ms: u64,
    /// Time of the runs whose commands were timed, in nanoseconds.
    timed_nanos: u64,
    /// Time of those commands, in nanoseconds.
    timed_command_nanos: u64,
}

/// What one run of a script did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) commands: u64,
    pub(crate) keys_read: u64,
    pub(crate) keys_written: u64,
    /// Whether its commands are timed.
    pub(crate) timed: bool,
    /// Ticks of the clock that its commands took.
    pub(crate) command_ticks: u64,
}

impl ScriptStats {
    /// Nothing counted yet.
    pub fn new(name: ScriptName) -> Self {
        Self {
            name,
            calls: 0,
            errors: Vec::new(),
            nanos: 0,
            nanos_max: 0,
            latencies: Latencies::default(),
            commands: 0,
            keys_read: 0,
            keys_written: 0,
            bytes_returned: 0,
            memory_max: 0,
            first_ms: 0,
            last_ms: 0,
            timed_nanos: 0,
            timed_command_nanos: 0,
        }
    }

    /// Whether the commands of the next run are to be timed.
    #[inline]
    pub(crate) const fn times_next(&self) -> bool {
        self.calls < FIRST_TIMED_RUNS || self.calls.is_multiple_of(TIMED_RUN_EVERY)
    }

    /// Counts a run.
    #[inline]
    pub(crate) fn ran(&mut self, usage: &Usage, now_ms: u64, bytes_returned: u64, memory: u64) {
        if self.calls == 0 {
            self.first_ms = now_ms;
        }
        self.calls += 1;
        self.last_ms = now_ms;
        self.commands += usage.commands;
        self.keys_read += usage.keys_read;
        self.keys_written += usage.keys_written;
        self.bytes_returned += bytes_returned;
        self.memory_max = self.memory_max.max(memory);
    }

    /// Counts the time of the last run, and that of its commands if they were timed.
    #[inline]
    pub(crate) fn took(&mut self, nanos: u64, command_nanos: Option<u64>) {
        self.nanos += nanos;
        self.nanos_max = self.nanos_max.max(nanos);
        self.latencies.record(nanos);
        if let Some(command_nanos) = command_nanos {
            self.timed_nanos += nanos;
            self.timed_command_nanos += command_nanos.min(nanos);
        }
    }

    /// Counts an error by its code.
    #[cold]
    pub(crate) fn failed(&mut self, code: &[u8]) {
        self.count_errors(code, 1);
    }

    fn count_errors(&mut self, code: &[u8], more: u64) {
        let known = |code: &[u8]| self.errors.iter().position(|(known, _)| **known == *code);
        let code = match known(code) {
            None if self.errors.len() >= ERROR_KINDS_MAX => OTHER_ERRORS,
            _ => code,
        };
        match self.errors.iter_mut().find(|(known, _)| **known == *code) {
            Some((_, count)) => *count += more,
            None => self.errors.push((code.into(), more)),
        }
    }

    /// Errors of all kinds.
    pub fn errors_total(&self) -> u64 {
        self.errors.iter().map(|(_, count)| count).sum()
    }

    /// Time in commands, in nanoseconds: as great a share of all runs as it was of those that were timed.
    pub fn command_nanos(&self) -> u64 {
        let share = u128::from(self.nanos) * u128::from(self.timed_command_nanos);
        let nanos = share.checked_div(u128::from(self.timed_nanos)).unwrap_or(0);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// The time, in nanoseconds, within which so many percent of the runs were done, rounded up by less than a
    /// quarter; 0 before the first.
    pub fn percentile_nanos(&self, percent: f64) -> u64 {
        if self.calls == 0 { 0 } else { self.latencies.percentile(percent).min(self.nanos_max) }
    }

    /// Adds what another VM has counted of the same script.
    pub fn add(&mut self, more: &Self) {
        for (code, count) in &more.errors {
            self.count_errors(code, *count);
        }
        self.first_ms = match (self.first_ms, more.first_ms) {
            (0, first) | (first, 0) => first,
            (first, other) => first.min(other),
        };
        self.last_ms = self.last_ms.max(more.last_ms);
        self.calls += more.calls;
        self.nanos += more.nanos;
        self.nanos_max = self.nanos_max.max(more.nanos_max);
        self.latencies.add(&more.latencies);
        self.commands += more.commands;
        self.keys_read += more.keys_read;
        self.keys_written += more.keys_written;
        self.bytes_returned += more.bytes_returned;
        self.memory_max = self.memory_max.max(more.memory_max);
        self.timed_nanos += more.timed_nanos;
        self.timed_command_nanos += more.timed_command_nanos;
    }
}

/// A place in a [`StatsTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatsId(u32);

impl StatsId {
    /// No place yet.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// What one VM has counted. Places are given out, given back, and given out again.
#[derive(Debug, Default)]
pub(crate) struct StatsTable {
    entries: Vec<Option<Box<ScriptStats>>>,
    free: Vec<u32>,
}

impl StatsTable {
    /// A new place.
    pub(crate) fn insert(&mut self, name: ScriptName) -> StatsId {
        let stats = Some(Box::new(ScriptStats::new(name)));
        let at = match self.free.pop() {
            Some(at) => {
                self.entries[at as usize] = stats;
                at
            }
            None => {
                self.entries.push(stats);
                (self.entries.len() - 1) as u32
            }
        };
        StatsId(at)
    }

    /// Gives a place back.
    pub(crate) fn remove(&mut self, id: StatsId) {
        if let Some(entry) = self.entries.get_mut(id.0 as usize)
            && entry.take().is_some()
        {
            self.free.push(id.0);
        }
    }

    /// What is counted there.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: StatsId) -> Option<&mut ScriptStats> {
        self.entries.get_mut(id.0 as usize)?.as_deref_mut()
    }

    /// The name of what is counted there; empty if nothing is.
    #[inline]
    pub(crate) fn name(&self, id: StatsId) -> &[u8] {
        let entry = self.entries.get(id.0 as usize).and_then(Option::as_deref);
        entry.map_or(&[], |stats| stats.name.as_bytes())
    }

    /// Begins all counts anew.
    pub(crate) fn reset(&mut self) {
        for stats in self.entries.iter_mut().flatten() {
            **stats = ScriptStats::new(stats.name.clone());
        }
    }
}

/// A copy of what one VM has counted, for those who cannot wait until its shard is free.
#[derive(Debug, Default)]
pub struct StatsCopy(Vec<Option<Box<ScriptStats>>>);

impl StatsCopy {
    /// Renews the copy. What did not change since is compared and not copied.
    pub(crate) fn take(&mut self, table: Option<&StatsTable>) {
        let entries = table.map_or(&[][..], |table| &table.entries);
        self.0.resize(entries.len(), None);
        for (copy, entry) in self.0.iter_mut().zip(entries) {
            let unchanged = match (&*copy, entry) {
                (Some(copy), Some(entry)) => {
                    copy.calls == entry.calls
                        && copy.nanos == entry.nanos
                        && copy.name == entry.name
                        && copy.errors == entry.errors
                }
                (None, None) => true,
                _ => false,
            };
            if !unchanged {
                copy.clone_from(entry);
            }
        }
    }

    /// What was counted.
    pub fn iter(&self) -> impl Iterator<Item = &ScriptStats> {
        self.0.iter().flatten().map(|stats| &**stats)
    }

    /// Forgets what was counted.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// What several VMs have counted, together.
pub fn merged<'a>(all: impl Iterator<Item = &'a ScriptStats>) -> HashMap<ScriptName, ScriptStats> {
    let mut sums = HashMap::<ScriptName, ScriptStats>::new();
    for stats in all {
        match sums.get_mut(&stats.name) {
            Some(sum) => sum.add(stats),
            None => drop(sums.insert(stats.name.clone(), stats.clone())),
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(name: &str) -> ScriptStats {
        ScriptStats::new(ScriptName::Function(name.into()))
    }

    #[test]
    fn the_share_of_timed_runs_stands_for_all() {
        let mut one = stats("f");
        assert!(one.times_next());
        one.ran(&Usage { commands: 3, keys_read: 2, keys_written: 1, ..Usage::default() }, 5, 7, 100);
        one.took(1000, Some(250));
        one.ran(&Usage::default(), 6, 7, 50);
        one.took(3000, None);
        assert_eq!((one.command_nanos(), one.nanos, one.nanos_max), (1000, 4000, 3000));
        assert_eq!((one.first_ms, one.last_ms, one.memory_max, one.bytes_returned), (5, 6, 100, 14));
        assert_eq!(one.percentile_nanos(99.0), 3000);
        let mut sum = stats("f");
        sum.add(&one);
        sum.add(&one);
        assert_eq!((sum.calls, sum.commands, sum.first_ms, sum.command_nanos()), (4, 6, 5, 2000));
        assert_eq!(stats("f").percentile_nanos(50.0), 0);
    }

    #[test]
    fn after_the_first_runs_few_are_timed() {
        let mut one = stats("f");
        let timed = (0..FIRST_TIMED_RUNS + 10 * TIMED_RUN_EVERY)
            .filter(|_| {
                let timed = one.times_next();
                one.ran(&Usage::default(), 1, 0, 0);
                timed
            })
            .count();
        assert_eq!(timed as u64, FIRST_TIMED_RUNS + 10);
    }

    #[test]
    fn kinds_of_errors_are_bounded() {
        let mut one = stats("f");
        for number in 0..100 {
            one.failed(format!("E{number}").as_bytes());
        }
        one.failed(b"E0");
        assert_eq!((one.errors.len(), one.errors_total()), (ERROR_KINDS_MAX + 1, 101));
        assert_eq!(one.errors[0], (b"E0".as_slice().into(), 2));
    }

    #[test]
    fn copies_follow() {
        let (mut table, mut copy) = (StatsTable::default(), StatsCopy::default());
        let [a, b] = ["a", "b"].map(|name| table.insert(ScriptName::Function(name.into())));
        table.get_mut(b).unwrap().ran(&Usage::default(), 1, 0, 0);
        copy.take(Some(&table));
        assert_eq!(copy.iter().map(|stats| stats.calls).collect::<Vec<_>>(), [0, 1]);
        table.remove(a);
        table.remove(a);
        let c = table.insert(ScriptName::Function("c".into()));
        assert_eq!(c, a);
        copy.take(Some(&table));
        assert_eq!(copy.iter().map(|stats| stats.name.as_bytes()).collect::<Vec<_>>(), [b"c", b"b"]);
        table.reset();
        copy.take(Some(&table));
        assert_eq!(merged(copy.iter().chain(copy.iter())).values().map(|sum| sum.calls).sum::<u64>(), 0);
        copy.take(None);
        assert_eq!(copy.iter().count(), 0);
    }
}
