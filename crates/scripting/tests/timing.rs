//! What a call costs. Not a test of correctness: run it by hand, in release, with `-- --ignored --nocapture`.

#![allow(clippy::unwrap_used, reason = "a failure is a panic")]

mod world;

use std::time::Duration;
use world::World;

/// Processor time of this thread: other programs do not count.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is the caller's.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
#[ignore = "a measurement"]
fn cost_of_evalsha() {
    for jit in [true, false] {
        println!("compiler {}:", if jit { "on" } else { "off" });
        measure(World::new(jit));
    }
}

fn measure(mut world: World) {
    let watchdog = world.watch(|_| {});
    let cases = [
        ("get and set", "local v = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) return v"),
        ("return 1", "return 1"),
        ("20 gets", "for i = 1, 20 do redis.call('GET', KEYS[1]) end return 1"),
        (
            "1,000 additions",
            "local n = 0 for i = 1, 1000 do n = n + i end redis.call('SET', KEYS[1], n) return n",
        ),
        (
            "100 formats",
            "local t = {} for i = 1, 100 do t[#t + 1] = string.format('%d:%s', i, KEYS[1]) end return table.concat(t)",
        ),
        (
            "100 inserts",
            "local t = {} for i = 1, 100 do table.insert(t, i) end local n = 0 for k, v in pairs(t) do n = n + v end return n",
        ),
        (
            "100 plain finds",
            "local n, s = 0, ('x'):rep(50) .. 'needle' for i = 1, 100 do n = n + s:find('needle', 1, true) end return n",
        ),
        (
            "100 plain finds without saying so",
            "local n, s = 0, ('x'):rep(50) .. 'needle' for i = 1, 100 do n = n + s:find('needle') end return n",
        ),
        (
            "100 matches",
            "local n, s = 0, 'user:12345:name' for i = 1, 100 do n = n + s:match('^%a+:(%d+)') end return n",
        ),
        (
            "50 words",
            "local n = 0 for word in ('some words, '):rep(25):gmatch('[^, ]+') do n = n + #word end return n",
        ),
        ("a substitution", "return (('some words, '):rep(25):gsub('%s+', '_'))"),
    ];
    for (name, script) in cases {
        let sha = world.registry.load(script.as_bytes()).unwrap();
        let call: [&[u8]; 5] = [b"EVALSHA", sha.as_bytes(), b"1", b"key:1", b"value"];
        for _ in 0..2000 {
            world.command(&call);
        }
        const RUNS: u32 = 20_000;
        let started = thread_time();
        for _ in 0..RUNS {
            std::hint::black_box(world.command(&call));
        }
        println!("{name}: {:?} a call", (thread_time() - started) / RUNS);
    }
    drop(watchdog);
}
