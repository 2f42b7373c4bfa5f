//! `maxmemory` and its eight policies, end to end.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use moonshard_tests::resp::{Client, encode};
use moonshard_tests::server::Server;
use moonshard_tests::waiting::{WITHIN, until};

const MB: u64 = 1 << 20;
const OOM: &[u8] = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n";

fn info(client: &mut Client, field: &str) -> u64 {
    let text = client.ask("INFO everything").text();
    let prefix = format!("{field}:");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix)).expect(field);
    line.trim().parse().unwrap()
}

fn set_config(client: &mut Client, name: &str, value: &str) {
    assert_eq!(client.ask(&format!("CONFIG SET {name} {value}")).raw, b"+OK\r\n");
}

/// Sets keys `<prefix><number>` in pipelines; returns how many were refused for memory.
fn fill(client: &mut Client, prefix: &str, count: usize, len: usize, expiring: bool) -> usize {
    const PIPELINE: usize = 100;
    let value = vec![b'x'; len];
    let (mut refused, mut sent) = (0, 0);
    while sent < count {
        let some = PIPELINE.min(count - sent);
        let mut requests = Vec::new();
        for number in sent..sent + some {
            let key = format!("{prefix}{number}");
            let mut command = vec![b"SET".as_slice(), key.as_bytes(), &value];
            if expiring {
                command.extend([b"EX".as_slice(), b"10000"]);
            }
            requests.extend(encode(&command));
        }
        client.send_raw(&requests).unwrap();
        for _ in 0..some {
            match client.read().unwrap().raw.as_slice() {
                b"+OK\r\n" => {}
                OOM => refused += 1,
                other => panic!("{}", other.escape_ascii()),
            }
        }
        sent += some;
    }
    refused
}

fn count_keys(client: &mut Client, prefix: &str, count: usize) -> usize {
    (0..count).filter(|number| client.ask(&format!("EXISTS {prefix}{number}")).raw == b":1\r\n").count()
}

/// A server whose limit lies so much above what it uses at start.
fn limited(policy: &str, room: u64) -> (Server, Client, u64) {
    let server = Server::moonshard(4, &["--maxmemory-policy", policy]);
    let mut client = server.connect();
    let limit = info(&mut client, "used_memory") + room;
    set_config(&mut client, "maxmemory", &limit.to_string());
    (server, client, limit)
}

fn assert_near(client: &mut Client, limit: u64) {
    let used = info(client, "used_memory");
    assert!(used < limit + limit / 20 && used > limit - limit / 10, "{used} bytes used, {limit} allowed");
}

#[test]
fn any_key_may_go_by_the_allkeys_policies() {
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random"] {
        let (_server, mut client, limit) = limited(policy, 20 * MB);
        assert_eq!(fill(&mut client, "key", 15_000, 3000, false), 0, "{policy}");
        assert_near(&mut client, limit);
        let (evicted, left) = (info(&mut client, "evicted_keys"), client.ask("DBSIZE").text());
        let left: u64 = left.trim_start_matches(':').trim().parse().unwrap();
        assert_eq!(evicted + left, 15_000, "{policy}");
        assert!(left > 4000, "{policy}: only {left} keys left");
    }
}

#[test]
fn only_expiring_keys_go_by_the_volatile_policies() {
    for policy in ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let (_server, mut client, limit) = limited(policy, 20 * MB);
        assert_eq!(fill(&mut client, "lasting", 2000, 3000, false), 0, "{policy}");
        assert_eq!(fill(&mut client, "expiring", 10_000, 3000, true), 0, "{policy}");
        assert_near(&mut client, limit);
        assert!(info(&mut client, "evicted_keys") > 4000, "{policy}");
        assert_eq!(count_keys(&mut client, "lasting", 2000), 2000, "{policy}");
        // When no key that expires is left, writers are refused.
        assert!(fill(&mut client, "more", 10_000, 3000, false) > 3000, "{policy}");
        assert_eq!(count_keys(&mut client, "expiring", 10_000), 0, "{policy}");
        assert_eq!(count_keys(&mut client, "lasting", 2000), 2000, "{policy}");
        assert_near(&mut client, limit);
    }
}

