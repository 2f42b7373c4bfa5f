//! Commands through the engine's door: look-up, admission, handler, reply.

use super::engine::{Engine, VALUE, command, shuffled_keys};
use criterion::{BenchmarkId, Criterion};
use moonshard_engine::Args;
use std::hint::black_box;

pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("command");
    for count in [1000, 1_000_000] {
        let keys = shuffled_keys(count);
        let mut engine = Engine::with_keys(&keys);
        let mut next = keys.iter().cycle();
        let get = command(&[b"GET", b"k"]);
        group.bench_function(BenchmarkId::new("GET", count), |bencher| {
            bencher.iter(|| {
                let Some(key) = next.next() else { return };
                let done = engine.context(None).call(get, Args::new(black_box(&[b"GET", key])));
                assert!(done.is_ok());
            });
        });
        let set = command(&[b"SET", b"k", b"v"]);
        group.bench_function(BenchmarkId::new("SET", count), |bencher| {
            bencher.iter(|| {
                let Some(key) = next.next() else { return };
                let done = engine.context(None).call(set, Args::new(black_box(&[b"SET", key, &VALUE])));
                assert!(done.is_ok());
            });
        });
    }
    group.finish();
}
