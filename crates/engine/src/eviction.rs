//! Eviction: which key goes when memory is short.
//!
//! As in Redis the policies are approximated: each eviction looks at a few keys drawn at random and keeps the best
//! candidates seen so far in a small pool, so that over several evictions the choice comes near to the best of all.
//! Unlike Redis a candidate is looked at again before it goes, and is let off if it was used since.
//!
//! Sampling for the volatile policies: keys that expire have no index of their own. A bounded number of buckets is
//! looked at from random places on; when those hold none, because few keys of many expire, a walk through the table
//! goes on where the last one stopped until it finds some. A whole round of it finds every such key, so an eviction
//! costs O(keys / expiring keys) on average, and never does work when no key expires.

use crate::effects::{EventClass, deletion};
use crate::keyspace::{AccessClock, Database, Shard};
use crate::rng::Rng;
use crate::settings::{EvictionPolicy, Settings};
use moonshard_store::Entry;

/// Candidates that a shard remembers between evictions.
const POOL_LEN: usize = 16;
/// Buckets looked at, for each sample wanted, from random places on.
const BUCKETS_PER_SAMPLE: usize = 4;
/// Keys drawn for a random policy before the walk.
const DRAWS_MAX: usize = 16;
/// Cursors of tables are below two to this power.
const CURSOR_BITS: u32 = 48;

/// A key that was evicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// Its database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
}

#[derive(Debug)]
struct Candidate {
    /// How well it goes; the highest first.
    score: u64,
    db: usize,
    key: Box<[u8]>,
}

/// What a shard remembers between evictions.
#[derive(Debug, Default)]
pub struct EvictionPool {
    /// By rising score.
    candidates: Vec<Candidate>,
    /// What the scores mean.
    policy: EvictionPolicy,
    /// The database that a random policy takes from next.
    next_db: usize,
    /// Where the walk for rare keys goes on, by database.
    walks: Vec<u64>,
}

impl EvictionPool {
    /// Whether a key of this score would enter the pool.
    fn admits(&self, score: u64) -> bool {
        self.candidates.len() < POOL_LEN || self.candidates.first().is_some_and(|worst| score > worst.score)
    }

    fn walk_of(&mut self, db: usize) -> &mut u64 {
        if self.walks.len() <= db {
            self.walks.resize(db + 1, 0);
        }
        &mut self.walks[db]
    }

    fn offer(&mut self, score: u64, db: usize, key: &[u8]) {
        let known = |candidate: &Candidate| candidate.db == db && *candidate.key == *key;
        if !self.admits(score) || self.candidates.iter().any(known) {
            return;
        }
        if self.candidates.len() == POOL_LEN {
            self.candidates.remove(0);
        }
        let at = self.candidates.partition_point(|candidate| candidate.score < score);
        self.candidates.insert(at, Candidate { score, db, key: key.into() });
    }
}

/// How well an entry goes under a policy: the highest first.
fn score(entry: &Entry, policy: EvictionPolicy, clock: AccessClock) -> u64 {
    match policy {
        EvictionPolicy::AllKeysLru | EvictionPolicy::VolatileLru => clock.idle_seconds(entry.access()),
        EvictionPolicy::AllKeysLfu | EvictionPolicy::VolatileLfu => {
            u64::from(u8::MAX) - u64::from(clock.frequency(entry.access()).min(u8::MAX.into()))
        }
        EvictionPolicy::VolatileTtl => u64::MAX - entry.expiry_ms().unwrap_or(u64::MAX),
        EvictionPolicy::NoEviction | EvictionPolicy::AllKeysRandom | EvictionPolicy::VolatileRandom => 0,
    }
}

impl Shard {
    /// Evicts one key, as the policy of `settings` wants at Unix time `now_ms` in milliseconds, and tells it. `None`
    /// when the policy allows none of this shard's keys to go. O(samples); see the [module](self) for volatile
    /// policies.
    pub fn evict_one(&mut self, now_ms: u64, settings: &Settings, rng: &mut Rng) -> Option<Evicted> {
        let policy = settings.eviction;
        let evicted = match policy {
            EvictionPolicy::NoEviction => None,
            EvictionPolicy::AllKeysRandom | EvictionPolicy::VolatileRandom => self.draw(policy, rng),
            _ => self.best(policy, AccessClock::new(now_ms, settings), settings.eviction_samples.max(1), rng),
        }?;
        let Evicted { db, key } = &evicted;
        self.evict(*db, key, settings.lazy_eviction);
        Some(evicted)
    }

