//! Scripts where shards and several connections matter: what one server process with one script at a time, the
//! oracle of the corpus, cannot show.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use moonshard_tests::resp::{Client, Reply};
use moonshard_tests::server::{Server, under_test_is_redis};
use moonshard_tests::waiting::until;

const SHARDS: usize = 16;

fn eval(client: &mut Client, script: &str, keys: &[&str], args: &[&str]) -> Reply {
    send_eval(client, script, keys, args);
    client.read().unwrap_or_else(|e| panic!("no reply to {script}: {e}"))
}

fn send_eval(client: &mut Client, script: &str, keys: &[&str], args: &[&str]) {
    let count = keys.len().to_string();
    let mut command = vec!["EVAL", script, &count];
    command.extend_from_slice(keys);
    command.extend_from_slice(args);
    client.send(&command).unwrap();
}

fn sha_of(client: &mut Client, script: &str) -> String {
    let reply = client.command(&["SCRIPT", "LOAD", script]).unwrap();
    String::from_utf8(reply.value.bytes().unwrap().to_vec()).unwrap()
}

#[test]
fn a_script_known_to_one_shard_is_known_to_all() {
    let server = Server::moonshard(SHARDS, &[]);
    let script = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
    assert_eq!(eval(&mut server.connect(), script, &["first"], &["1"]).raw, b":1\r\n");
    let sha = {
        let reply = eval(&mut server.connect(), "return redis.sha1hex(ARGV[1])", &["k"], &[script]);
        String::from_utf8(reply.value.bytes().unwrap().to_vec()).unwrap()
    };
    std::thread::scope(|scope| {
        for connection in 0..6 {
            let (server, sha) = (&server, &sha);
            scope.spawn(move || {
                let mut client = server.connect();
                for i in 0..400 {
                    let key = format!("key:{connection}:{i}");
                    let reply = client.command(&["EVALSHA", sha, "1", &key, "7"]).unwrap();
                    assert_eq!(reply.raw, b":7\r\n", "{}", reply.text());
                }
            });
        }
    });
}

#[test]
fn after_script_flush_no_old_script_runs() {
    let server = Server::moonshard(SHARDS, &[]);
    let mut admin = server.connect();
    for round in 0..20 {
        let sha = sha_of(&mut admin, &format!("return {round}"));
        let (flushed, done) = (AtomicBool::new(false), AtomicBool::new(false));
        let hits = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for connection in 0..4 {
                let (server, sha, flushed, done, hits) = (&server, &sha, &flushed, &done, &hits);
                scope.spawn(move || {
                    let mut client = server.connect();
                    let mut i = 0;
                    while !done.load(Ordering::Acquire) {
                        i += 1;
                        let key = format!("{connection}:{i}");
                        let was_flushed = flushed.load(Ordering::Acquire);
                        let reply = client.command(&["EVALSHA", sha, "1", &key]).unwrap();
                        let hit = reply.error().is_none();
                        assert!(!(hit && was_flushed), "a hit after the flush: {}", reply.text());
                        hits.fetch_add(usize::from(hit), Ordering::AcqRel);
                    }
                });
            }
            until("the scripts run", || hits.load(Ordering::Acquire) > 50);
            assert_eq!(admin.ask("SCRIPT FLUSH").raw, b"+OK\r\n");
            flushed.store(true, Ordering::Release);
            for i in 0..200 {
                let reply = admin.command(&["EVALSHA", &sha, "1", &format!("after:{i}")]).unwrap();
                assert_eq!(reply.raw, b"-NOSCRIPT No matching script. Please use EVAL.\r\n");
            }
            done.store(true, Ordering::Release);
        });
    }
}

/// Kills the running script as soon as the server knows of one.
fn kill(client: &mut Client) {
    until("SCRIPT KILL", || match client.ask("SCRIPT KILL").raw.as_slice() {
        b"+OK\r\n" => true,
        other => {
            assert!(other.starts_with(b"-NOTBUSY"), "{}", other.escape_ascii());
            false
        }
    });
}

