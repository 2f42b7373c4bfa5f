//! Slow scripts: the watchdog, shedding, and kills that nothing catches.

#![allow(clippy::unwrap_used, reason = "a failure is a panic")]

mod world;

use moonshard_scripting::Kill;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use world::World;

/// Ends the next script that is slow, once it has shed its thread.
fn kill_when_slow(world: &World) -> std::thread::JoinHandle<Kill> {
    let (control, sheds) = (Arc::clone(&world.control), Arc::clone(&world.sheds));
    let before = sheds.load(Ordering::SeqCst);
    std::thread::spawn(move || {
        while sheds.load(Ordering::SeqCst) == before {
            std::thread::yield_now();
        }
        control.kill()
    })
}

/// Runs a script that never ends, and kills it. Returns the reply.
fn killed(jit: bool, script: &str) -> String {
    let mut world = World::new(jit);
    let watchdog = world.watch(|_| {});
    let killer = kill_when_slow(&world);
    let reply = world.eval_with(script, &["k"], &[]);
    assert_eq!(killer.join().unwrap(), Kill::Killed);
    assert_eq!(world.sheds.load(Ordering::SeqCst), 1, "it sheds its thread once");
    assert!(!world.control.is_running());
    assert_eq!(world.eval("return 'usable'"), "$6\r\nusable\r\n");
    assert_eq!(world.eval("local n = 0 for i = 1, 100000 do n = n + i end return n"), ":5000050000\r\n");
    drop(watchdog);
    reply
}

const ENDLESS: &[&str] = &[
    "while true do end",
    "local n = 0 while true do n = n + 1 end",
    "for i = 1, math.huge do end",
    "repeat until false",
    "while true do pcall(function() while true do end end) end",
    "while true do pcall(error) end",
    "while true do pcall(redis.call, 'get', KEYS[1]) end",
    "while true do redis.pcall('get', KEYS[1]) end",
    "while true do redis.pcall('nosuch') end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "while true do xpcall(error, function(e) while true do end end) end",
    "local function loop() while true do end end while true do coroutine.resume(coroutine.create(loop)) end",
    "while true do coroutine.wrap(function() while true do pcall(coroutine.yield) end end)() end",
    "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
    "local function f() return f() end f()",
    "local function f() return pcall(f) end while true do f() end",
    "local t = setmetatable({}, {__index = function(t, k) while true do end end}) return t.x",
    "table.sort({1, 2, 3}, function(a, b) while true do end end)",
    "string.gsub('abc', '.', function() while true do end end)",
    "load(function() while true do end end)",
    "while true do local t = {} for i = 1, 100 do t[i] = tostring(i) end end",
    "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
];

#[test]
fn nothing_catches_a_kill() {
    for script in ENDLESS.iter().copied() {
        for jit in [true, false] {
            let reply = killed(jit, script);
            let expected = "-ERR Script killed by user with SCRIPT KILL... script: ";
            assert!(reply.starts_with(expected), "{script}\n{reply}");
        }
    }
}

/// Single calls that take long, of functions into which no hook reaches. Each would end in an error of its own.
const LONG_CALLS: &[&str] = &[
    "local t = {1} for i = 1, 60 do t = {t, t} end return cjson.encode(t)",
    "local t = {a = 1} for i = 1, 60 do t = {a = t, b = t} end return cjson.encode(t)",
    "return cjson.decode('[' .. string.rep('1,', 8000000) .. 'x')",
    "return cjson.decode('[' .. string.rep('{},', 4000000) .. 'x')",
    "local t = {1} for i = 1, 14 do t = {t, t, t, t, t, t, t, t, t, t} end return cmsgpack.pack(t)",
    "local t = {a = 1} for i = 1, 14 do t = {t, t, t, t, t, t, t, t, t, a = t} end return cmsgpack.pack(t)",
    "return cmsgpack.unpack('\\221\\1\\0\\0\\0' .. string.rep('\\1', 8000000))",
    "return cmsgpack.unpack_one('\\221\\1\\0\\0\\0' .. string.rep('\\129\\1\\2', 2000000))",
    "local s = string.rep('a', 100000) return string.find(s, '.-.-.-.-b')",
];

