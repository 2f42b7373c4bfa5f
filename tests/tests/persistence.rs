//! Snapshots: written while clients go on, read by redis-server and by Moonshard, of one moment over all shards.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::Client;
use moonshard_tests::server::Server;
use moonshard_tests::waiting::WITHIN;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Waits until a field of INFO has this value.
fn until(client: &mut Client, field: &str) {
    let deadline = Instant::now() + WITHIN;
    while !client.ask("INFO persistence").text().contains(field) {
        assert!(Instant::now() < deadline, "never {field}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn bgsave(client: &mut Client) {
    assert_eq!(client.ask("BGSAVE").raw, b"+Background saving started\r\n");
    until(client, "rdb_bgsave_in_progress:0");
}

/// Keys of every type and encoding, in several databases.
fn fill(client: &mut Client) {
    for words in [
        "SET number 12345",
        "SET text some-text",
        "SET expiring soon EX 100000",
        "RPUSH list a b c 1 2 3",
        "SADD integers 1 2 3",
        "SADD words a b c",
        "HSET hash f v g 7",
        "ZADD scores 1 a 2.5 b -inf c",
        "XADD stream 1-1 f v",
        "XADD stream 2-1 f w",
        "XGROUP CREATE stream group 0",
        "XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >",
        "PFADD hll a b c",
        "SETBIT bits 100 1",
        "SELECT 5",
        "SET elsewhere x",
        "SELECT 0",
    ] {
        assert!(client.ask(words).error().is_none(), "{words}");
    }
    let long = "x".repeat(5_000);
    client.ask(&format!("SET long {long}"));
    for number in 0..1_000 {
        client.ask(&format!("RPUSH big:list element:{number}"));
        client.ask(&format!("SADD big:set element:{number}"));
        client.ask(&format!("HSET big:hash field:{number} {number}"));
        client.ask(&format!("ZADD big:zset {number} element:{number}"));
        client.ask(&format!("SET key:{number} {number}"));
    }
}

fn start(kind: &str, dir: &Path) -> Server {
    let dir = dir.to_str().unwrap();
    match kind {
        "redis" => Server::redis(&["--dir", dir, "--enable-debug-command", "yes"]),
        _ => Server::moonshard(16, &["--dir", dir, "--enable-debug-command", "yes"]),
    }
}

fn digest(client: &mut Client) -> String {
    client.ask("DEBUG DIGEST").text()
}

#[test]
fn files_go_both_ways_between_redis_and_moonshard() {
    for (from, to) in [("moonshard", "redis"), ("redis", "moonshard"), ("moonshard", "moonshard")] {
        let server = start(from, &moonshard_tests::server::temp_dir());
        let mut client = server.connect();
        fill(&mut client);
        let expected = digest(&mut client);
        assert_eq!(client.ask("SAVE").raw, b"+OK\r\n");
        let dir = client.ask("CONFIG GET dir").text();
        let dir =
            dir.split_whitespace().last().unwrap().trim_matches('"').trim_end_matches("\r\n").to_owned();
        let dir = Path::new(&dir);
        if from == "moonshard" {
            let checked = Command::new("redis-check-rdb").arg(dir.join("dump.rdb")).output().unwrap();
            assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        }
        client.ask("CONFIG SET save \"\"");
        let other = start(to, dir);
        assert_eq!(digest(&mut other.connect()), expected, "{from} to {to}");
    }
}

/// Pairs of keys on different shards are written together in transactions; a snapshot has both values or neither.
#[test]
fn a_snapshot_is_of_one_moment_over_all_shards() {
    let server = Arc::new(Server::moonshard(16, &["--save", ""]));
    let mut witness = server.connect();
    for number in 0..20_000 {
        witness.ask(&format!("SET filler:{number} {number}"));
    }
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let (server, done) = (server.clone(), done.clone());
            std::thread::spawn(move || {
                let (mut client, mut round) = (server.connect(), 0);
                while !done.load(Ordering::SeqCst) {
                    round += 1;
                    client.ask(&format!("MSET left:{writer} {round} right:{writer} {round}"));
                    client.ask("MULTI");
                    client.ask(&format!("INCR one:{writer}"));
                    client.ask(&format!("DEL filler:{}", round * 7 % 20_000));
                    client.ask(&format!("INCR other:{writer}"));
                    client.ask("EXEC");
                }
            })
        })
        .collect();
    for _ in 0..5 {
        bgsave(&mut witness);
        let copy = moonshard_tests::server::temp_dir();
        std::fs::copy(server.dir().join("dump.rdb"), copy.join("dump.rdb")).unwrap();
        let reader = start("moonshard", &copy);
        let mut client = reader.connect();
        for writer in 0..3 {
            for (one, other) in [("left", "right"), ("one", "other")] {
                let values = [one, other].map(|name| client.ask(&format!("GET {name}:{writer}")).raw);
                assert_eq!(values[0], values[1], "{one}:{writer} and {other}:{writer}");
            }
        }
    }
    done.store(true, Ordering::SeqCst);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

#[test]
fn the_server_saves_when_it_ends_and_finds_its_data_when_it_starts() {
    let dir = moonshard_tests::server::temp_dir();
    let dir = dir.to_str().unwrap();
    for (save, end, kept) in [
        ("3600 1", "SIGTERM", true),
        ("3600 1", "SHUTDOWN", true),
        ("3600 1", "SHUTDOWN NOSAVE", false),
        ("", "SHUTDOWN", false),
        ("", "SHUTDOWN SAVE", true),
    ] {
        let _ = std::fs::remove_file(Path::new(dir).join("dump.rdb"));
        let mut server = Server::moonshard(4, &["--dir", dir, "--save", save]);
        let mut client = server.connect();
        client.ask("SET key value");
        if end == "SIGTERM" {
            server.signal(15);
        } else {
            client.send(&end.split(' ').collect::<Vec<_>>()).unwrap();
        }
        assert_eq!(server.wait_for_exit(WITHIN), Some(0), "{end}");
        let next = Server::moonshard(16, &["--dir", dir, "--save", ""]);
        let found = next.connect().ask("GET key").raw == b"$5\r\nvalue\r\n";
        assert_eq!(found, kept, "save {save:?}, {end}");
    }
}

#[test]
fn save_points_are_kept() {
    let server = Server::moonshard(4, &["--save", "1 3"]);
    let mut client = server.connect();
    client.ask("SET a 1");
    client.ask("SET b 1");
    assert!(client.ask("INFO persistence").text().contains("rdb_changes_since_last_save:2"));
    client.ask("SET c 1");
    until(&mut client, "rdb_changes_since_last_save:0");
    assert!(server.dir().join("dump.rdb").exists());
}

#[test]
fn when_the_disk_refuses_writes_are_refused_and_reads_go_on() {
    let server = Server::moonshard(4, &["--save", "3600 1"]);
    let mut client = server.connect();
    client.ask("SET key value");
    // A folder is in the way of the file.
    let path = server.dir().join("dump.rdb");
    std::fs::create_dir(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(client.ask("SAVE").error().is_some());
    for words in ["SET key other", "EVAL return(redis.call('set',KEYS[1],'x')) 1 key"] {
        let error = client.ask(words).error().unwrap_or_else(|| panic!("{words} was not refused"));
        assert!(error.starts_with("MISCONF") || error.contains("MISCONF"), "{error}");
    }
    client.ask("MULTI");
    assert!(client.ask("SET key other").raw.starts_with(b"-MISCONF"));
    assert!(client.ask("EXEC").raw.starts_with(b"-EXECABORT"));
    assert_eq!(client.ask("GET key").raw, b"$5\r\nvalue\r\n");
    assert!(client.ask("INFO persistence").text().contains("rdb_last_bgsave_status:err"));
    let left: Vec<_> =
        std::fs::read_dir(server.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("temp-")), "{left:?}");
    std::fs::remove_dir(&path).unwrap();
    assert_eq!(client.ask("SAVE").raw, b"+OK\r\n");
    assert_eq!(client.ask("SET key other").raw, b"+OK\r\n");
}

#[test]
fn a_damaged_file_stops_the_start_and_says_why() {
    let server = Server::moonshard(4, &["--save", ""]);
    let mut client = server.connect();
    fill(&mut client);
    client.ask("SAVE");
    let whole = std::fs::read(server.dir().join("dump.rdb")).unwrap();
    let dir = moonshard_tests::server::temp_dir();
    let binary = moonshard_tests::server::moonshard_binary();
    let mut wrong = whole.clone();
    let middle = wrong.len() / 2;
    wrong[middle] ^= 0x10;
    for (bytes, reason) in [
        (whole[..whole.len() - 20].to_vec(), "dump.rdb"),
        (wrong, "dump.rdb"),
        (b"REDIS0099".to_vec(), "version 99"),
        (b"nonsense of another kind".to_vec(), "does not begin as a snapshot"),
    ] {
        std::fs::write(dir.join("dump.rdb"), bytes).unwrap();
        let socket = dir.join("socket");
        let output = Command::new(&binary)
            .args(["--port", "0", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(&dir)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(reason), "{text}");
    }
}

#[test]
fn what_is_loaded_is_judged_by_the_clock() {
    let server = Server::moonshard(4, &["--save", ""]);
    let mut client = server.connect();
    client.ask("SET gone x PX 1");
    client.ask("SET stays x PX 10000000");
    client.ask("HSET fields f v g w");
    client.ask("HPEXPIRE fields 10000000 FIELDS 1 f");
    client.ask("SAVE");
    let next = start("moonshard", server.dir());
    let mut client = next.connect();
    assert_eq!(client.ask("EXISTS gone stays fields").raw, b":2\r\n");
    let ttl: i64 = client.ask("PTTL stays").text().trim_start_matches(':').trim().parse().unwrap();
    assert!((1..=10_000_000).contains(&ttl));
    assert_eq!(client.ask("HTTL fields FIELDS 2 f g").raw.iter().filter(|&&byte| byte == b'-').count(), 1);
}

const LIBRARY: &str = "#!lua name=mine\nredis.register_function('answer', function() return 42 end)";

#[test]
fn scripts_and_functions_survive() {
    let server = Server::moonshard(4, &["--save", ""]);
    let mut client = server.connect();
    client.ask("EVAL return('evaluated') 0");
    let loaded = client.ask("SCRIPT LOAD return('loaded')").text();
    client.command(&["FUNCTION", "LOAD", LIBRARY]).unwrap();
    client.ask("SAVE");
    let next = start("moonshard", server.dir());
    let mut client = next.connect();
    let sha = loaded.trim_end().rsplit("\r\n").next().unwrap().trim_matches('"').to_owned();
    assert_eq!(client.ask(&format!("EVALSHA {sha} 0")).raw, b"$6\r\nloaded\r\n");
    assert_eq!(client.ask("EVALSHA 52f3a2e8d1ab8ab0a8bb8c8ad4ef4d2f4f4a2d1b 0").raw[0], b'-');
    assert_eq!(client.ask("FCALL answer 0").raw, b":42\r\n");
    assert!(client.ask("INFO memory").text().contains("number_of_cached_scripts:2"));
    // Redis reads the functions and passes over the scripts.
    let redis = start("redis", server.dir());
    assert_eq!(redis.connect().ask("FCALL answer 0").raw, b":42\r\n");
}

/// How long keys were idle, or how often they were used, goes both ways when eviction goes by it.
#[test]
fn the_use_of_keys_survives() {
    for (policy, told, question, expected) in [
        ("allkeys-lru", "IDLETIME 5000", "OBJECT IDLETIME", 5000..5030),
        ("volatile-lru", "IDLETIME 100", "OBJECT IDLETIME", 100..130),
        ("allkeys-lfu", "FREQ 77", "OBJECT FREQ", 77..78),
        ("noeviction", "IDLETIME 5000", "OBJECT IDLETIME", 0..30),
    ] {
        let dir = moonshard_tests::server::temp_dir();
        let server =
            Server::moonshard(4, &["--save", "", "--maxmemory-policy", policy, "--lfu-decay-time", "0"]);
        let mut client = server.connect();
        client.ask("SET key value");
        let payload = client.ask("DUMP key").value.bytes().unwrap().to_vec();
        let mut restore: Vec<&[u8]> = vec![b"RESTORE", b"key", b"0", &payload, b"REPLACE"];
        restore.extend(told.split(' ').map(str::as_bytes));
        assert_eq!(client.command(&restore).unwrap().raw, b"+OK\r\n");
        client.ask("SAVE");
        for kind in ["redis", "moonshard"] {
            std::fs::copy(server.dir().join("dump.rdb"), dir.join("dump.rdb")).unwrap();
            let policy =
                ["--maxmemory-policy", policy, "--lfu-decay-time", "0", "--dir", dir.to_str().unwrap()];
            let next = if kind == "redis" { Server::redis(&policy) } else { Server::moonshard(16, &policy) };
            let mut client = next.connect();
            let found = client.ask(&format!("{question} key")).text();
            let found: i64 = found.trim_start_matches(':').trim().parse().unwrap();
            assert!(expected.contains(&found), "{kind}: {question} {found}, {policy:?}");
            // What Redis writes of it is read here.
            client.ask("SAVE");
        }
    }
}

/// Whoever changes everything while the disk is slow waits for it, and memory does not grow by what there is.
#[test]
fn writes_wait_for_a_slow_disk_before_memory_does() {
    const KEYS: usize = 500;
    const LEN: usize = 100_000;
    const MIB: i64 = 1 << 20;
    let server =
        Server::moonshard(2, &["--save", "", "--rdbcompression", "no", "--enable-debug-command", "yes"]);
    let mut client = server.connect();
    let set = |client: &mut Client, byte: char| {
        let value = byte.to_string().repeat(LEN);
        for number in 0..KEYS {
            assert_eq!(client.command(&["SET", &format!("key:{number}"), &value]).unwrap().raw, b"+OK\r\n");
        }
    };
    let used = |client: &mut Client| -> i64 {
        let text = client.ask("INFO memory").text();
        let (_, rest) = text.split_once("used_memory:").unwrap();
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    set(&mut client, 'a');
    let before = used(&mut client);
    client.ask("DEBUG DISK-FAULT write temp- NONE DELAY 20");
    assert_eq!(client.ask("BGSAVE").raw, b"+Background saving started\r\n");
    let done = Arc::new(AtomicBool::new(false));
    let (seen, mut witness) = (done.clone(), server.connect());
    let most = std::thread::spawn(move || {
        let mut most = 0;
        while !seen.load(Ordering::SeqCst) {
            most = most.max(used(&mut witness));
        }
        most
    });
    set(&mut client, 'b');
    done.store(true, Ordering::SeqCst);
    let grown = (most.join().unwrap() - before) / MIB;
    // Some megabytes may wait, in buffers that may be twice as large. Without waiting it would be all of the values.
    let all = (KEYS * LEN) as i64 / MIB;
    assert!(grown < all / 2, "{grown} of {all} MiB");
    until(&mut client, "rdb_bgsave_in_progress:0");
    let next = start("moonshard", server.dir());
    let mut client = next.connect();
    for number in 0..KEYS {
        assert!(
            client.ask(&format!("GET key:{number}")).raw.iter().filter(|&&byte| byte == b'a').count() == LEN
        );
    }
}