const ENDLESS: [&str; 4] = [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "local co = coroutine.wrap(function() while true do end end) co()",
    "local n = 0 while true do n = n + 1 redis.call('GET', KEYS[1]) end",
];

#[test]
fn an_endless_script_holds_up_its_own_shard_only_and_can_be_killed() {
    let theirs = Server::redis(&["--busy-reply-threshold", "1"]);
    let ours = Server::moonshard(SHARDS, &[]);
    let mut admin = ours.connect();
    for script in ENDLESS {
        let mut oracle = theirs.connect();
        send_eval(&mut oracle, script, &["a"], &[]);
        kill(&mut theirs.connect());
        let expected = oracle.read().unwrap().text();

        let mut runner = ours.connect();
        send_eval(&mut runner, script, &["a"], &[]);
        if !under_test_is_redis() {
            // `b` and 1 to 300 lie on all shards but some of them on that of `a`: those wait, so they are left out.
            let mut other = ours.connect();
            for i in 0..300 {
                let key = format!("{{b}}{i}");
                assert_eq!(other.command(&["SET", &key, "x"]).unwrap().raw, b"+OK\r\n");
            }
        }
        kill(&mut admin);
        assert_eq!(runner.read().unwrap().text(), expected, "{script}");
        assert_eq!(runner.ask("SET a usable").raw, b"+OK\r\n");
    }
}

#[test]
fn scripts_on_two_shards_are_both_killed() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(SHARDS, &[]);
    let mut runners: Vec<Client> = Vec::new();
    for (key, script) in [("{a}1", ENDLESS[0]), ("{b}1", ENDLESS[1])] {
        let mut client = server.connect();
        send_eval(&mut client, script, &[key], &[]);
        runners.push(client);
    }
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut admin = server.connect();
            while !stop.load(Ordering::Acquire) {
                admin.ask("SCRIPT KILL");
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        for mut client in runners {
            let reply = client.read();
            stop.store(reply.is_err(), Ordering::Release);
            let error = reply.unwrap().error().unwrap();
            assert!(error.contains("Script killed by user with SCRIPT KILL"), "{error}");
        }
        stop.store(true, Ordering::Release);
    });
}

#[test]
fn a_script_that_wrote_cannot_be_killed() {
    let theirs = Server::redis(&["--busy-reply-threshold", "1"]);
    let ours = Server::moonshard(SHARDS, &[]);
    let refusal = |server: &Server| {
        let mut runner = server.connect();
        send_eval(&mut runner, "redis.call('SET', KEYS[1], 'x') while true do end", &["a"], &[]);
        let mut admin = server.connect();
        let mut refusal = String::new();
        until("a refusal", || {
            refusal = admin.ask("SCRIPT KILL").text();
            !refusal.starts_with("-NOTBUSY")
        });
        refusal
    };
    assert_eq!(refusal(&ours), refusal(&theirs));
    if !under_test_is_redis() {
        assert_eq!(ours.connect().ask("SET {b}1 x").raw, b"+OK\r\n");
    }
}

#[test]
fn only_a_busy_shards_keys_are_answered_with_busy() {
    let theirs = Server::redis(&["--busy-reply-threshold", "20"]);
    let ours = Server::moonshard(SHARDS, &["--busy-reply-threshold", "20"]);
    let busy = |server: &Server| {
        let mut runner = server.connect();
        send_eval(&mut runner, ENDLESS[0], &["{a}1"], &[]);
        let mut client = server.connect();
        let mut answer = String::new();
        until("BUSY", || {
            answer = client.ask("GET {a}2").text();
            answer.starts_with("-BUSY")
        });
        (runner, client, answer)
    };
    let (_runner, _, expected) = busy(&theirs);
    let (mut runner, mut client, answer) = busy(&ours);
    assert_eq!(answer, expected);
    if !under_test_is_redis() {
        assert_eq!(client.ask("GET {b}1").raw, b"$-1\r\n");
        assert_eq!(eval(&mut client, "return redis.call('SET', KEYS[1], 1)", &["{b}1"], &[]).raw, b"+OK\r\n");
        assert_eq!(eval(&mut client, "return 1", &["{a}3"], &[]).text(), expected);
    }
    kill(&mut ours.connect());
    assert!(runner.read().unwrap().error().is_some());
    assert_eq!(client.ask("GET {a}2").raw, b"$-1\r\n");
}