    fn evict(&mut self, db: usize, key: &[u8], lazy: bool) {
        let hash = self.databases[db].table().hash(key);
        self.discard(db, hash, key, lazy);
        self.stats.evicted += 1;
        self.effects.replay_besides(db, &[deletion(lazy), key]);
        self.effects.changed(EventClass::EVICTED, "evicted", db, key);
    }

    /// A key for a random policy, from the databases in turn.
    fn draw(&mut self, policy: EvictionPolicy, rng: &mut Rng) -> Option<Evicted> {
        let Self { databases, eviction: pool, .. } = self;
        for _ in 0..databases.len() {
            let db = pool.next_db % databases.len();
            pool.next_db = db + 1;
            let database = &databases[db];
            if eligible(database, policy) == 0 {
                continue;
            }
            let mut draws = (0..DRAWS_MAX).filter_map(|_| database.table().random(|| rng.next()));
            let mut found: Option<Box<[u8]>> =
                draws.find(|entry| may_go(entry, policy)).map(|entry| entry.key().into());
            if found.is_none() {
                walk(database, pool.walk_of(db), 1, policy, |entry| found = Some(entry.key().into()));
            }
            if let Some(key) = found {
                return Some(Evicted { db, key });
            }
        }
        None
    }

    /// The best candidate of the pool, after new samples.
    fn best(
        &mut self,
        policy: EvictionPolicy,
        clock: AccessClock,
        samples: usize,
        rng: &mut Rng,
    ) -> Option<Evicted> {
        let Self { databases, eviction: pool, .. } = self;
        if pool.policy != policy {
            pool.policy = policy;
            pool.candidates.clear();
        }
        // The second round finds an empty pool, which refuses nothing.
        for _ in 0..2 {
            for (db, database) in databases.iter().enumerate() {
                if eligible(database, policy) == 0 {
                    continue;
                }
                let mut offer = |entry: &Entry| pool.offer(score(entry, policy, clock), db, entry.key());
                if sample(database, samples, policy, rng, &mut offer) == 0 {
                    let mut cursor = *pool.walk_of(db);
                    let offer = |entry: &Entry| pool.offer(score(entry, policy, clock), db, entry.key());
                    walk(database, &mut cursor, samples, policy, offer);
                    *pool.walk_of(db) = cursor;
                }
            }
            while let Some(Candidate { score: before, db, key }) = pool.candidates.pop() {
                let table = databases[db].table();
                let entry = table.get(table.hash(&key), &key).filter(|entry| may_go(entry, policy));
                if entry.is_some_and(|entry| score(entry, policy, clock) >= before) {
                    return Some(Evicted { db, key });
                }
            }
        }
        None
    }
}

/// Shows up to `samples` keys that may go, from random places of the table. Returns how many there were.
fn sample(
    database: &Database,
    samples: usize,
    policy: EvictionPolicy,
    rng: &mut Rng,
    visit: &mut dyn FnMut(&Entry),
) -> usize {
    let (mut found, mut cursor) = (0, 0);
    for _ in 0..samples * BUCKETS_PER_SAMPLE {
        if cursor == 0 {
            cursor = rng.next() >> (u64::BITS - CURSOR_BITS);
        }
        cursor = database.table().scan(cursor, |entry| {
            if found < samples && may_go(entry, policy) {
                found += 1;
                visit(entry);
            }
        });
        if found >= samples {
            break;
        }
    }
    found
}

/// Shows at least `samples` keys that may go, or all there are, from `cursor` on, where the last walk stopped.
fn walk(
    database: &Database,
    cursor: &mut u64,
    samples: usize,
    policy: EvictionPolicy,
    mut visit: impl FnMut(&Entry),
) {
    let (mut found, mut ends) = (0, 0);
    // A walk that begins in the middle has to come to the end twice to have seen all.
    while found < samples && ends < 2 {
        *cursor = database.table().scan(*cursor, |entry| {
            if may_go(entry, policy) {
                found += 1;
                visit(entry);
            }
        });
        ends += usize::from(*cursor == 0);
    }
}

fn may_go(entry: &Entry, policy: EvictionPolicy) -> bool {
    !policy.is_volatile() || entry.expiry_ms().is_some()
}

