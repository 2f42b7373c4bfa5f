//! A shard's keys: databases of entries, their expiry, and what was counted about them.

mod access;
mod database;
mod field_expiry;
mod kind;
mod latencies;
mod snapshot;
mod telling;
mod view;
mod whole;

pub use access::{AccessClock, Use};
pub use database::{Database, Garbage};
pub use kind::Kind;
pub use latencies::Latencies;
pub use snapshot::Snapshot;
pub use view::{Expiry, ExpiryMode, Keyspace, Shards, View};

use crate::command::{CommandId, CommandTable};
use crate::effects::Effects;
use crate::eviction::EvictionPool;
use moonshard_store::Seed;

/// Whether commands and scripts are counted and timed: always, but in the build that tells what this costs.
pub const COUNTS: bool = !cfg!(moonshard_uncounted);

/// What a shard counts of one command.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandStats {
    /// Calls that ran.
    pub calls: u64,
    /// Calls that ran and answered an error.
    pub failed: u64,
    /// Calls refused before they ran.
    pub rejected: u64,
    /// Time they ran, in nanoseconds.
    pub nanos: u64,
}

impl CommandStats {
    /// Adds what was counted elsewhere.
    pub const fn add(&mut self, more: Self) {
        self.calls = self.calls.wrapping_add(more.calls);
        self.failed += more.failed;
        self.rejected += more.rejected;
        self.nanos += more.nanos;
    }
}

/// What a shard has counted of one command, and how long calls took, if there were any that were timed.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Everything but the calls that were timed, which are counted by their times. So a client's call, which is timed, is
    /// counted once; calls that were timed and did not run are taken off here.
    stats: CommandStats,
    /// How long calls took.
    pub latencies: Option<Box<Latencies>>,
}

impl Counted {
    /// All that was counted.
    pub fn total(&self) -> CommandStats {
        let timed = self.latencies.as_ref().map_or(0, |latencies| latencies.calls());
        CommandStats { calls: self.stats.calls.wrapping_add(timed), ..self.stats }
    }
}

/// What a shard counts.
#[derive(Clone, Debug, Default)]
pub struct ShardStats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys that expired.
    pub expired: u64,
    /// Fields of hashes that expired.
    pub expired_fields: u64,
    /// Keys that were evicted.
    pub evicted: u64,
    /// Codes of errors that scripts were answered, until they are counted.
    pub script_errors: Vec<Box<[u8]>>,
    /// By command id.
    pub commands: Vec<Counted>,
}

impl ShardStats {
    /// Nothing counted yet, with room for every command.
    pub fn new() -> Self {
        let commands = CommandTable::get().entries().len();
        Self { commands: vec![Counted::default(); commands], ..Self::default() }
    }

    /// Counts a call of a client or a transaction, which took so many nanoseconds, whatever came of it.
    #[inline]
    pub fn ran(&mut self, id: CommandId, nanos: u64) {
        if COUNTS && let Some(Counted { stats, latencies }) = self.commands.get_mut(usize::from(id)) {
            stats.nanos += nanos;
            latencies.get_or_insert_default().record(nanos);
        }
    }

    /// Where calls of a command are counted that are not timed, and all that is counted of calls beside their number.
    #[inline]
    pub fn of(&mut self, id: CommandId) -> Option<&mut CommandStats> {
        self.commands.get_mut(usize::from(id)).map(|counted| &mut counted.stats)
    }
}

/// One shard of the keyspace: every key of its slots, in every database.
#[derive(Debug)]
pub struct Shard {
    /// Its number, from 0.
    pub index: usize,
    /// Its part of each database.
    pub databases: Vec<Database>,
    /// What changed.
    pub effects: Effects,
    /// What was counted.
    pub stats: ShardStats,
    /// Large values that were removed, to be dropped where no client waits for it.
    pub garbage: Vec<Garbage>,
    /// The snapshot that is going on.
    pub snapshot: Option<Box<Snapshot>>,
    pub(crate) seed: Seed,
    /// Keys by slot over `shards`, only in cluster mode.
    pub(crate) slot_counts: Option<Box<[u32]>>,
    /// The database in which active expiry goes on.
    pub(crate) expire_db: usize,
    /// The next keys to evict.
    pub(crate) eviction: EvictionPool,
    shards: usize,
}

impl Shard {
    /// The empty shard `index` of `shards`.
    pub fn new(index: usize, shards: usize, databases: usize, seed: Seed, cluster: bool) -> Self {
        let slots = usize::from(crate::slot::SLOTS).div_ceil(shards);
        Self {
            index,
            databases: (0..databases).map(|_| Database::new(seed)).collect(),
            effects: Effects::default(),
            stats: ShardStats::new(),
            garbage: Vec::new(),
            snapshot: None,
            seed,
            expire_db: 0,
            eviction: EvictionPool::default(),
            slot_counts: cluster.then(|| vec![0; slots].into_boxed_slice()),
            shards,
        }
    }

    /// Keys in all databases.
    pub fn len(&self) -> usize {
        self.databases.iter().map(Database::len).sum()
    }

    /// Whether no database has a key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys of a slot of this shard in database 0; cluster mode only.
    pub fn keys_in_slot(&self, slot: u16) -> usize {
        let counts = self.slot_counts.as_deref().unwrap_or_default();
        counts.get(usize::from(slot) / self.shards).map_or(0, |&n| n as usize)
    }

    /// Whether nothing follows the commands that have run: there is nothing to be told, to be recorded, to be dropped or
    /// to be counted, and no snapshot goes on that they may have added to. It costs one branch.
    #[inline]
    pub fn is_settled(&self) -> bool {
        let waiting = self.effects.waiting() | self.garbage.len() | self.stats.script_errors.len();
        waiting | usize::from(self.snapshot.is_some()) == 0
    }

    /// The number of shards of which this is one.
    pub const fn shards(&self) -> usize {
        self.shards
    }

    #[inline]
    pub(crate) fn count_slot(&mut self, key: &[u8], added: bool) {
        count_in_slot(&mut self.slot_counts, self.shards, key, added);
    }
}

/// [`Shard::count_slot`], beside a borrowed entry of the shard.
#[inline]
fn count_in_slot(counts: &mut Option<Box<[u32]>>, shards: usize, key: &[u8], added: bool) {
    if let Some(counts) = counts {
        let at = usize::from(crate::slot::slot(key)) / shards;
        counts[at] = if added { counts[at] + 1 } else { counts[at].saturating_sub(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Engine;

    #[test]
    fn a_call_is_counted_by_its_time_or_by_the_door_and_a_refused_one_not_at_all() {
        let id = CommandTable::get().command(b"get").unwrap().id;
        let mut stats = ShardStats::new();
        stats.ran(id, 1000);
        stats.ran(id, 2000);
        // The second was refused.
        let counts = stats.of(id).unwrap();
        (counts.rejected, counts.calls) = (1, counts.calls.wrapping_sub(1));
        let mut sum = CommandStats::default();
        sum.add(stats.commands[usize::from(id)].total());
        sum.add(stats.commands[usize::from(id)].total());
        assert_eq!((sum.calls, sum.rejected, sum.nanos), (2, 2, 6000));

        let mut engine = Engine::new(1);
        let counted = |engine: &Engine| engine.shards[0].stats.commands[usize::from(id)].total().calls;
        engine.run(&["GET", "k"]);
        assert_eq!(counted(&engine), 0);
        engine.again(&["GET", "k"]);
        assert_eq!(counted(&engine), 1);
    }
}