#[test]
fn keys_in_use_stay_by_the_lru_policies() {
    for (policy, expiring) in [("allkeys-lru", false), ("volatile-lru", true)] {
        let (_server, mut client, _) = limited(policy, 12 * MB);
        set_config(&mut client, "maxmemory-samples", "10");
        fill(&mut client, "used", 300, 3000, expiring);
        fill(&mut client, "unused", 3000, 3000, expiring);
        // The access clock ticks in seconds.
        std::thread::sleep(Duration::from_millis(2100));
        assert_eq!(count_keys(&mut client, "used", 300), 300);
        for number in 0..300 {
            client.ask(&format!("GET used{number}"));
        }
        fill(&mut client, "new", 1500, 3000, expiring);
        assert!(info(&mut client, "evicted_keys") > 700);
        let kept = count_keys(&mut client, "used", 300);
        assert!(kept > 290, "{policy}: only {kept} of 300 keys in use stayed");
    }
}

#[test]
fn keys_that_expire_first_go_first_by_the_ttl_policy() {
    let (_server, mut client, _) = limited("volatile-ttl", 12 * MB);
    set_config(&mut client, "maxmemory-samples", "10");
    fill(&mut client, "soon", 1500, 3000, true);
    fill(&mut client, "late", 1500, 3000, true);
    for number in 0..1500 {
        client.ask(&format!("EXPIRE late{number} 100000"));
    }
    fill(&mut client, "new", 1500, 3000, false);
    assert!(info(&mut client, "evicted_keys") > 300);
    let kept = count_keys(&mut client, "late", 1500);
    assert!(kept > 1450, "only {kept} of 1500 keys that expire late stayed");
}

#[test]
fn without_eviction_writers_are_refused_and_deleting_helps() {
    let (_server, mut client, limit) = limited("noeviction", 10 * MB);
    assert!(fill(&mut client, "key", 5000, 3000, false) > 1000);
    assert_near(&mut client, limit);
    assert_eq!(info(&mut client, "evicted_keys"), 0);
    assert_eq!(client.ask("SET key1 x").raw, OOM);
    assert!(client.ask("GET key1").raw.starts_with(b"$3000\r\n"));
    let script = |client: &mut Client, script: &str| client.command(&["EVAL", script, "1", "key1"]).unwrap();
    let refused = script(&mut client, "return redis.call('SET', KEYS[1], 'x')");
    assert!(refused.error().is_some_and(|text| text.starts_with("OOM command not allowed")), "{refused:?}");
    let caught = script(&mut client, "return redis.pcall('SET', KEYS[1], 'x')['err']");
    assert!(caught.text().contains("OOM command not allowed"), "{caught:?}");
    assert_eq!(script(&mut client, "return redis.call('STRLEN', KEYS[1])").raw, b":3000\r\n");
    for number in 0..500 {
        client.ask(&format!("DEL key{number}"));
    }
    assert_eq!(client.ask("SET key1 x").raw, b"+OK\r\n");
    assert_eq!(script(&mut client, "return redis.call('SET', KEYS[1], 'y')").raw, b"+OK\r\n");
}

#[test]
fn out_of_memory_is_answered_as_by_redis() {
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    let commands: &[&[&str]] = &[
        &["SET", "a", "1"],
        &["GET", "kept"],
        &["APPEND", "a", "1"],
        &["LPUSH", "l", "1"],
        &["SADD", "s", "1"],
        &["HSET", "h", "f", "v"],
        &["ZADD", "z", "1", "m"],
        &["INCR", "n"],
        &["MSET", "a", "1", "b", "2"],
        &["EXPIRE", "kept", "100"],
        &["PERSIST", "kept"],
        &["SETRANGE", "kept", "10", "x"],
        &["EVAL", "return 1", "0"],
        &["EVAL", "return redis.call('GET', KEYS[1])", "1", "kept"],
        &["EVAL", "return redis.call('SET', KEYS[1], 1)", "1", "a"],
        &["EVAL", "return redis.pcall('SET', KEYS[1], 1)", "1", "a"],
        &["EVAL", "return redis.call('DEL', KEYS[1])", "1", "kept"],
        &["EVAL", "#!lua\nreturn 1", "0"],
        &["EVAL", "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])", "1", "kept"],
        &["EVAL", "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], 1)", "1", "a"],
        &["DEL", "a"],
        &["LPOP", "l"],
        &["CONFIG", "SET", "maxmemory", "0"],
        &["SET", "a", "1"],
    ];
    let run = |server: &Server| -> Vec<String> {
        let mut client = server.connect();
        client.ask("SET kept value");
        set_config(&mut client, "maxmemory", "1");
        commands.iter().map(|command| client.command(command).unwrap().text()).collect()
    };
    let (got, expected) = (run(&ours), run(&theirs));
    for ((command, got), expected) in commands.iter().zip(&got).zip(&expected) {
        assert_eq!(got, expected, "{command:?}");
    }
}

