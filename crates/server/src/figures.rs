//! What INFO shows of the shards, without waiting for any of them: each shard's figures are taken when it is free and
//! kept for when it is not, and the rates of the last moments.

use crate::server::Server;
use crate::shards::{ShardGuards, ShardState};
use moonshard_engine::command::CommandId;
use moonshard_engine::keyspace::{CommandStats, Latencies, Shard, ShardStats};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// A shard's part of a database.
#[derive(Clone, Copy, Debug, Default)]
pub struct DatabaseFigures {
    /// Keys.
    pub keys: u64,
    /// Keys that expire.
    pub expires: u64,
    /// Mean time to live of those, in milliseconds.
    pub ttl_average_ms: u64,
}

/// What a shard says of itself.
#[derive(Clone, Debug, Default)]
pub struct ShardFigures {
    /// By number.
    pub databases: Vec<DatabaseFigures>,
    /// Bytes of the tables, without the entries.
    pub table_bytes: u64,
    /// Changes since the start.
    pub changes: u64,
    /// What it has counted.
    pub stats: ShardStats,
    /// Bytes of its Lua state.
    pub lua_bytes: u64,
    /// Scripts that its Lua state has compiled.
    pub compiled: u64,
}

impl ShardFigures {
    fn take(&mut self, state: &ShardState) {
        self.take_keyspace(&state.shard);
        self.lua_bytes = state.vm.heap_bytes() as u64;
        self.compiled = state.vm.compiled() as u64;
    }

    fn take_keyspace(&mut self, shard: &Shard) {
        let of = |database: &moonshard_engine::keyspace::Database| DatabaseFigures {
            keys: database.len() as u64,
            expires: database.expiring() as u64,
            ttl_average_ms: database.ttl_average_ms(),
        };
        self.databases.clear();
        self.databases.extend(shard.databases.iter().map(of));
        self.table_bytes = shard.databases.iter().map(|database| database.table_bytes() as u64).sum();
        self.changes = shard.effects.changes;
        self.stats.clone_from(&shard.stats);
    }
}

/// Readings that a rate is the mean of.
const READINGS: usize = 16;

/// A counter's growth a second, as the mean of the last readings.
#[derive(Debug, Default)]
struct Rate {
    last: u64,
    readings: [u64; READINGS],
    next: usize,
}

impl Rate {
    fn read(&mut self, now: u64, millis: u64) {
        // After CONFIG RESETSTAT the counter begins anew.
        self.readings[self.next] = now.saturating_sub(self.last) * 1000 / millis.max(1);
        self.next = (self.next + 1) % READINGS;
        self.last = now;
    }

    fn mean(&self) -> u64 {
        self.readings.iter().sum::<u64>() / READINGS as u64
    }
}

#[derive(Debug, Default)]
struct Rates {
    read_at: Option<Instant>,
    commands: Rate,
    input: Rate,
    output: Rate,
}

/// Growth a second of some counters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Instantaneous {
    /// Commands.
    pub commands: u64,
    /// Bytes read.
    pub input_bytes: u64,
    /// Bytes written.
    pub output_bytes: u64,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Figures {
    shards: Mutex<Vec<ShardFigures>>,
    rates: Mutex<Rates>,
    /// Calls of commands that no shard counts, by id.
    calls: Mutex<Vec<CommandStats>>,
    /// Changes up to the last save.
    pub saved_changes: AtomicU64,
    /// Bytes in use when the server had started.
    pub startup_bytes: AtomicU64,
}

impl Figures {
    /// Counts calls of a command that no shard counts.
    pub fn count(&self, id: CommandId, more: CommandStats) {
        let mut calls = self.calls.lock();
        let id = usize::from(id);
        if calls.len() <= id {
            calls.resize(id + 1, CommandStats::default());
        }
        calls[id].add(more);
    }

    /// The present rates.
    pub fn rates(&self) -> Instantaneous {
        let rates = self.rates.lock();
        Instantaneous {
            commands: rates.commands.mean(),
            input_bytes: rates.input.mean(),
            output_bytes: rates.output.mean(),
        }
    }

    /// Begins all counts anew.
    pub fn reset(&self) {
        self.calls.lock().clear();
        *self.rates.lock() = Rates::default();
        for shard in self.shards.lock().iter_mut() {
            shard.stats = ShardStats::default();
        }
    }
}

impl Server {
    /// The figures of all shards, as of now for those that are free, as last seen for those that are busy.
    pub fn shard_figures(&self) -> Vec<ShardFigures> {
        let mut figures = self.figures.shards.lock();
        figures.resize_with(self.cells().count(), ShardFigures::default);
        for (cell, figures) in self.cells().zip(figures.iter_mut()) {
            if let Some(guard) = cell.lock.try_lock_for_spin() {
                figures.take(&guard);
            }
        }
        figures.clone()
    }

    /// Takes the figures of shards that the caller has locked.
    pub fn note_figures(&self, guards: &ShardGuards<'_>) {
        let mut figures = self.figures.shards.lock();
        figures.resize_with(self.cells().count(), ShardFigures::default);
        for (index, guard) in guards {
            if let Some(figures) = figures.get_mut(*index) {
                figures.take(guard);
            }
        }
    }

    /// Takes the figures of shards that a script has locked, but for those of the VM, which is at work.
    pub fn note_keyspace_figures<'s>(&self, shards: impl Iterator<Item = &'s mut Shard>) {
        let mut figures = self.figures.shards.lock();
        figures.resize_with(self.cells().count(), ShardFigures::default);
        for shard in shards {
            if let Some(figures) = figures.get_mut(shard.index) {
                figures.take_keyspace(shard);
            }
        }
    }

    /// Keeps the figures fresh: called about every second.
    pub fn refresh_figures(&self) {
        self.shard_figures();
        self.refresh_script_figures();
    }

    /// Reads the counters that have a rate: called about ten times a second.
    pub fn read_rates(&self) {
        let mut rates = self.figures.rates.lock();
        let now = Instant::now();
        let millis = rates.read_at.map(|at| now.duration_since(at).as_millis() as u64);
        rates.read_at = Some(now);
        let (commands, input, output) = (
            self.stats.commands.load(Relaxed),
            self.stats.input_bytes.load(Relaxed),
            self.stats.output_bytes.load(Relaxed),
        );
        if let Some(millis) = millis {
            rates.commands.read(commands, millis);
            rates.input.read(input, millis);
            rates.output.read(output, millis);
        }
    }

    /// What was counted of every command, by id, given the shards' figures.
    pub fn command_stats(&self, shards: &[ShardFigures]) -> Vec<CommandStats> {
        let mut all = self.figures.calls.lock().clone();
        for shard in shards {
            if all.len() < shard.stats.commands.len() {
                all.resize(shard.stats.commands.len(), CommandStats::default());
            }
            for (sum, more) in all.iter_mut().zip(&shard.stats.commands) {
                sum.add(more.total());
            }
        }
        all
    }

    /// How long the calls of every command took, given the shards' figures.
    pub fn command_latencies(&self, shards: &[ShardFigures]) -> BTreeMap<CommandId, Latencies> {
        let mut all = self.latency.calls();
        for shard in shards {
            for (id, counted) in shard.stats.commands.iter().enumerate() {
                if let Some(latencies) = &counted.latencies {
                    all.entry(id as CommandId).or_default().add(latencies);
                }
            }
        }
        all
    }
}