#[test]
fn keys_of_two_slots_are_refused_before_the_script_starts() {
    if under_test_is_redis() {
        return;
    }
    for shards in [1, SHARDS] {
        let server = Server::moonshard(shards, &[]);
        let mut client = server.connect();
        let script = "redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[2], 1)";
        let refused = b"-CROSSSLOT Keys in request don't hash to the same slot\r\n";
        assert_eq!(eval(&mut client, script, &["{a}1", "{b}1"], &[]).raw, refused);
        let sha = sha_of(&mut client, script);
        assert_eq!(client.command(&["EVALSHA", &sha, "2", "{a}1", "{b}1"]).unwrap().raw, refused);
        assert_eq!(client.ask("EXISTS {a}1 {b}1").raw, b":0\r\n");
        assert_eq!(eval(&mut client, script, &["{a}1", "{a}2"], &[]).raw, b"$-1\r\n");
        let flagged = format!("#!lua flags=allow-cross-slot-keys\n{script}");
        assert_eq!(eval(&mut client, &flagged, &["{c}1", "{d}1"], &[]).raw, b"$-1\r\n");
        assert_eq!(client.ask("EXISTS {c}1 {d}1").raw, b":2\r\n");
    }
}

#[test]
fn a_key_of_another_slot_is_never_written() {
    if under_test_is_redis() {
        return;
    }
    for shards in [1, SHARDS] {
        let server = Server::moonshard(shards, &[]);
        let mut client = server.connect();
        let script = "return redis.call('SET', ARGV[1], 'x')";
        // Far more keys than shards: some are on the executing shard, and still of another slot.
        for i in 0..64 {
            let key = format!("foreign{i}");
            let reply = eval(&mut client, script, &["{a}1"], &[&key]);
            assert!(reply.error().is_some(), "{key}: {}", reply.text());
            let reply = eval(&mut client, script, &[], &[&key]);
            assert!(reply.error().is_some(), "{key} without KEYS: {}", reply.text());
            let caught = eval(
                &mut client,
                "return type(redis.pcall('MSET', KEYS[1], 1, ARGV[1], 2).err)",
                &["{a}1"],
                &[&key],
            );
            assert_eq!(caught.raw, b"$6\r\nstring\r\n");
        }
        assert_eq!(client.ask("DBSIZE").raw, b":0\r\n");
        assert_eq!(eval(&mut client, script, &["{a}1"], &["{a}undeclared"]).raw, b"+OK\r\n");
        let flagged = format!("#!lua flags=allow-undeclared-keys\n{script}");
        assert_eq!(eval(&mut client, &flagged, &[], &["anywhere"]).raw, b"+OK\r\n");
        assert_eq!(client.ask("GET anywhere").raw, b"$1\r\nx\r\n");
    }
}

#[test]
fn scripts_on_several_keys_are_atomic() {
    let server = Server::moonshard(SHARDS, &[]);
    let move_one = "#!lua flags=allow-cross-slot-keys\n\
        local n = tonumber(redis.call('GET', KEYS[1]) or 0)\n\
        redis.call('SET', KEYS[1], n - 1)\n\
        local m = tonumber(redis.call('GET', KEYS[2]) or 0)\n\
        redis.call('SET', KEYS[2], m + 1)\n\
        return 'moved'";
    std::thread::scope(|scope| {
        for (from, to) in [("x", "y"), ("y", "z"), ("z", "x"), ("y", "x")] {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for _ in 0..500 {
                    assert_eq!(eval(&mut client, move_one, &[from, to], &[]).raw, b"$5\r\nmoved\r\n");
                }
            });
        }
        let mut client = server.connect();
        for _ in 0..500 {
            let reply = client.ask("MGET x y z");
            let sum: i64 = reply
                .value
                .items()
                .unwrap()
                .iter()
                .map(|v| v.bytes().map_or(0, |b| String::from_utf8_lossy(b).parse::<i64>().unwrap()))
                .sum();
            assert_eq!(sum, 0, "{}", reply.value);
        }
    });
}

