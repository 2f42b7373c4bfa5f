//! What a comparison with redis-server cannot show: events, how changes are replayed, several shards.

use crate::effects::Event;
use crate::testing::Engine;
use crate::{EvictionPolicy, cursor};
use std::collections::HashSet;

/// An engine whose shards note events and replays.
fn listening(shards: usize) -> Engine {
    let mut engine = Engine::new(shards);
    for shard in &mut engine.shards {
        shard.effects.audience.hear_events(true);
        shard.effects.audience.hear_commands(true);
    }
    engine
}

fn show(event: &Event) -> String {
    format!("{} {} {}", event.db, event.name, String::from_utf8_lossy(&event.key))
}

/// The events since the last call: database, name, key.
fn events(engine: &mut Engine) -> Vec<String> {
    engine.shards.iter_mut().flat_map(|shard| shard.effects.take_events()).map(|event| show(&event)).collect()
}

/// The replays since the last call.
fn replays(engine: &mut Engine) -> Vec<String> {
    let commands = engine.commands();
    commands.iter().map(|(_, args)| String::from_utf8_lossy(&args.join(&b' ')).into_owned()).collect()
}

/// What FLUSHALL tells.
const EVERY_DATABASE: &[&str] = &[
    "0 flushdb ",
    "1 flushdb ",
    "2 flushdb ",
    "3 flushdb ",
    "4 flushdb ",
    "5 flushdb ",
    "6 flushdb ",
    "7 flushdb ",
    "8 flushdb ",
    "9 flushdb ",
    "10 flushdb ",
    "11 flushdb ",
    "12 flushdb ",
    "13 flushdb ",
    "14 flushdb ",
    "15 flushdb ",
];

/// Runs a command of words that a space parts.
fn run(engine: &mut Engine, line: &str) -> String {
    engine.run(&line.split(' ').collect::<Vec<_>>())
}

/// What is replayed is the call itself.
const SAME: &[&str] = &["the call"];

/// Checks for each line the events and replays it leads to.
fn check(engine: &mut Engine, steps: &[(&str, &[&str], &[&str])]) {
    for (line, expected, replayed) in steps {
        let reply = run(engine, line);
        assert_eq!(events(engine), *expected, "{line} {reply}");
        let replayed = if *replayed == SAME { &[*line] } else { *replayed };
        assert_eq!(replays(engine), replayed, "{line} {reply}");
    }
}

#[test]
fn changes_of_strings_are_told() {
    check(
        &mut listening(1),
        &[
            ("SET a 1", &["0 set a"], SAME),
            ("SETNX a 2", &[], &[]),
            ("SETNX b 2", &["0 set b"], SAME),
            ("SET a 1 EX 10", &["0 set a", "0 expire a"], &["SET a 1 PXAT 1700000010000"]),
            ("SETEX a 10 x", &["0 set a", "0 expire a"], &["SET a x PXAT 1700000010000"]),
            ("PSETEX a 10 x", &["0 set a", "0 expire a"], &["SET a x PXAT 1700000000010"]),
            ("SET a 1 NX", &[], &[]),
            ("GETSET a 2", &["0 set a"], &["SET a 2"]),
            ("INCR a", &["0 incrby a"], SAME),
            ("DECRBY a 2", &["0 incrby a"], SAME),
            ("INCRBY a x", &[], &[]),
            ("INCRBYFLOAT a 1.5", &["0 incrbyfloat a"], &["SET a 2.5 KEEPTTL"]),
            ("APPEND a x", &["0 append a"], SAME),
            ("SETRANGE a 1 y", &["0 setrange a"], SAME),
            ("MSET c 1 d 2", &["0 set c", "0 set d"], SAME),
            ("MSETNX e 1 d 2", &[], &[]),
            ("GETEX a", &[], &[]),
            ("GETEX a PERSIST", &[], &[]),
            ("GETEX a PX 5", &["0 expire a"], &["PEXPIREAT a 1700000000005"]),
            ("GETEX a PERSIST", &["0 persist a"], &["PERSIST a"]),
            ("GETEX a PXAT 5", &["0 del a"], &["DEL a"]),
            ("GETDEL a", &[], &[]),
            ("GETDEL b", &["0 del b"], &["DEL b"]),
        ],
    );
}

#[test]
fn changes_of_keys_are_told() {
    let mut engine = listening(1);
    check(
        &mut engine,
        &[
            ("MSET a 1 b 2 c 3", &["0 set a", "0 set b", "0 set c"], SAME),
            ("DEL a a missing", &["0 del a"], SAME),
            ("UNLINK b", &["0 del b"], SAME),
            ("EXPIRE c 10", &["0 expire c"], &["PEXPIREAT c 1700000010000"]),
            ("EXPIRE c 20 NX", &[], &[]),
            ("PERSIST c", &["0 persist c"], SAME),
            ("PERSIST c", &[], &[]),
            ("RENAME c d", &["0 rename_from c", "0 rename_to d"], SAME),
            ("RENAME d d", &[], &[]),
            ("COPY d e", &["0 copy_to e"], SAME),
            ("COPY d e DB 1", &["1 copy_to e"], SAME),
            ("COPY d e", &[], &[]),
            ("MOVE e 1", &[], &[]),
            ("MOVE d 1", &["0 move_from d", "1 move_to d"], SAME),
            ("SWAPDB 0 1", &["0 swapdb ", "1 swapdb "], SAME),
            ("EXPIRE d -1", &["0 del d"], &["DEL d"]),
            ("FLUSHDB", &["0 flushdb "], SAME),
            // A client may rely on a key not to be there.
            ("FLUSHDB", &["0 flushdb "], SAME),
            ("FLUSHALL", EVERY_DATABASE, SAME),
        ],
    );
}