#[test]
fn a_lower_limit_is_reached_without_any_command() {
    let server = Server::moonshard(4, &["--maxmemory-policy", "allkeys-random"]);
    let mut client = server.connect();
    fill(&mut client, "key", 10_000, 3000, false);
    let limit = info(&mut client, "used_memory") / 2;
    set_config(&mut client, "maxmemory", &limit.to_string());
    let deadline = Instant::now() + WITHIN;
    while info(&mut client, "used_memory") > limit + limit / 20 {
        assert!(Instant::now() < deadline, "nothing was evicted");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_near(&mut client, limit);
}

/// How far above the limit the use of memory ever was while two clients wrote as fast as they could.
fn overshoot(request: impl Fn(usize) -> Vec<u8> + Sync, rounds: usize) -> u64 {
    let (server, mut client, limit) = limited("allkeys-lru", 30 * MB);
    client.ask("CONFIG RESETSTAT");
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (server, request) = (&server, &request);
            scope.spawn(move || {
                let mut client = server.connect();
                for round in 0..rounds {
                    let requests: Vec<u8> =
                        (0..50).flat_map(|number| request((writer * rounds + round) * 50 + number)).collect();
                    client.send_raw(&requests).unwrap();
                    for _ in 0..50 {
                        let reply = client.read().unwrap();
                        assert!(reply.error().is_none(), "{}", reply.text());
                    }
                }
            });
        }
    });
    assert!(info(&mut client, "evicted_keys") > 0);
    let over = info(&mut client, "used_memory_peak").saturating_sub(limit);
    println!("{over} bytes over a limit of {limit}");
    over
}

#[test]
fn fast_writers_stay_near_the_limit() {
    let value = vec![b'x'; 100_000];
    let large = |number: usize| encode(&[b"SET".as_slice(), format!("key{number}").as_bytes(), &value]);
    assert!(overshoot(large, 10) < 3 * MB);
    // Small requests that take much memory: many of them are in one batch.
    let growing = |number: usize| encode(&["SETRANGE", &format!("key{number}"), "300000", "x"]);
    assert!(overshoot(growing, 10) < 3 * MB);
    let script = "return redis.call('SET', KEYS[1], string.rep('x', 300000))";
    let scripted = |number: usize| encode(&["EVAL", script, "1", &format!("key{number}")]);
    assert!(overshoot(scripted, 10) < 8 * MB);
}

#[test]
fn values_freed_by_another_thread_are_waited_for() {
    let server =
        Server::moonshard(4, &["--maxmemory-policy", "allkeys-random", "--lazyfree-lazy-eviction", "yes"]);
    let mut client = server.connect();
    for list in 0..200 {
        let mut command = vec!["RPUSH".to_owned(), format!("list{list}")];
        command.extend((0..1000).map(|item| format!("an item of a list that is large, number {item}")));
        client.command(&command).unwrap();
    }
    let used = info(&mut client, "used_memory");
    let limit = used - used / 4;
    set_config(&mut client, "maxmemory", &limit.to_string());
    assert_eq!(client.ask("SET key value").raw, b"+OK\r\n");
    let evicted = info(&mut client, "evicted_keys");
    assert!((40..90).contains(&evicted), "{evicted} of 200 lists for a quarter of the memory");
}

#[test]
fn what_is_being_freed_makes_room_before_anything_is_evicted() {
    let server = Server::moonshard(4, &["--maxmemory-policy", "allkeys-random"]);
    let mut client = server.connect();
    fill(&mut client, "key", 10_000, 3000, false);
    let before = info(&mut client, "used_memory");
    let members = "for i = 1, 400000 do redis.call('SADD', KEYS[1], 'member ' .. i) end";
    assert_eq!(client.command(&["EVAL", members, "1", "huge"]).unwrap().error(), None);
    // Under the limit once half of the large value is free, which takes a moment.
    let limit = (before + info(&mut client, "used_memory")) / 2;
    let requests = [
        encode(&["UNLINK", "huge"]),
        encode(&["CONFIG", "SET", "maxmemory", &limit.to_string()]),
        encode(&["SET", "more", "x"]),
    ];
    client.send_raw(&requests.concat()).unwrap();
    for reply in [b":1\r\n".as_slice(), b"+OK\r\n", b"+OK\r\n"] {
        assert_eq!(client.read().unwrap().raw, reply);
    }
    until("all is free", || info(&mut client, "lazyfree_pending_objects") == 0);
    let evicted = info(&mut client, "evicted_keys");
    assert!(evicted < 1000, "{evicted} keys were evicted for what was about to be free");
}