/// Scripts that try to take the server, its shard or later scripts with them. Redis 7.0.15 itself ends at some.
const HOSTILE: &[&str] = &[
    "local function f() return f() + 1 end return f()",
    "local function f() f() end f()",
    "local t = {} t[1] = t return t",
    "local t = {} t.map = t return t",
    "local a, b = {}, {} a[1] = b b[1] = a return a",
    "local t = {} for i = 1, 10000 do t = {t} end return t",
    "local t = {} t[1] = t return cjson.encode(t)",
    "local t = {} t[1] = t return cmsgpack.pack(t)",
    "return cjson.decode(string.rep('[', 100000))",
    "return cmsgpack.unpack(string.rep('\\145', 100000))",
    "error({})",
    "error({1, 2})",
    "error({ok = 'fine'})",
    "error({err = {}})",
    "error({err = 'a\\r\\n+OK\\r\\n'})",
    "error('a\\r\\n$-1\\r\\n')",
    "return {err = 'a\\r\\nb'}",
    "return {ok = 'a\\r\\nb'}",
    "return redis.error_reply('a\\r\\nb')",
    "error(setmetatable({}, {__index = function() error('again') end}))",
    "error(setmetatable({}, {__tostring = function() error('again') end}))",
    "return setmetatable({}, {__index = function() error('again') end})",
    "return setmetatable({}, {__index = function(t, k) return t end})",
    "error(nil)",
    "error(coroutine.create(function() end))",
    "return coroutine.wrap(function() return coroutine.wrap(function() error('in') end)() end)()",
    "local function deep(n) return coroutine.wrap(function() return deep(n + 1) end)() end return deep(1)",
    "return string.rep('x', 2^31)",
    "return string.rep('x', -2^63)",
    "return #string.rep('abc', 2^40)",
    "return string.format('%99999999d', 1)",
    "return unpack({}, 1, 1e7)",
    "return unpack({}, -2^31, 2^31)",
    "return table.concat({}, 'x', 1, 2^31)",
    "return loadstring(string.rep('(', 10000) .. '1' .. string.rep(')', 10000))",
    "return loadstring('return ' .. string.rep('a.', 10000) .. 'b')",
    "return loadstring('\\27LJ\\2')",
    "return loadstring(string.dump(function() end))()",
    "return string.find(string.rep('a', 300000), string.rep('(a', 40))",
    "return ('x'):rep(300):find(('.-'):rep(2) .. 'y', 1)",
    "redis.call(unpack({'SET', KEYS[1]}, 1, 100000))",
    "return redis.call('SET', KEYS[1], setmetatable({}, {__tostring = function() return 'x' end}))",
    "local r = redis.call r('PING') r = nil return redis.call",
    "redis.call = nil redis = nil _G = nil",
    "for k in pairs(_G) do _G[k] = nil end",
    "setmetatable(_G, nil) rawset(_G, 'KEYS', nil)",
    "string.format = nil string.rep = nil getmetatable('').__index = {}",
    "table.sort({3, 1, 2}, function() return true end)",
    "table.sort({3, 1, 2}, function() error({}) end)",
    "return struct.unpack('c0', '')",
    "return struct.pack('i99999999', 1)",
    "return struct.unpack('>I4', 'abcd', 2^31)",
    "return bit.tohex(1, -2^31)",
    "return select(-2^31, 1)",
    "return select(2^31, 1)",
    "return tostring(newproxy and newproxy(true))",
    "collectgarbage('stop') collectgarbage('setpause', 0) return collectgarbage('count') > 0",
    "local t = setmetatable({}, {__gc = function() error('gc') end}) t = nil collectgarbage()",
    "redis.setresp(3) return redis.call('HGETALL', KEYS[1])",
    "coroutine.yield()",
    "return xpcall(error, function(e) error(e) end)",
    "return xpcall(function() local function f() return f() + 1 end f() end, function(e) return f() end)",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} for i = 1, 1e9 do t[i] = {i} end",
];

