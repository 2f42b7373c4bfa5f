//! The command table.

use criterion::Criterion;
use moonshard_engine::Args;
use moonshard_engine::command::CommandTable;
use std::hint::black_box;

pub fn benches(criterion: &mut Criterion) {
    let table = CommandTable::get();
    let mut group = criterion.benchmark_group("command table");
    let requests: [(&str, &[&[u8]]); 4] = [
        ("GET", &[b"GET", b"k"]),
        ("get, small letters", &[b"get", b"k"]),
        ("CONFIG GET, a subcommand", &[b"CONFIG", b"GET", b"port"]),
        ("unknown", &[b"NOSUCH", b"k"]),
    ];
    for (name, request) in requests {
        group.bench_function(name, |bencher| {
            bencher.iter(|| table.resolve(Args::new(black_box(request))).is_ok());
        });
    }
    group.finish();
}