#[test]
fn a_kill_reaches_into_single_calls() {
    for script in LONG_CALLS {
        // The script is killed as soon as it is seen to be slow. A machine that is very busy may see it too late.
        let killed = (0..5).any(|_| {
            let mut world = World::killing_the_slow();
            let watchdog = world.watch(|_| {});
            let reply = world.eval(script);
            drop(watchdog);
            assert_eq!(world.eval("return 'usable'"), "$6\r\nusable\r\n");
            reply.starts_with("-ERR Script killed by user with SCRIPT KILL")
        });
        assert!(killed, "{script}");
    }
}

#[test]
fn the_reply_to_a_killed_script_is_that_of_redis() {
    assert_eq!(
        killed(true, "while true do end"),
        "-ERR Script killed by user with SCRIPT KILL... script: 694a5fe1ddb97a4c6a1bf299d9537c7d3d0f84e7, on \
         @user_script:1.\r\n"
    );
}

#[test]
fn what_has_written_is_not_killed() {
    let mut world = World::default();
    let watchdog = world.watch(|_| {});
    let killer = kill_when_slow(&world);
    // Long enough to be slow on any machine, and it ends by itself.
    let script =
        "redis.call('set', KEYS[1], 'v') local n = 0 for i = 1, 50000000 do n = n + i % 7 end return 'done'";
    assert_eq!(world.eval_with(script, &["k"], &[]), "$4\r\ndone\r\n");
    assert_eq!(killer.join().unwrap(), Kill::Unkillable);
    drop(watchdog);
}

#[test]
fn a_refused_write_leaves_a_script_killable() {
    let mut world = World::default();
    let watchdog = world.watch(|_| {});
    let killer = kill_when_slow(&world);
    let script = "redis.pcall('set', 'of another slot', 'v') while true do end";
    assert!(world.eval_with(script, &["k"], &[]).starts_with("-ERR Script killed"));
    assert_eq!(killer.join().unwrap(), Kill::Killed);
    drop(watchdog);
}

#[test]
fn busy_is_told_once_for_each_script() {
    let mut world = World::default();
    world.settings.busy_threshold_ms.store(5, Ordering::SeqCst);
    let (send, receive) = mpsc::channel();
    let control = Arc::clone(&world.control);
    let watchdog = world.watch(move |shard| {
        send.send((shard, control.is_busy())).unwrap();
        control.kill();
    });
    for _ in 0..2 {
        assert!(world.eval("while true do end").starts_with("-ERR Script killed"));
        assert_eq!(receive.recv_timeout(Duration::from_secs(10)), Ok((0, true)));
        assert!(receive.try_recv().is_err());
        assert!(!world.control.is_busy());
    }
    drop(watchdog);
}

#[test]
fn slow_scripts_run_on_and_shed_once() {
    let mut world = World::default();
    let watchdog = world.watch(|_| {});
    let script = "local n = 0 for i = 1, 100000000 do n = n + i % 7 end return n";
    let started = Instant::now();
    assert_eq!(world.eval(script), ":299999997\r\n");
    let age = started.elapsed();
    assert_eq!(world.sheds.load(Ordering::SeqCst), usize::from(age > Duration::from_millis(3)), "{age:?}");
    drop(watchdog);
}

#[test]
fn fast_scripts_are_left_alone() {
    let mut world = World::default();
    let watchdog = world.watch(|_| {});
    let before = interruptions();
    for n in 0..20_000 {
        let reply = world.eval_with("return ARGV[1]", &[], &[&n.to_string()]);
        assert!(reply.ends_with(&format!("\r\n{n}\r\n")));
    }
    let (sheds, interruptions) = (world.sheds.load(Ordering::SeqCst), interruptions() - before);
    assert!(
        sheds <= 20 + interruptions,
        "{sheds} shed, and the system took the thread away {interruptions} times"
    );
    drop(watchdog);
}