/// Redis has no cap on a script's memory and ends, or nearly, at some of these.
fn hostile_scripts() -> &'static [&'static str] {
    if under_test_is_redis() { &HOSTILE[16..19] } else { HOSTILE }
}

#[test]
fn hostile_scripts_harm_nobody() {
    let mut server = Server::moonshard(SHARDS, &[]);
    let mut witness = server.connect();
    let check = "local t = {} for k in pairs(_G) do t[#t + 1] = k end table.sort(t) \
        return {table.concat(t, ' '), type(redis.call), string.format('%d', 5), ('x'):rep(3), #KEYS, cjson.encode({1})}";
    let pristine = eval(&mut witness, check, &["{a}1"], &[]);
    assert!(pristine.error().is_none(), "{}", pristine.text());
    // Replies of thousands of nested arrays are parsed by recursion.
    let work = std::thread::Builder::new().stack_size(512 << 20).spawn(move || {
        for script in hostile_scripts() {
            let mut client = server.connect();
            send_eval(&mut client, script, &["{a}1"], &[]);
            let reply = client.read();
            assert!(server.is_alive(), "the server ended at: {script}\n{}", server.log());
            let reply = reply.unwrap_or_else(|e| panic!("no reply to {script}: {e}"));
            // Exactly one reply: what comes next is the next command's.
            assert_eq!(client.ask("PING").raw, b"+PONG\r\n", "{script}: {}", shown(&reply));
            let after = eval(&mut witness, check, &["{a}1"], &[]);
            assert_eq!(after.value.to_string(), pristine.value.to_string(), "after {script}");
        }
    });
    if let Err(panic) = work.unwrap().join() {
        std::panic::resume_unwind(panic);
    }
}

fn shown(reply: &Reply) -> String {
    reply.raw[..reply.raw.len().min(300)].escape_ascii().to_string()
}

#[test]
fn a_script_leaves_nothing_for_the_next_one() {
    let server = Server::moonshard(SHARDS, &[]);
    let mut client = server.connect();
    let attempts = [
        "leak = 1",
        "_G.leak = 1",
        "rawset(_G, 'leak', 1)",
        "setfenv(0, {leak = 1})",
        "getfenv(0).leak = 1",
        "string.leak = 1",
        "rawset(string, 'leak', 1)",
        "getmetatable('').leak = 1",
        "getmetatable('').__index = {leak = 1}",
        "rawset(redis, 'leak', 1)",
        "cjson.null_leak = 1",
        "table.insert(_G, 1)",
        "setmetatable(_G, {__index = {leak = 1}})",
        "setmetatable(string, {__index = {leak = 1}})",
        "for _, t in pairs({string, table, math, redis, cjson, bit, struct, cmsgpack, coroutine}) do \
           pcall(rawset, t, 'leak', 1) pcall(setmetatable, t, {__index = {leak = 1}}) end",
    ];
    let probe = "local found = {} \
        for name, t in pairs({G = _G, string = string, redis = redis, table = table, math = math}) do \
          local ok, v = pcall(function() return t.leak end) if ok and v then found[#found + 1] = name end end \
        local ok, v = pcall(function() return leak end) if ok and v then found[#found + 1] = 'global' end \
        local ok, v = pcall(function() return ('x').leak end) if ok and v then found[#found + 1] = 'str' end \
        return found";
    for attempt in attempts {
        eval(&mut client, attempt, &["{a}1"], &[]);
        let found = eval(&mut client, probe, &["{a}1"], &[]);
        assert_eq!(found.text(), "*0\r\n", "after {attempt}");
    }
}

