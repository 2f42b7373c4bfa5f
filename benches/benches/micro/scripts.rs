//! EVALSHA in a shard's VM, and redis.call in a script.

use super::engine::{Engine, VALUE, shuffled_keys};
use criterion::{Criterion, Throughput};
use moonshard_engine::{Args, ScriptCall, ScriptRef, ScriptRunner};
use moonshard_scripting::{Control, Registry, ScriptSettings, Vm, VmHost};
use std::hint::black_box;
use std::sync::Arc;

/// Calls that the script of "redis.call" makes.
const CALLS: u64 = 100;

pub fn benches(criterion: &mut Criterion) {
    let scripts = [
        ("return 1", "return 1", 1),
        (
            "GET and SET",
            "local old = redis.call('GET', KEYS[1]); redis.call('SET', KEYS[1], ARGV[1]); return old",
            1,
        ),
        (
            "1,000 additions and SET",
            "local sum = 0; for i = 1, 1000 do sum = sum + i end; return redis.call('SET', KEYS[1], sum)",
            1,
        ),
        (
            "100 formats and a concat",
            "local parts = {}; for i = 1, 100 do parts[i] = string.format('%d:%s', i, ARGV[1]) end; \
             return #table.concat(parts, ',')",
            1,
        ),
        ("redis.call of GET", "for i = 1, 100 do redis.call('GET', KEYS[1]) end", CALLS),
        ("redis.call of SET", "for i = 1, 100 do redis.call('SET', KEYS[1], ARGV[1]) end", CALLS),
    ];
    let registry = Arc::new(Registry::new());
    let host = VmHost { shed: Arc::new(|| {}), jit: true, settings: Arc::new(ScriptSettings::default()) };
    let keys = shuffled_keys(1000);
    let mut engine = Engine::with_keys(&keys);
    let mut vm = Vm::new(0, Arc::clone(&registry), Arc::new(Control::new()), host);
    let mut group = criterion.benchmark_group("EVALSHA");
    for (name, source, elements) in scripts {
        let sha = match registry.load(source.as_bytes()) {
            Ok(sha) => sha,
            Err(error) => panic!("{error:?}"),
        };
        group.throughput(Throughput::Elements(elements));
        let mut next = keys.iter().cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let Some(key) = next.next() else { return };
                let (keys, argv): ([&[u8]; 1], [&[u8]; 1]) = ([key], [&VALUE]);
                let script = ScriptRef::Sha(sha.as_bytes());
                let args = Args::new(&argv);
                let call = ScriptCall { script, keys: &keys, argv: &argv, read_only: false, args };
                let done = vm.run(&mut engine.context(None), black_box(&call));
                assert!(done.is_ok(), "{done:?}");
                // What the server tells it after every call.
                black_box(vm.took(black_box(1000)));
            });
        });
    }
    group.finish();
}
