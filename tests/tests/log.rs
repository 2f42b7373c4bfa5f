//! The append-only log while it is written: what is in it, who waits for it, and what happens when the disk fails.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::Client;
use moonshard_tests::server::Server;
use moonshard_tests::waiting::WITHIN;
use std::process::Command;
use std::time::{Duration, Instant};

const DEBUG: [&str; 2] = ["--enable-debug-command", "yes"];

/// A server with a log.
fn logging(shards: usize, fsync: &str) -> Server {
    let args = ["--appendonly", "yes", "--save", "", "--appendfsync", fsync];
    Server::moonshard(shards, &[&args[..], &DEBUG].concat())
}

/// Waits until a field of INFO persistence has this value.
fn until(client: &mut Client, field: &str) {
    let deadline = Instant::now() + WITHIN;
    while !client.ask("INFO persistence").text().contains(&format!("{field}\r\n")) {
        assert!(Instant::now() < deadline, "never {field}: {}", client.ask("INFO persistence").text());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The bytes of the log's file whose name ends so, once all that was recorded is on the disk.
fn file(server: &Server, client: &mut Client, ending: &str) -> String {
    assert_eq!(client.ask("WAITAOF 1 0 0").raw, b"*2\r\n:1\r\n:0\r\n");
    let path = server.dir().join("appendonlydir").join(format!("appendonly.aof.{ending}"));
    String::from_utf8(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

/// The words of the commands in RESP, a line for each; without scripts that EVAL has made known.
fn commands(resp: &str) -> Vec<String> {
    let (mut commands, mut lines) = (Vec::new(), resp.split("\r\n").filter(|line| !line.starts_with('#')));
    while let Some(head) = lines.next().and_then(|line| line.strip_prefix('*')) {
        let words: Vec<&str> = (0..head.parse().unwrap()).filter_map(|_| lines.nth(1)).collect();
        commands.push(words.join(" "));
    }
    commands.retain(|command| !command.starts_with("SCRIPT LOAD"));
    commands
}

fn redis_check_aof(server: &Server) {
    let manifest = server.dir().join("appendonlydir/appendonly.aof.manifest");
    let output = Command::new("redis-check-aof").arg(manifest).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("All AOF files and manifest are valid"), "{text}");
}

#[test]
fn what_happens_together_is_one_transaction() {
    let server = logging(16, "everysec");
    let mut client = server.connect();
    for words in ["SET a 1", "MSET a 2 b 3 c 4", "SELECT 3", "INCR n", "MULTI", "SET x 1", "SET y 2", "EXEC"]
    {
        assert!(client.ask(words).error().is_none(), "{words}");
    }
    client.ask("SELECT 0");
    client
        .command(&["EVAL", "redis.call('SET', KEYS[1], 1) return redis.call('INCR', KEYS[1])", "1", "s"])
        .unwrap();
    client.command(&["EVAL", "return redis.call('INCR', KEYS[1])", "1", "s"]).unwrap();
    client
        .command(&["EVAL", "redis.call('INCR', KEYS[1]) return redis.error_reply('no')", "1", "s"])
        .unwrap();
    client.ask("GET a");
    client.ask("DEL nothing");
    let mut waiting = server.connect();
    waiting.send(&["BLPOP", "queue", "0"]).unwrap();
    let deadline = Instant::now() + WITHIN;
    while !client.ask("INFO clients").text().contains("blocked_clients:1") {
        assert!(Instant::now() < deadline, "nobody waits");
    }
    client.ask("RPUSH queue one two");
    assert_eq!(waiting.read().unwrap().raw, b"*2\r\n$5\r\nqueue\r\n$3\r\none\r\n");
    let expected = [
        "SELECT 0",
        "SET a 1",
        "MSET a 2 b 3 c 4",
        "SELECT 3",
        "INCR n",
        "MULTI",
        "SET x 1",
        "SET y 2",
        "EXEC",
        "SELECT 0",
        "MULTI",
        "SET s 1",
        "INCR s",
        "EXEC",
        "INCR s",
        "INCR s",
    ];
    let found = commands(&file(&server, &mut client, "1.incr.aof"));
    assert_eq!(found[..expected.len()], expected);
    // Whoever waited took its element in the same moment.
    let rest: Vec<&str> = found[expected.len()..].iter().map(String::as_str).collect();
    assert!(
        rest == ["MULTI", "RPUSH queue one two", "LPOP queue", "EXEC"]
            || rest == ["RPUSH queue one two", "LPOP queue"],
        "{rest:?}"
    );
    redis_check_aof(&server);
}

#[test]
fn timestamps_are_written_when_asked_for() {
    let server = logging(1, "everysec");
    let mut client = server.connect();
    client.ask("CONFIG SET aof-timestamp-enabled yes");
    client.ask("SET a 1");
    let text = file(&server, &mut client, "1.incr.aof");
    let stamp = text.strip_prefix("#TS:").and_then(|rest| rest.split_once("\r\n")).expect("a time first");
    assert!(
        stamp.0.parse::<u64>().unwrap() > 1_700_000_000 && stamp.1.ends_with("SET\r\n$1\r\na\r\n$1\r\n1\r\n")
    );
    redis_check_aof(&server);
}

#[test]
fn always_holds_a_reply_until_the_disk_has_what_it_depends_on() {
    let server = logging(16, "always");
    let (mut client, mut other) = (server.connect(), server.connect());
    client.ask("SET {a} 1");
    // The next sync fails, and so does each base that would make up for it: whoever wrote is not answered.
    assert_eq!(other.ask("DEBUG DISK-FAULT sync incr EIO TIMES 1").raw, b"+OK\r\n");
    assert_eq!(other.ask("DEBUG DISK-FAULT create temp- EIO").raw, b"+OK\r\n");
    client.send(&["SET", "{a}", "2"]).unwrap();
    until(&mut other, "aof_last_write_status:err");
    client.set_timeout(Duration::from_millis(50));
    client.read().expect_err("a write was acknowledged that the disk does not have");
    client.set_timeout(WITHIN);
    let error = other.ask("SET {b} 1").error().unwrap();
    assert!(error.contains("MISCONF Errors writing to the AOF file: Input/output error"), "{error}");
    assert_eq!(other.ask("GET {b}").raw, b"$-1\r\n");
    // Nobody knows what the file holds: only a new base makes it whole again.
    assert_eq!(other.ask("DEBUG DISK-FAULT CLEAR").raw, b"+OK\r\n");
    until(&mut other, "aof_last_write_status:ok");
    assert_eq!(client.read().unwrap().raw, b"+OK\r\n");
    assert_eq!(other.ask("GET {a}").raw, b"$1\r\n2\r\n");
    redis_check_aof(&server);
}

#[test]
fn a_full_disk_refuses_writes_until_there_is_room() {
    let server = logging(16, "everysec");
    let mut client = server.connect();
    client.ask("SET before 1");
    assert_eq!(client.ask("DEBUG DISK-FAULT write incr ENOSPC SHORT 3").raw, b"+OK\r\n");
    client.ask("SET first 1");
    until(&mut client, "aof_last_write_status:err");
    let refused = b"-MISCONF Errors writing to the AOF file: No space left on device\r\n";
    for words in ["SET second 1", "PING", "FUNCTION FLUSH"] {
        assert_eq!(client.ask(words).raw, refused, "{words}");
    }
    assert_eq!(client.ask("MULTI").raw, b"+OK\r\n");
    assert_eq!(client.ask("SET second 1").raw, refused);
    assert!(client.ask("EXEC").error().unwrap().starts_with("EXECABORT"));
    let script = ["EVAL", "return redis.pcall('SET', KEYS[1], 1)", "1", "second"];
    assert_eq!(client.command(&script).unwrap().raw, refused);
    assert_eq!(client.ask("GET first").raw, b"$1\r\n1\r\n");
    client.ask("DEBUG DISK-FAULT CLEAR");
    until(&mut client, "aof_last_write_status:ok");
    assert_eq!(client.ask("SET second 1").raw, b"+OK\r\n");
    let found = commands(&file(&server, &mut client, "1.incr.aof"));
    assert_eq!(found, ["SELECT 0", "SET before 1", "SET first 1", "SET second 1"]);
}

#[test]
fn the_log_is_turned_on_and_off() {
    let server = Server::moonshard(16, &[&["--save", ""][..], &DEBUG].concat());
    let mut client = server.connect();
    client.ask("SET before 1");
    assert!(client.ask("WAITAOF 1 0 0").error().unwrap().contains("appendonly is disabled"));
    client.ask("DEBUG DISK-FAULT create-dir appendonlydir EACCES");
    let refused = "ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on AOF. Check server logs.";
    assert_eq!(client.ask("CONFIG SET appendonly yes").error().unwrap(), refused);
    assert_eq!(client.ask("CONFIG GET appendonly").raw, b"*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n");
    client.ask("DEBUG DISK-FAULT CLEAR");
    for round in 1..=2 {
        assert_eq!(client.ask("CONFIG SET appendonly yes").raw, b"+OK\r\n");
        client.ask(&format!("SET during {round}"));
        assert_eq!(client.ask("WAITAOF 1 0 0").raw, b"*2\r\n:1\r\n:0\r\n");
        redis_check_aof(&server);
        assert_eq!(client.ask("CONFIG SET appendonly no").raw, b"+OK\r\n");
        client.ask(&format!("SET without {round}"));
        assert!(client.ask("WAITAOF 1 0 0").error().unwrap().contains("appendonly is disabled"));
    }
    let dir = server.dir().to_owned();
    let args = ["--appendonly", "yes", "--save", "", "--dir", dir.to_str().unwrap()];
    let redis = Server::redis(&args);
    let mut client = redis.connect();
    let keys = client.ask("MGET before during without").raw;
    assert_eq!(keys, b"*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n1\r\n", "{}", String::from_utf8_lossy(&keys));
}