#[test]
fn keys_that_are_due_expire_however_they_are_looked_at() {
    for line in
        ["GET k", "EXISTS k", "TTL k", "TYPE k", "RANDOMKEY", "SCAN 0", "RENAMENX k l", "OBJECT ENCODING k"]
    {
        let mut engine = listening(1);
        run(&mut engine, "SET k v PX 10");
        engine.now_ms += 10;
        events(&mut engine);
        run(&mut engine, line);
        assert_eq!(events(&mut engine), ["0 expired k"], "{line}");
        assert!(engine.shards[0].is_empty(), "{line}");
    }
    let mut engine = listening(1);
    run(&mut engine, "SET k v PX 10");
    engine.now_ms += 10;
    assert_eq!(run(&mut engine, "KEYS *"), "*0\r\n");
    assert_eq!(run(&mut engine, "DBSIZE"), ":1\r\n", "KEYS deletes nothing, as in Redis");
}

#[test]
fn copies_and_renames_cross_shards_and_keep_their_expiry() {
    let mut engine = Engine::new(16);
    for n in 0..50 {
        let (from, copy, to) = (format!("from:{n}"), format!("copy:{n}"), format!("to:{n}"));
        engine.run(&["SET", &from, "v", "PXAT", "4102444800000"]);
        assert_eq!(engine.run(&["COPY", &from, &copy]), ":1\r\n");
        assert_eq!(engine.run(&["RENAME", &from, &to]), "+OK\r\n");
        for key in [&copy, &to] {
            assert_eq!(engine.run(&["PEXPIRETIME", key]), ":4102444800000\r\n");
            assert_eq!(engine.run(&["GET", key]), "$1\r\nv\r\n");
        }
    }
    assert_eq!(run(&mut engine, "DBSIZE"), ":100\r\n");
    let expiring: usize = engine.shards.iter().map(|shard| shard.databases[0].expiring()).sum();
    assert_eq!(expiring, 100);
}

/// The cursor and the keys of SCAN's reply.
fn parse_scan(reply: &str) -> (String, Vec<String>) {
    let mut words = reply.lines().filter(|line| !line.starts_with(['*', '$'])).map(str::to_owned);
    (words.next().unwrap(), words.collect())
}

#[test]
fn a_scan_of_several_shards_finds_all_keys_and_ends() {
    for shards in [1, 2, 3, 16] {
        let mut engine = Engine::new(shards);
        let expected: HashSet<String> = (0..3000).map(|n| format!("key:{n}")).collect();
        for key in &expected {
            engine.run(&["SET", key, "v"]);
        }
        let (mut found, mut at, mut calls) = (HashSet::new(), "0".to_owned(), 0);
        loop {
            assert!(cursor::shard_of(at.as_bytes(), shards).is_some());
            let (next, keys) = parse_scan(&engine.run(&["SCAN", &at, "COUNT", "100"]));
            assert!(keys.len() < 200);
            found.extend(keys);
            calls += 1;
            at = next;
            if at == "0" {
                break;
            }
        }
        assert_eq!(found, expected, "{shards} shards");
        assert!(calls <= 40, "{calls} calls for 3000 keys in {shards} shards");
        let (at, keys) = parse_scan(&run(&mut engine, "SCAN 0 COUNT 100000 MATCH key:1?"));
        assert_eq!((at.as_str(), keys.len()), ("0", 10), "all shards are locked here");
    }
}

#[test]
fn random_keys_are_drawn_from_all_shards_alike() {
    let mut engine = Engine::new(4);
    let keys: Vec<String> = (0..20).map(|n| format!("{n}")).collect();
    for key in &keys {
        engine.run(&["SET", key, "v"]);
    }
    let mut counts = vec![0; keys.len()];
    for _ in 0..4000 {
        let reply = run(&mut engine, "RANDOMKEY");
        let key: usize = reply.lines().nth(1).unwrap().parse().unwrap();
        counts[key] += 1;
    }
    assert!(counts.iter().all(|count| (120..=300).contains(count)), "{counts:?}");
}

