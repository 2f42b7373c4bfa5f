//! Rewriting the log: what redis-server reads of it afterwards, what is said to clients, and what is left when it fails.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::content::{Content, EXACT, Same};
use moonshard_tests::oracle::show_command;
use moonshard_tests::random::{self, Rng};
use moonshard_tests::resp::Client;
use moonshard_tests::server::{Kind, Server, temp_dir};
use moonshard_tests::values::{self, DATABASES};
use moonshard_tests::waiting::WITHIN;
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How a server with a log is started here; large values would let it rewrite the log by itself.
const LOGGED: [&str; 8] = [
    "--appendonly",
    "yes",
    "--save",
    "",
    "--enable-debug-command",
    "yes",
    "--auto-aof-rewrite-percentage",
    "0",
];
/// When consumers were seen is not kept by the log's commands.
const LOG: Same = Same { seen: false, ..EXACT };
/// What a base of commands does not keep: encodings, and when consumers were seen.
const OF_COMMANDS: Same = Same { encodings: false, seen: false, ..EXACT };

fn logged(more: &[&str]) -> Server {
    Server::moonshard(4, &[&LOGGED, more].concat())
}

/// Waits until a field of INFO has this value.
fn until(client: &mut Client, field: &str) {
    let deadline = Instant::now() + WITHIN;
    while !info(client).contains(field) {
        assert!(Instant::now() < deadline, "never {field}: {}", info(client));
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn info(client: &mut Client) -> String {
    client.ask("INFO persistence").text()
}

fn number(client: &mut Client, field: &str) -> i64 {
    let text = info(client);
    let (_, rest) =
        text.split_once(&format!("{field}:")).unwrap_or_else(|| panic!("{field} is not in {text}"));
    rest.split(['\r', '\n', '\\']).next().unwrap().parse().unwrap()
}

fn rewrite(client: &mut Client) {
    assert_eq!(client.ask("BGREWRITEAOF").raw, b"+Background append only file rewriting started\r\n");
    until(client, "aof_rewrite_in_progress:0");
}

fn rewritten(client: &mut Client) {
    rewrite(client);
    assert!(info(client).contains("aof_last_bgrewrite_status:ok"));
}

fn ok(client: &mut Client, words: &str) {
    assert_eq!(client.ask(words).raw, b"+OK\r\n", "{words}");
}

/// The names in the log's folder.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir.join("appendonlydir")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A redis-server with a copy of the log, which redis-check-aof has accepted.
fn redis_with_log_of(server: &Server) -> Server {
    // Everything that was answered is in the files after this.
    let mut client = server.connect();
    ok(&mut client, "CONFIG SET appendfsync always");
    client.ask("SET last written");
    let dir = temp_dir();
    std::fs::create_dir(dir.join("appendonlydir")).unwrap();
    for name in names(server.dir()) {
        let path = Path::new("appendonlydir").join(name);
        std::fs::copy(server.dir().join(&path), dir.join(&path)).unwrap();
    }
    let manifest = dir.join("appendonlydir/appendonly.aof.manifest");
    let checked = Command::new("redis-check-aof").arg(manifest).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let dir = dir.to_str().unwrap().to_owned();
    Server::redis(&["--dir", &dir, "--appendonly", "yes", "--save", ""])
}

fn assert_same_as_redis(server: &Server, same: Same) {
    let redis = redis_with_log_of(server);
    let mine = Content::read(&mut server.connect(), DATABASES, same);
    let differences = mine.differences(&Content::read(&mut redis.connect(), DATABASES, same), same);
    assert!(mine.len() > 50 && differences.is_empty(), "{}", differences.join("\n"));
}

const LIBRARY: &str = "#!lua name=mine\nredis.register_function('answer', function() return 42 end)";

/// Keys of every kind.
fn fill(client: &mut Client, rng: &mut Rng, name: &str) {
    for command in values::keyspace(rng, name, 150) {
        let reply = client.command(&command).unwrap();
        assert_eq!(reply.error(), None, "{}", show_command(&command));
    }
}

fn fill_with_code(client: &mut Client, rng: &mut Rng) {
    fill(client, rng, "");
    client.command(&["FUNCTION", "LOAD", LIBRARY]).unwrap();
    client.ask("EVAL return('evaluated') 0");
    client.ask("SCRIPT LOAD return('loaded')");
    client.ask("XGROUP CREATE empty group $ MKSTREAM");
}

#[test]
fn everything_is_there_in_a_base_of_values() {
    let mut rng = Rng::new(random::seed());
    let server = logged(&[]);
    let mut client = server.connect();
    fill_with_code(&mut client, &mut rng);
    rewritten(&mut client);
    let expected = ["appendonly.aof.2.base.rdb", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest"];
    assert_eq!(names(server.dir()), expected);
    fill(&mut client, &mut rng, "later:");
    assert_same_as_redis(&server, LOG);
    rewritten(&mut client);
    assert_eq!(names(server.dir()).len(), 3);
    assert_same_as_redis(&server, EXACT);
}

/// Commands do not keep the sign of a score's zero. All else is as it was, and Redis reads it so.
#[test]
fn everything_is_there_in_a_base_of_commands() {
    let server = logged(&[]);
    let mut client = server.connect();
    fill_with_code(&mut client, &mut Rng::new(random::seed()));
    for words in ["XADD stepped:back 50-1 f v", "XDEL stepped:back 50-1", "XSETID stepped:back 42-1"] {
        assert!(client.ask(words).error().is_none(), "{words}");
    }
    ok(&mut client, "CONFIG SET aof-use-rdb-preamble no");
    rewritten(&mut client);
    let expected = ["appendonly.aof.2.base.aof", "appendonly.aof.2.incr.aof", "appendonly.aof.manifest"];
    assert_eq!(names(server.dir()), expected);
    let mut signed = HashSet::new();
    Content::read(&mut client, DATABASES, OF_COMMANDS).retain(|key, found| {
        let is_signed = found.kind == "zset" && found.value.contains("\"-0\"");
        is_signed && signed.insert(key.to_vec())
    });
    let read = |server: &Server| {
        let mut content = Content::read(&mut server.connect(), DATABASES, OF_COMMANDS);
        content.retain(|key, _| !signed.contains(key));
        content
    };
    let theirs = read(&redis_with_log_of(&server));
    let ours = read(&server);
    let differences = ours.differences(&theirs, OF_COMMANDS);
    assert!(ours.len() > 50 && differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn fields_that_expire_are_written_as_commands() {
    let server = logged(&["--aof-use-rdb-preamble", "no"]);
    let mut client = server.connect();
    client.ask("HSET hash f v g w");
    client.ask("HPEXPIREAT hash 4102444800000 FIELDS 1 g");
    rewritten(&mut client);
    let base = std::fs::read_to_string(server.dir().join("appendonlydir/appendonly.aof.2.base.aof")).unwrap();
    let words: Vec<&str> = base.split("\r\n").filter(|word| !word.starts_with(['*', '$'])).collect();
    assert_eq!(words.join(" "), "SELECT 0 HMSET hash f v g w HPEXPIREAT hash 4102444800000 FIELDS 1 g ");
}

/// Many small commands for large collections, as Redis writes them, to the byte.
#[test]
fn large_collections_are_cut_as_redis_cuts_them() {
    let bases = [Kind::Redis, Kind::Moonshard].map(|kind| {
        let server = Server::start(kind, &[&LOGGED[..], &["--aof-use-rdb-preamble", "no"]].concat());
        let mut client = server.connect();
        until(&mut client, "aof_rewrite_in_progress:0");
        // Ordered, so that both write the same.
        for number in 0..200 {
            client.ask(&format!("RPUSH list element:{number}"));
        }
        client.ask("PEXPIREAT list 99999999999999");
        rewritten(&mut client);
        let folder = server.dir().join("appendonlydir");
        let base = names(server.dir()).into_iter().find(|name| name.contains(".base.")).unwrap();
        String::from_utf8(std::fs::read(folder.join(base)).unwrap()).unwrap()
    });
    assert_eq!(bases[0], bases[1]);
}

/// What is written while it goes on is neither lost nor there twice.
#[test]
fn writes_go_on_meanwhile() {
    for preamble in ["yes", "no"] {
        let server = logged(&["--aof-use-rdb-preamble", preamble, "--rdb-key-save-delay", "50"]);
        let mut client = server.connect();
        for number in 0..5_000 {
            client.send(&["SET", &format!("counter:{number}"), "0"]).unwrap();
        }
        (0..5_000).for_each(|_| assert_eq!(client.read().unwrap().raw, b"+OK\r\n"));
        assert_eq!(client.ask("BGREWRITEAOF").raw, b"+Background append only file rewriting started\r\n");
        let mut rounds = 0;
        while info(&mut client).contains("aof_rewrite_in_progress:1") {
            rounds += 1;
            for number in 0..100 {
                client.ask(&format!("INCR counter:{}", number * 49));
                client.ask(&format!("RPUSH list:{number} {rounds}"));
                client.ask(&format!("DEL counter:{}", number * 49 + rounds));
            }
        }
        assert!(rounds > 0 && info(&mut client).contains("aof_last_bgrewrite_status:ok"));
        assert_same_as_redis(&server, EXACT);
    }
}

/// The bytes of the log's files: of the base, and of all.
fn lengths(server: &Server) -> (i64, i64) {
    let folder = server.dir().join("appendonlydir");
    let of = |part: &str| {
        let names = names(server.dir()).into_iter().filter(|name| name.contains(part));
        names.map(|name| std::fs::metadata(folder.join(name)).unwrap().len() as i64).sum::<i64>()
    };
    (of(".base."), of(".base.") + of(".incr."))
}

#[test]
fn lengths_are_told_as_redis_tells_them() {
    for kind in [Kind::Redis, Kind::Moonshard] {
        // While a sync goes on, Redis puts writes off, and does not count them.
        let settings = ["--rdb-key-save-delay", "200", "--appendfsync", "no"];
        let mut server = Server::start(kind, &[&LOGGED[..], &settings].concat());
        let mut client = server.connect();
        let told =
            |client: &mut Client| (number(client, "aof_base_size"), number(client, "aof_current_size"));
        let write = |client: &mut Client| (0..300).for_each(|at| ok(client, &format!("SET key:{at} value")));
        write(&mut client);
        // Redis does not count the base with which a log begins.
        assert!(told(&mut client).1 <= lengths(&server).1);
        assert!(client.ask("BGREWRITEAOF").error().is_none());
        let (mut last, mut rounds) = (0, 0);
        loop {
            let current = told(&mut client).1;
            if !info(&mut client).contains("aof_rewrite_in_progress:1") {
                break;
            }
            assert!(current >= last, "{current} bytes after {last}");
            last = current;
            rounds += 1;
            ok(&mut client, "SET key:1 value");
        }
        assert!(rounds > 1 && last > 300);
        let (base, current) = told(&mut client);
        assert_eq!(current, lengths(&server).1);
        // It has ended before the last write or after it.
        assert!(base > current - 50 && base <= current, "{base} of {current}");
        write(&mut client);
        assert_eq!(told(&mut client).1, lengths(&server).1);
        server.kill();
        server.start_again().unwrap();
        let mut client = server.connect();
        assert_eq!(told(&mut client), lengths(&server));
        write(&mut client);
        assert_eq!(told(&mut client), (lengths(&server).0, lengths(&server).1));
    }
}

#[test]
fn what_is_said_while_something_is_written_is_what_redis_says() {
    let replies = [Kind::Redis, Kind::Moonshard].map(|kind| {
        let server = Server::start(kind, &LOGGED);
        let mut client = server.connect();
        until(&mut client, "aof_rewrite_in_progress:0");
        client.ask("DEBUG POPULATE 1000");
        let mut replies = Vec::new();
        let mut ask = |client: &mut Client, words: &str| {
            let reply = client.ask(words);
            replies.push(format!("{words}: {}", String::from_utf8_lossy(&reply.raw)));
        };
        let slow = "CONFIG SET rdb-key-save-delay 10000000";
        let fast = "CONFIG SET rdb-key-save-delay 0";
        // A rewrite goes on.
        ok(&mut client, slow);
        for words in ["BGREWRITEAOF", "BGREWRITEAOF", "BGSAVE", "BGSAVE nonsense", "BGSAVE SCHEDULE"] {
            ask(&mut client, words);
        }
        for words in ["MULTI", "BGREWRITEAOF", "BGSAVE", "EXEC"] {
            ask(&mut client, words);
        }
        assert!(info(&mut client).contains("aof_rewrite_in_progress:1"));
        // Turning the log off ends it, and the snapshot that was put off begins.
        ok(&mut client, "CONFIG SET appendonly no");
        until(&mut client, "aof_rewrite_in_progress:0");
        until(&mut client, "rdb_bgsave_in_progress:1");
        for words in ["BGSAVE", "BGSAVE SCHEDULE", "BGREWRITEAOF"] {
            ask(&mut client, words);
        }
        assert!(info(&mut client).contains("aof_rewrite_scheduled:1"));
        ok(&mut client, fast);
        if kind == Kind::Redis {
            // Its child has the old setting.
            client.ask("FLUSHALL");
        }
        until(&mut client, "rdb_bgsave_in_progress:0");
        until(&mut client, "aof_rewrite_scheduled:0");
        until(&mut client, "aof_rewrite_in_progress:0");
        for words in ["MULTI", "BGSAVE", "BGREWRITEAOF", "EXEC"] {
            ask(&mut client, words);
        }
        until(&mut client, "aof_rewrite_scheduled:0");
        replies
    });
    assert_eq!(replies[0], replies[1]);
}

#[test]
fn a_failure_leaves_the_log_as_it_was() {
    let server = logged(&[]);
    let mut client = server.connect();
    for command in values::keyspace(&mut Rng::new(random::seed()), "", 100) {
        client.command(&command).unwrap();
    }
    let mut failures = 0;
    for fault in [
        "create temp-rewriteaof EACCES",
        "write temp-rewriteaof ENOSPC SHORT 10",
        "sync temp-rewriteaof EIO",
        "rename .base. EIO",
        "rename manifest EIO AFTER 1",
        // Once more for the manifest of which the attempt before does not know whether it is there.
        "write manifest ENOSPC AFTER 2",
    ] {
        ok(&mut client, &format!("DEBUG DISK-FAULT {fault}"));
        failures += 1;
        rewrite(&mut client);
        assert!(info(&mut client).contains("aof_last_bgrewrite_status:err"), "{fault}");
        assert_eq!(number(&mut client, "aof_rewrites_consecutive_failures"), failures, "{fault}");
        ok(&mut client, "DEBUG DISK-FAULT CLEAR");
        client.ask(&format!("RPUSH after {failures}"));
        let left: Vec<_> = std::fs::read_dir(server.dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("temp-")), "{fault}: {left:?}");
        assert_same_as_redis(&server, LOG);
    }
    for fault in ["create .incr. EACCES", "write manifest EIO"] {
        ok(&mut client, &format!("DEBUG DISK-FAULT {fault}"));
        let error = client.ask("BGREWRITEAOF").error().unwrap();
        assert_eq!(
            error,
            "ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
        );
        ok(&mut client, "DEBUG DISK-FAULT CLEAR");
    }
    rewritten(&mut client);
    assert_eq!(number(&mut client, "aof_rewrites_consecutive_failures"), 0);
    assert_eq!(names(server.dir()).len(), 3, "{:?}", names(server.dir()));
    assert_same_as_redis(&server, LOG);
}

#[test]
fn a_script_that_does_not_end_leaves_the_log_as_it_was() {
    let server = logged(&["--busy-reply-threshold", "300"]);
    let mut client = server.connect();
    fill(&mut client, &mut Rng::new(random::seed()), "");
    let before = names(server.dir());
    let mut endless = server.connect();
    endless.send(&["EVAL", "while true do end", "1", "key"]).unwrap();
    while client.ask("FUNCTION STATS").raw.starts_with(b"*4\r\n$14\r\nrunning_script\r\n$-1") {}
    let busy = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    // The first begins before the script makes all others BUSY, and waits for it; the second does not begin.
    for _ in 0..2 {
        assert_eq!(client.ask("BGREWRITEAOF").error().as_deref(), Some(busy));
        assert_eq!(names(server.dir()), before);
    }
    ok(&mut client, "SCRIPT KILL");
    assert!(endless.read().unwrap().error().is_some());
    rewritten(&mut client);
    assert_same_as_redis(&server, LOG);
}

#[test]
fn old_files_that_cannot_be_removed_are_removed_later() {
    let server = logged(&[]);
    let mut client = server.connect();
    client.ask("SET key value");
    ok(&mut client, "DEBUG DISK-FAULT remove 1.base EACCES");
    rewritten(&mut client);
    assert!(names(server.dir()).contains(&"appendonly.aof.1.base.rdb".to_owned()));
    ok(&mut client, "DEBUG DISK-FAULT CLEAR");
    rewritten(&mut client);
    let expected = ["appendonly.aof.3.base.rdb", "appendonly.aof.3.incr.aof", "appendonly.aof.manifest"];
    assert_eq!(names(server.dir()), expected);
}

#[test]
fn a_log_that_has_grown_is_rewritten_by_itself() {
    let server = logged(&["--auto-aof-rewrite-percentage", "100", "--auto-aof-rewrite-min-size", "10kb"]);
    let mut client = server.connect();
    until(&mut client, "aof_rewrites:1");
    for number in 0..500 {
        client.ask(&format!("SET key {number}-{}", "x".repeat(100)));
    }
    until(&mut client, "aof_rewrites:2");
    until(&mut client, "aof_rewrite_in_progress:0");
    until(&mut client, "aof_last_bgrewrite_status:ok");
    assert!(number(&mut client, "aof_base_size") < 10_000);
}

#[test]
fn the_log_is_turned_on_and_off_while_the_server_runs() {
    let server = Server::moonshard(4, &["--save", "", "--enable-debug-command", "yes"]);
    let mut client = server.connect();
    let mut rng = Rng::new(random::seed());
    let mut rewrites = 0;
    for round in 0..3 {
        for command in values::keyspace(&mut rng, &format!("{round}:"), 60) {
            client.command(&command).unwrap();
        }
        rewrites += 1;
        if round == 1 {
            // The first attempt fails, and is made again.
            rewrites += 1;
            ok(&mut client, "DEBUG DISK-FAULT sync temp-rewriteaof EIO TIMES 1");
        }
        ok(&mut client, "CONFIG SET appendonly yes");
        client.ask(&format!("INCRBY counter {round}"));
        until(&mut client, &format!("aof_rewrites:{rewrites}"));
        until(&mut client, "aof_rewrite_in_progress:0");
        until(&mut client, "aof_last_bgrewrite_status:ok");
        client.ask(&format!("RPUSH rounds {round}"));
        assert_same_as_redis(&server, EXACT);
        ok(&mut client, "CONFIG SET appendonly no");
        client.ask("SET unknown value");
        client.ask("DEL unknown");
    }
}

/// As in Redis, what there is is written, and nothing follows it.
#[test]
fn a_log_that_is_turned_off_before_a_rewrite_begins_stays_off() {
    let server = logged(&[]);
    let (mut client, mut rewriter) = (server.connect(), server.connect());
    until(&mut client, "aof_rewrites:1");
    // What is written is synced before the rewrite begins.
    ok(&mut client, "DEBUG DISK-FAULT sync incr NONE DELAY 1500 TIMES 1");
    ok(&mut client, "SET key value");
    rewriter.send(&["BGREWRITEAOF"]).unwrap();
    until(&mut client, "aof_rewrite_in_progress:1");
    ok(&mut client, "CONFIG SET appendonly no");
    assert!(rewriter.read().unwrap().error().unwrap().starts_with("ERR Can't execute an AOF"));
    until(&mut client, "aof_rewrite_in_progress:0");
    assert_eq!(number(&mut client, "aof_rewrites"), 1);
    ok(&mut client, "SET key other");
    // The log's thread closes what there was, and nothing is opened.
    let is_open = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
        let paths = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        paths.map(|path| path.to_string_lossy().into_owned()).any(|path| path.contains("appendonlydir"))
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    while is_open() {
        assert!(Instant::now() < deadline, "a file of the log stays open");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn without_a_log_a_rewrite_leaves_a_base() {
    let server = Server::moonshard(4, &["--save", ""]);
    let mut client = server.connect();
    for command in values::keyspace(&mut Rng::new(random::seed()), "", 60) {
        client.command(&command).unwrap();
    }
    client.ask("SET last written");
    rewritten(&mut client);
    assert_eq!(names(server.dir()), ["appendonly.aof.1.base.rdb", "appendonly.aof.manifest"]);
    assert_same_as_redis(&server, EXACT);
    rewritten(&mut client);
    assert_eq!(names(server.dir()), ["appendonly.aof.2.base.rdb", "appendonly.aof.manifest"]);
}

/// The server ends although a rewrite would go on for long, and leaves nothing of it.
#[test]
fn a_rewrite_does_not_hold_up_the_end() {
    let mut server = logged(&["--save", "3600 1"]);
    let mut client = server.connect();
    client.ask("DEBUG POPULATE 1000");
    ok(&mut client, "CONFIG SET rdb-key-save-delay 10000000");
    assert!(client.ask("BGREWRITEAOF").error().is_none());
    ok(&mut client, "CONFIG SET rdb-key-save-delay 0");
    client.send(&["SHUTDOWN"]).unwrap();
    assert_eq!(server.wait_for_exit(WITHIN), Some(0));
    let left: Vec<_> = std::fs::read_dir(server.dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("temp-")), "{left:?}");
}