/// How often the system gave this thread's core to another one: a script in whose middle it did so may be slow.
fn interruptions() -> usize {
    // SAFETY: an all-zero rusage is a valid one.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local of the right type.
    assert_eq!(unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) }, 0);
    (usage.ru_nivcsw + usage.ru_nvcsw) as usize
}

#[test]
fn the_watchdog_wakes_from_sleep() {
    let mut world = World::default();
    let watchdog = world.watch(|_| {});
    for _ in 0..3 {
        // Longer than it stays awake without a script.
        std::thread::sleep(Duration::from_millis(100));
        let killer = kill_when_slow(&world);
        assert!(world.eval("while true do end").starts_with("-ERR Script killed"));
        assert_eq!(killer.join().unwrap(), Kill::Killed);
    }
    drop(watchdog);
}

#[test]
fn a_kill_reaches_into_the_conversion_of_a_reply() {
    for script in [
        "local t = {} t[1] = t t[2] = t return t",
        "local t = {} for i = 1, 60 do t = {t, t} end return t",
        "local t = {} for i = 1, 60 do t = {map = {a = t, b = t}} end return t",
    ] {
        let reply = killed(true, script);
        assert_eq!(reply, "-ERR Script killed by user with SCRIPT KILL...\r\n", "{script}");
    }
    let mut world = World::default();
    let watchdog = world.watch(|_| {});
    let reply = world.eval("#!lua max-ms=20\nlocal t = {} t[1] = t t[2] = t return t");
    assert_eq!(reply, "-ERR Script killed: it ran for longer than 20 milliseconds\r\n");
    drop(watchdog);
}

#[test]
fn a_script_over_its_limit_of_time_ends_by_itself() {
    let mut world = World::default();
    let watchdog = world.watch(|_| {});
    let over =
        |limit: u64| format!("-ERR Script killed: it ran for longer than {limit} milliseconds script: ");
    // Its own limit, the server's, and the smaller of both.
    for (own, server, limit) in
        [("max-ms=20", 0, 20), ("", 30, 30), ("max-ms=20", 60_000, 20), ("max-ms=60000", 20, 20)]
    {
        world.settings.max_ms.store(server, Ordering::SeqCst);
        for body in
            ["while true do pcall(function() while true do end end) end", "return ('a'):rep(1e6):find('a*b')"]
        {
            let reply = world.eval(&format!("#!lua {own}\n{body}"));
            assert!(reply.starts_with(&over(limit)), "{own} {server}\n{reply}");
        }
        assert_eq!(world.eval("return 'usable'"), "$6\r\nusable\r\n");
    }
    drop(watchdog);
}

#[test]
fn a_script_over_its_limit_that_has_written_or_is_not_to_be_ended_is_busy() {
    let mut world = World::default();
    world.settings.max_ms.store(10, Ordering::SeqCst);
    world.settings.busy_threshold_ms.store(0, Ordering::SeqCst);
    let (send, receive) = mpsc::channel();
    let control = Arc::clone(&world.control);
    let watchdog = world.watch(move |shard| {
        send.send((shard, control.is_busy())).unwrap();
        control.kill_even_if_written();
    });
    let wrote = world.eval_with("redis.call('set', KEYS[1], 1) while true do end", &["k"], &[]);
    assert_eq!(receive.try_recv(), Ok((0, true)));
    assert!(wrote.starts_with("-ERR Script killed by user"), "{wrote}");
    world.settings.kill_over_limit.store(false, Ordering::SeqCst);
    let read = world.eval("while true do end");
    assert_eq!(receive.try_recv(), Ok((0, true)));
    assert!(read.starts_with("-ERR Script killed by user"), "{read}");
    assert!(receive.try_recv().is_err(), "told once each");
    drop(watchdog);
}
