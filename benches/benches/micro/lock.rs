//! The shard's lock, with nobody else who wants it.

use criterion::Criterion;
use moonshard_lock::ShardLock;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

pub fn benches(criterion: &mut Criterion) {
    let lock = ShardLock::new(0u64);
    let mut group = criterion.benchmark_group("lock, uncontended");
    group.bench_function("try_lock", |bencher| {
        bencher.iter(|| lock.try_lock().map(|mut value| *value += 1).is_some());
    });
    group.bench_function("lock, as a future", |bencher| {
        let mut context = Context::from_waker(Waker::noop());
        bencher.iter(|| pin!(lock.lock()).poll(&mut context).is_ready());
    });
    group.finish();
}