/// Keys of a database that may go.
fn eligible(database: &Database, policy: EvictionPolicy) -> usize {
    if policy.is_volatile() { database.expiring() } else { database.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Engine;

    const KEYS: usize = 400;

    /// Keys of which those with lower numbers were used longer ago, more rarely, and expire sooner; odd ones expire.
    fn engine(policy: EvictionPolicy) -> Engine {
        let mut engine = Engine::new(1);
        engine.settings.eviction = policy;
        engine.settings.lfu_log_factor = 0;
        engine.shards[0].effects.audience.hear_events(true);
        engine.shards[0].effects.audience.hear_commands(true);
        let begin_ms = engine.now_ms;
        for n in 0..KEYS {
            engine.now_ms = begin_ms + n as u64 * 1000;
            let (key, ttl) = (n.to_string(), (10_000_000 + n * 1000).to_string());
            engine.db = n % 2 * 3;
            engine.run(&["SET", &key, "v"]);
            if n % 4 > 1 {
                engine.run(&["PEXPIRE", &key, &ttl]);
            }
            if policy.is_lfu() {
                for _ in 0..n * 240 / KEYS {
                    engine.run(&["GET", &key]);
                }
            }
        }
        engine.settings.lfu_decay_minutes = 0;
        engine.now_ms += 1000;
        engine.shards[0].effects.take_events();
        engine.replayed();
        engine
    }

    fn evict(engine: &mut Engine) -> Option<usize> {
        let Engine { shards, now_ms, settings, rng, .. } = engine;
        let evicted = shards[0].evict_one(*now_ms, settings, rng)?;
        Some(std::str::from_utf8(&evicted.key).unwrap().parse().unwrap())
    }

    fn mean(numbers: &[usize]) -> usize {
        numbers.iter().sum::<usize>() / numbers.len()
    }

    #[test]
    fn every_policy_takes_what_it_should() {
        use EvictionPolicy as Policy;
        let policies = [
            Policy::AllKeysLru,
            Policy::AllKeysLfu,
            Policy::AllKeysRandom,
            Policy::VolatileLru,
            Policy::VolatileLfu,
            Policy::VolatileRandom,
            Policy::VolatileTtl,
        ];
        for policy in policies {
            let mut engine = engine(policy);
            let gone: Vec<usize> = (0..50).map(|_| evict(&mut engine).unwrap()).collect();
            let random = matches!(policy, Policy::AllKeysRandom | Policy::VolatileRandom);
            if random {
                assert!((120..280).contains(&mean(&gone)), "{policy:?}: {gone:?}");
            } else {
                assert!(mean(&gone) < 100, "{policy:?}: {gone:?}");
                assert!(gone[0] < 200, "{policy:?}: {gone:?}");
            }
            if policy.is_volatile() {
                assert!(gone.iter().all(|n| n % 4 > 1), "{policy:?}: {gone:?}");
            }
            assert!(gone.iter().any(|n| n % 2 == 0) && gone.iter().any(|n| n % 2 == 1), "both databases");
            let shard = &mut engine.shards[0];
            assert_eq!((shard.len(), shard.stats.evicted), (KEYS - 50, 50));
            let events = shard.effects.take_events();
            assert!(events.len() == 50 && events.iter().all(|event| event.name == "evicted"));
            assert_eq!(shard.effects.commands_mut().len(), 50);
        }
    }

    #[test]
    fn volatile_policies_find_the_last_key_and_take_no_other() {
        for policy in
            [EvictionPolicy::VolatileTtl, EvictionPolicy::VolatileRandom, EvictionPolicy::VolatileLru]
        {
            let mut engine = Engine::new(1);
            engine.settings.eviction = policy;
            for n in 0..5000 {
                engine.run(&["SET", &n.to_string(), "v"]);
            }
            assert_eq!(evict(&mut engine), None);
            for rare in ["77", "4999"] {
                engine.run(&["EXPIRE", rare, "100"]);
            }
            let mut gone = [evict(&mut engine).unwrap(), evict(&mut engine).unwrap()];
            gone.sort_unstable();
            assert_eq!((gone, evict(&mut engine)), ([77, 4999], None), "{policy:?}");
            assert_eq!(engine.shards[0].len(), 4998);
        }
    }

    #[test]
    fn nothing_goes_without_a_policy() {
        let mut engine = engine(EvictionPolicy::NoEviction);
        assert_eq!(evict(&mut engine), None);
        assert_eq!(engine.shards[0].len(), KEYS);
    }

    #[test]
    fn a_candidate_that_was_used_since_is_let_off() {
        let mut engine = engine(EvictionPolicy::AllKeysLru);
        engine.settings.eviction_samples = KEYS;
        assert!(evict(&mut engine).unwrap() < 2);
        let pooled: Vec<_> =
            engine.shards[0].eviction.candidates.iter().map(|c| (c.db, c.key.to_vec())).collect();
        assert_eq!(pooled.len(), POOL_LEN - 1);
        for (db, key) in &pooled {
            engine.db = *db;
            engine.run_bytes(&[b"GET", key]);
        }
        engine.settings.eviction_samples = 1;
        let next = evict(&mut engine).unwrap().to_string().into_bytes();
        assert!(pooled.iter().all(|(_, key)| *key != next));
    }
}
