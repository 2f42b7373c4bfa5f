//! Recording changes for the log: by one thread, and by two on different shards, beside one log behind one lock.

use criterion::{Criterion, Throughput};
use moonshard_journal::{Collected, Journals};
use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A SET of 64 bytes, as it is recorded.
const RECORD: [u8; 128] = [b'x'; 128];
/// Records between two collections.
const EACH: u64 = 4096;

/// Records `EACH` a thread and round from this many threads, each on its own shard, and collects after each round; tells
/// how long the recording took.
fn record(threads: usize, rounds: u64, append: impl Fn(usize) + Sync, mut collect: impl FnMut()) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let append = &append;
                scope.spawn(move || (0..EACH).for_each(|_| append(thread)));
            }
        });
        spent += begun.elapsed();
        collect();
    }
    spent
}

pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log, records of threads on different shards");
    for threads in [1usize, 2] {
        group.throughput(Throughput::Elements(EACH * threads as u64));
        let journals = Journals::new(16);
        let mut collected = Collected::default();
        group.bench_function(format!("journals, {threads}"), |bencher| {
            bencher.iter_custom(|rounds| {
                record(
                    threads,
                    rounds,
                    |shard| {
                        journals.append(shard, |bytes| bytes.extend_from_slice(&RECORD));
                    },
                    || journals.collect(black_box(&mut collected)),
                )
            });
        });
        let single = Mutex::new(Vec::new());
        group.bench_function(format!("one buffer behind one lock, {threads}"), |bencher| {
            bencher.iter_custom(|rounds| {
                let append = |_| {
                    if let Ok(mut bytes) = single.lock() {
                        bytes.extend_from_slice(&RECORD);
                    }
                };
                record(threads, rounds, append, || {
                    if let Ok(mut bytes) = single.lock() {
                        black_box(&mut bytes).clear();
                    }
                })
            });
        });
    }
    group.finish();
}
