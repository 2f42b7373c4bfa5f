//! Look-ups in the keyspace, in and out of cache, one by one and in batches.

use super::engine::{Engine, Key, shuffled_keys};
use criterion::{BenchmarkId, Criterion, Throughput};
use moonshard_store::hash_key;
use std::hint::black_box;

/// Look-ups of one iteration: a batch of the connection loop.
const BATCH: usize = 64;

pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("look up 64 keys");
    group.throughput(Throughput::Elements(BATCH as u64));
    for count in [1000, 1_000_000] {
        let keys = shuffled_keys(count);
        let engine = Engine::with_keys(&keys);
        let mut batches = keys.chunks_exact(BATCH).cycle();
        group.bench_function(BenchmarkId::new("one by one", count), |bencher| {
            bencher.iter(|| batches.next().map(|keys| one_by_one(&engine, keys)));
        });
        group.bench_function(BenchmarkId::new("prefetched", count), |bencher| {
            bencher.iter(|| batches.next().map(|keys| prefetched(&engine, keys)));
        });
    }
    group.finish();
}

/// The bytes of values found.
fn one_by_one(engine: &Engine, keys: &[Key]) -> usize {
    let database = &engine.shard.databases[0];
    keys.iter().map(|key| found(database, hash_key(&engine.seed, black_box(key)), key)).sum()
}

fn prefetched(engine: &Engine, keys: &[Key]) -> usize {
    let database = &engine.shard.databases[0];
    let mut hashes = [0; BATCH];
    for (hash, key) in hashes.iter_mut().zip(keys) {
        *hash = hash_key(&engine.seed, black_box(key));
        database.prefetch_bucket(*hash);
    }
    for &hash in &hashes {
        database.prefetch_item(hash);
    }
    hashes.iter().zip(keys).map(|(&hash, key)| found(database, hash, key)).sum()
}

fn found(database: &moonshard_engine::keyspace::Database, hash: u64, key: &[u8]) -> usize {
    let value = database.table().get(hash, key).and_then(|entry| entry.string());
    assert!(value.is_some());
    value.map_or(0, |value| usize::from(value[0]) + value.len())
}
