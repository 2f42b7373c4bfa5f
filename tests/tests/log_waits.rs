//! Who waits for the append-only log, and for what of it: its write, its sync, or nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::Client;
use moonshard_tests::server::Server;
use std::time::{Duration, Instant};

/// A server with a log, four shards and faults on demand.
fn logging(fsync: &str, more: &[&str]) -> Server {
    let args = ["--appendonly", "yes", "--save", "", "--appendfsync", fsync, "--enable-debug-command", "yes"];
    Server::moonshard(4, &[&args, more].concat())
}

fn info(client: &mut Client) -> String {
    client.ask("INFO persistence").text()
}

/// Waits until a field of INFO persistence has this value.
fn until(client: &mut Client, field: &str) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !info(client).contains(&format!("{field}\r\n")) {
        assert!(Instant::now() < deadline, "never {field}: {}", info(client));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ok(client: &mut Client, words: &str) {
    assert_eq!(client.ask(words).raw, b"+OK\r\n", "{words}");
}

/// Nothing comes now.
fn hears_nothing(client: &mut Client, why: &str) {
    client.set_timeout(Duration::from_millis(50));
    client.read().expect_err(why);
    client.set_timeout(Duration::from_secs(30));
}

/// Several shards, a transaction and a script: whatever was answered is there.
#[test]
fn a_killed_process_has_written_what_it_has_answered() {
    for fsync in ["everysec", "no"] {
        let mut server = logging(fsync, &[]);
        for round in 1..=5 {
            let mut client = server.connect();
            let script = "return redis.call('SET', KEYS[1], ARGV[1])";
            for key in 0..20 {
                ok(&mut client, &format!("SET key:{key} {round}"));
                ok(&mut client, "MULTI");
                client.ask(&format!("SET a:{key} {round}"));
                client.ask(&format!("SET b:{key} {round}"));
                assert!(client.ask("EXEC").error().is_none());
                client.command(&["EVAL", script, "1", &format!("s:{key}"), &round.to_string()]).unwrap();
            }
            server.kill();
            server.start_again().unwrap();
            let mut client = server.connect();
            for name in ["key", "a", "b", "s"] {
                for key in 0..20 {
                    let found = client.ask(&format!("GET {name}:{key}")).raw;
                    assert_eq!(found, format!("$1\r\n{round}\r\n").as_bytes(), "{fsync}: {name}:{key}");
                }
            }
        }
    }
}

#[test]
fn a_slow_sync_of_every_second_is_in_nobodys_way() {
    let server = logging("everysec", &[]);
    let mut client = server.connect();
    ok(&mut client, "DEBUG DISK-FAULT sync incr NONE DELAY 4000 TIMES 1");
    ok(&mut client, "SET {a} 1");
    until(&mut client, "aof_pending_bio_fsync:1");
    for number in 0..20 {
        ok(&mut client, &format!("SET key:{number} 1"));
    }
    assert!(info(&mut client).contains("aof_pending_bio_fsync:1"), "the writes have waited for the sync");
}

/// What is not synced when a rewrite begins is synced before the log goes on in another file, and nobody waits for that.
#[test]
fn a_rewrite_begins_without_holding_replies() {
    for fsync in ["everysec", "no"] {
        let server = logging(fsync, &[]);
        let (mut client, mut admin) = (server.connect(), server.connect());
        ok(&mut client, "SET {a} 1");
        ok(&mut client, "DEBUG DISK-FAULT sync incr NONE DELAY 3000 TIMES 1");
        admin.send(&["BGREWRITEAOF"]).unwrap();
        until(&mut client, "aof_pending_bio_fsync:1");
        (0..20).for_each(|number| ok(&mut client, &format!("SET key:{number} 1")));
        assert!(
            info(&mut client).contains("aof_pending_bio_fsync:1"),
            "{fsync}: writes have waited for the sync"
        );
        assert!(admin.read().unwrap().error().is_none());
        until(&mut client, "aof_rewrite_in_progress:0");
        assert!(info(&mut client).contains("aof_last_bgrewrite_status:ok"));
    }
}

#[test]
fn replies_wait_when_more_would_be_lost_than_every_second_promises() {
    let server = logging("everysec", &[]);
    let (mut client, mut other) = (server.connect(), server.connect());
    ok(&mut client, "SET {b} 1");
    ok(&mut client, "DEBUG DISK-FAULT sync incr NONE DELAY 6000 TIMES 1");
    ok(&mut client, "SET {a} 1");
    until(&mut other, "aof_delayed_fsync:1");
    client.send(&["SET", "{a}", "2"]).unwrap();
    hears_nothing(&mut client, "a write was acknowledged while the disk is late");
    assert_eq!(other.ask("PING").raw, b"+PONG\r\n");
    assert_eq!(client.read().unwrap().raw, b"+OK\r\n");
    until(&mut other, "aof_pending_bio_fsync:0");
    ok(&mut client, "SET {a} 3");
}

/// With `no-appendfsync-on-rewrite` nothing is synced meanwhile, so nobody waits for that.
#[test]
fn rewrites_that_keep_the_disk_to_themselves_hold_no_reply() {
    for fsync in ["everysec", "always"] {
        let server = logging(fsync, &["--no-appendfsync-on-rewrite", "yes"]);
        let (mut client, mut other) = (server.connect(), server.connect());
        ok(&mut client, "SET key 1");
        ok(&mut client, "DEBUG DISK-FAULT sync temp-rewriteaof NONE DELAY 4000 TIMES 1");
        assert!(client.ask("BGREWRITEAOF").error().is_none());
        let mut written = 0;
        while info(&mut other).contains("aof_rewrite_in_progress:1") {
            ok(&mut client, "SET key 2");
            written += 1;
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(written > 10, "{fsync}: only {written} writes during the rewrite");
        assert!(info(&mut other).contains("aof_delayed_fsync:0\r\n"), "{fsync}: {}", info(&mut other));
        // What was not synced meanwhile is synced now.
        assert_eq!(client.ask("WAITAOF 1 0 0").raw, b"*2\r\n:1\r\n:0\r\n");
    }
}

#[test]
fn messages_wait_for_what_they_tell_of() {
    let server = logging("always", &["--notify-keyspace-events", "KEA"]);
    let (mut client, mut subscriber) = (server.connect(), server.connect());
    subscriber.ask("SUBSCRIBE __keyspace@0__:{a}");
    // Once syncs are known to take long, no I/O thread waits for one.
    ok(&mut client, "DEBUG DISK-FAULT sync incr NONE DELAY 5");
    (0..10).for_each(|_| ok(&mut client, "SET {b} 1"));
    ok(&mut client, "DEBUG DISK-FAULT CLEAR");
    ok(&mut client, "DEBUG DISK-FAULT sync incr NONE DELAY 1000 TIMES 1");
    client.send(&["SET", "{a}", "1"]).unwrap();
    hears_nothing(&mut subscriber, "a change was told that the disk does not have");
    assert_eq!(client.read().unwrap().raw, b"+OK\r\n");
    assert!(subscriber.read().unwrap().text().contains("set"));
}

/// As in Redis 7.2: without syncs nothing is known to be on the disk.
#[test]
fn without_syncs_nobody_hears_of_one() {
    let server = logging("no", &[]);
    let mut client = server.connect();
    ok(&mut client, "SET {a} 1");
    assert_eq!(client.ask("WAITAOF 1 0 50").raw, b"*2\r\n:0\r\n:0\r\n");
    ok(&mut client, "CONFIG SET appendfsync everysec");
    assert_eq!(client.ask("WAITAOF 1 0 0").raw, b"*2\r\n:1\r\n:0\r\n");
}