#[test]
fn objects_are_described() {
    let mut engine = Engine::new(1);
    for (value, encoding) in
        [("12", "int"), ("012", "embstr"), (&"x".repeat(44), "embstr"), (&"x".repeat(45), "raw")]
    {
        engine.run(&["SET", "k", value]);
        assert_eq!(run(&mut engine, "OBJECT ENCODING k"), format!("${}\r\n{encoding}\r\n", encoding.len()));
    }
    run(&mut engine, "SET k 1");
    run(&mut engine, "APPEND k 2");
    assert_eq!(run(&mut engine, "OBJECT ENCODING k"), "$3\r\nraw\r\n");
    engine.now_ms += 7_000;
    assert_eq!(run(&mut engine, "OBJECT IDLETIME k"), ":7\r\n");
    assert!(run(&mut engine, "OBJECT FREQ k").starts_with("-ERR An LFU maxmemory policy is not selected"));
    engine.settings.eviction = EvictionPolicy::AllKeysLfu;
    run(&mut engine, "SET l 1");
    assert_eq!(run(&mut engine, "OBJECT FREQ l"), ":5\r\n");
    assert!(run(&mut engine, "OBJECT IDLETIME l").starts_with("-ERR An LFU maxmemory policy is selected"));
}

#[test]
fn overwriting_a_string_keeps_what_is_known_of_its_use() {
    let mut engine = Engine::new(1);
    engine.settings.eviction = EvictionPolicy::AllKeysLfu;
    engine.settings.lfu_log_factor = 0;
    run(&mut engine, "SET k 1");
    for n in 1..=20 {
        run(&mut engine, "SET k 2");
        assert_eq!(run(&mut engine, "OBJECT FREQ k"), format!(":{}\r\n", 5 + n));
    }
}

#[test]
fn limits_on_strings_hold() {
    let mut engine = Engine::new(1);
    engine.settings.bulk_len_max = 10;
    let too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    assert_eq!(run(&mut engine, "SETRANGE k 9 x"), ":10\r\n");
    assert_eq!(run(&mut engine, "SETRANGE k 10 x"), too_long);
    assert_eq!(run(&mut engine, "SETRANGE missing 10 x"), too_long);
    assert_eq!(run(&mut engine, "SETRANGE k 9223372036854775807 x"), too_long);
    assert_eq!(run(&mut engine, "APPEND k x"), too_long);
    assert_eq!(run(&mut engine, "STRLEN k"), ":10\r\n");
    assert_eq!(run(&mut engine, "EXISTS missing"), ":0\r\n");
}

/// The bytes of a bulk string's reply.
fn bulk(reply: &[u8]) -> Vec<u8> {
    let start = reply.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    reply[start..reply.len() - 2].to_vec()
}

#[test]
fn a_restored_key_is_told_and_replayed_with_the_time_at_which_it_expires() {
    let mut engine = Engine::listening(4);
    engine.run(&["SET", "k", "v"]);
    let payload = bulk(&engine.run_bytes(&[b"DUMP", b"k"]));
    engine.told();
    engine.replayed();
    let restore = |engine: &mut Engine, more: &[&[u8]]| {
        engine.run_bytes(&[&[&b"RESTORE"[..], b"k", b"50", &payload, b"REPLACE"], more].concat())
    };
    assert_eq!(restore(&mut engine, &[]), b"+OK\r\n");
    assert_eq!(engine.told(), "restore k");
    let replayed = engine.replayed();
    assert!(
        replayed.starts_with("RESTORE k 1700000000050 ") && replayed.ends_with(" REPLACE ABSTTL"),
        "{replayed}"
    );
    // What has expired already only takes away what was there.
    assert_eq!(restore(&mut engine, &[b"ABSTTL"]), b"+OK\r\n");
    assert_eq!((engine.told().as_str(), engine.replayed().as_str()), ("del k", "DEL k"));
    assert_eq!(restore(&mut engine, &[b"ABSTTL"]), b"+OK\r\n");
    assert_eq!((engine.told().as_str(), engine.replayed().as_str()), ("", ""));
}

#[test]
fn fields_expire_in_a_restored_hash() {
    let mut engine = Engine::new(4);
    engine.run(&["HSET", "h", "stays", "1", "goes", "2"]);
    engine.run(&["HPEXPIRE", "h", "100", "FIELDS", "1", "goes"]);
    let payload = bulk(&engine.run_bytes(&[b"DUMP", b"h"]));
    // Only Redis 7.4 reads it, and its version says so.
    assert_eq!(payload[payload.len() - 10..][..2], [12, 0]);
    assert_eq!(engine.run_bytes(&[b"RESTORE", b"copy", b"0", &payload]), b"+OK\r\n");
    assert_eq!(engine.run(&["HPTTL", "copy", "FIELDS", "2", "goes", "stays"]), "*2\r\n:100\r\n:-1\r\n");
    engine.now_ms += 100;
    assert_eq!(engine.run(&["HGETALL", "copy"]), "*2\r\n$5\r\nstays\r\n$1\r\n1\r\n");
    let payload = bulk(&engine.run_bytes(&[b"DUMP", b"h"]));
    assert_eq!(payload[payload.len() - 10..][..2], [10, 0]);
}