#[test]
fn numbers_reach_commands_as_redis_writes_them() {
    let (ours, theirs) = (Server::moonshard(SHARDS, &[]), Server::redis(&[]));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    let mut rng = moonshard_tests::random::Rng::new(moonshard_tests::random::seed());
    let script = "redis.call('SET', KEYS[1], tonumber(ARGV[1])) return {redis.call('GET', KEYS[1]), \
        tonumber(ARGV[1]), cjson.encode(tonumber(ARGV[1])), cmsgpack.pack(tonumber(ARGV[1])), tostring(tonumber(ARGV[1]))}";
    for _ in 0..3_000 {
        let number = match rng.below(5) {
            0 => (rng.bits() as i64).to_string(),
            1 => format!("{}", rng.bits() as i32),
            2 => format!("{:e}", f64::from_bits(rng.bits() & !(1 << 62))),
            3 => format!("{}", (rng.bits() as i32 as f64) / 1000.0),
            _ => format!("{}e{}", rng.below(1000), rng.below(40) as i64 - 20),
        };
        let (got, expected) =
            (eval(&mut ours, script, &["n"], &[&number]), eval(&mut theirs, script, &["n"], &[&number]));
        assert_eq!(got.value.to_string(), expected.value.to_string(), "{number}");
    }
}

#[test]
fn many_endless_scripts_on_one_io_thread_leave_it_to_the_others() {
    for _ in 0..5 {
        let server = Server::moonshard(16, &["--io-threads", "1"]);
        let mut busy: Vec<Client> = (0..8).map(|_| server.connect()).collect();
        for (number, client) in busy.iter_mut().enumerate() {
            client.send(&["EVAL", "while true do end", "1", &format!("key:{number}")]).unwrap();
        }
        // Each hand-over of the thread's connections may meet the next.
        for _ in 0..50 {
            let mut newcomer = server.connect();
            assert_eq!(newcomer.command(&["PING"]).unwrap().raw, b"+PONG\r\n");
        }
    }
}

#[test]
fn a_command_over_several_shards_waits_for_a_slow_one_without_holding_the_others() {
    let server = Server::moonshard(16, &["--io-threads", "1"]);
    let (mut busy, mut waiting, mut others) = (server.connect(), server.connect(), server.connect());
    // Slots 12182, 5061 and 8697: shards 6, 5 and 9 of 16.
    busy.send(&["EVAL", "while true do end", "1", "foo"]).unwrap();
    loop {
        let info = others.command(&["INFO", "shards"]).unwrap().raw;
        if String::from_utf8_lossy(&info).contains("script=running") {
            break;
        }
    }
    waiting.send(&["MSET", "bar", "1", "foo", "1", "baz1", "1"]).unwrap();
    // However often they are asked for, the shards that the waiting command wants as well are free.
    for n in 1..=200 {
        assert_eq!(others.command(&["INCR", "bar"]).unwrap().raw, format!(":{n}\r\n").as_bytes());
    }
    loop {
        // NOTBUSY until the script is old enough to be noticed.
        let reply = others.command(&["SCRIPT", "KILL"]).unwrap().raw;
        if reply == b"+OK\r\n" {
            break;
        }
        assert!(reply.starts_with(b"-NOTBUSY"), "{reply:?}");
    }
    assert!(busy.read().unwrap().raw.starts_with(b"-ERR Script killed by user"));
    assert_eq!(waiting.read().unwrap().raw, b"+OK\r\n");
    assert_eq!(
        others.command(&["MGET", "bar", "foo", "baz1"]).unwrap().raw,
        b"*3\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n"
    );
}

#[test]
fn what_scripts_say_is_in_the_log_from_its_level_on() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(1, &["--loglevel", "verbose"]);
    let mut client = server.connect();
    let script = "for _, level in ipairs({'DEBUG', 'VERBOSE', 'NOTICE', 'WARNING'}) do \
        redis.log(redis['LOG_' .. level], 'said as', level, 7, {}, nil) end return 1";
    assert_eq!(client.command(&["EVAL", script, "0"]).unwrap().raw, b":1\r\n");
    until("all is logged", || server.log().contains("said as WARNING 7"));
    let log = server.log();
    for level in ["VERBOSE", "NOTICE"] {
        assert!(log.contains(&format!("said as {level} 7")), "{log}");
    }
    assert!(!log.contains("said as DEBUG"), "{log}");
}
