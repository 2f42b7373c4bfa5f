//! The append-only log at start: Redis' logs and hand-made ones, whole and damaged, with Redis as the judge.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::random::{self, Rng};
use moonshard_tests::resp::Client;
use moonshard_tests::server::{Kind, Server, temp_dir};
use moonshard_tests::values;
use moonshard_tests::waiting::WITHIN;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

const LOG: [&str; 6] = ["--appendonly", "yes", "--save", "", "--enable-debug-command", "yes"];

fn start(kind: Kind, dir: &Path, more: &[&str]) -> Result<Server, String> {
    let mut args = vec!["--dir", dir.to_str().unwrap()];
    args.extend(LOG);
    args.extend(more);
    Server::try_start(kind, &args)
}

fn ended(mut server: Server) {
    server.signal(libc::SIGTERM);
    assert_eq!(server.wait_for_exit(WITHIN), Some(0), "{}", server.log());
}

fn digest(client: &mut Client) -> String {
    client.ask("DEBUG DIGEST").text()
}

fn digest_of(server: &Server) -> String {
    digest(&mut server.connect())
}

/// A command as it stands in a log.
fn command(words: &str) -> Vec<u8> {
    let words: Vec<&str> = words.split(' ').collect();
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes());
    }
    bytes
}

fn commands(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| command(line)).collect()
}

/// A folder with a log of one increment that consists of these bytes.
fn log_of(bytes: &[u8]) -> PathBuf {
    let dir = temp_dir();
    let folder = dir.join("appendonlydir");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("appendonly.aof.1.incr.aof"), bytes).unwrap();
    fs::write(folder.join("appendonly.aof.manifest"), "file appendonly.aof.1.incr.aof seq 1 type i\n")
        .unwrap();
    dir
}

fn increment(dir: &Path) -> PathBuf {
    dir.join("appendonlydir/appendonly.aof.1.incr.aof")
}

/// The same files in a folder of their own.
fn copy(dir: &Path) -> PathBuf {
    let to = temp_dir();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(to.join(entry.file_name())).unwrap();
            for inner in fs::read_dir(entry.path()).unwrap() {
                let inner = inner.unwrap();
                fs::copy(inner.path(), to.join(entry.file_name()).join(inner.file_name())).unwrap();
            }
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    to
}

/// Changes of every kind: on one shard and on several, in transactions, by scripts, in several databases.
fn change(client: &mut Client, rng: &mut Rng) {
    let round = format!("g{}", rng.bits());
    for words in values::keyspace(rng, &round, 150) {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_ref()).collect();
        client.command(&words).unwrap();
    }
    for line in [
        "MSET a 1 b 2 c 3 d 4",
        "SELECT 3",
        "RPUSH list 1 2 3 4",
        "SET counter 5",
        "MULTI",
        "INCR counter",
        "SET other x",
        "SELECT 4",
        "SET in:four y",
        "EXEC",
        "SELECT 0",
        "MULTI",
        "SET {t}1 a",
        "SET {t}2 b",
        "APPEND {t}1 c",
        "EXEC",
        "SWAPDB 3 5",
        "SELECT 5",
        "LMOVE list elsewhere LEFT RIGHT",
        "SINTERSTORE into s1 s2",
        "SELECT 0",
        "RENAME a renamed",
        "COPY b copied DB 6",
        "MOVE c 7",
        "SET soon x PX 100000000",
        "EXPIRE d 100000",
        "XADD stream * f v",
        "XGROUP CREATE stream NEW 0",
        "XREADGROUP GROUP NEW me STREAMS stream >",
        "SPOP nothing",
        "PFADD hll a b c",
    ] {
        let line = line.replace("NEW", &round);
        assert_eq!(client.ask(&line).error(), None, "{line}");
    }
    for script in [
        "for i = 1, 50 do redis.call('SADD', KEYS[1], i) redis.call('HINCRBY', KEYS[2], i % 7, i) end",
        "redis.call('SPOP', KEYS[1], 9) redis.call('SELECT', 8) redis.call('SET', KEYS[2], 'in eight')",
    ] {
        let (one, other) = ("{script}set", "{script}hash");
        assert_eq!(client.command(&["EVAL", script, "2", one, other]).unwrap().error(), None);
    }
}

const LIBRARY: &str = "#!lua name=mine\nredis.register_function('answer', function() return 42 end)";

#[test]
fn logs_of_redis_are_loaded_and_gone_on_with() {
    let seed = random::seed();
    let mut rng = Rng::new(seed);
    for preamble in ["yes", "no"] {
        let dir = temp_dir();
        let more = ["--aof-use-rdb-preamble", preamble];
        let redis = start(Kind::Redis, &dir, &more).unwrap();
        let mut client = redis.connect();
        change(&mut client, &mut rng);
        client.command(&["FUNCTION", "LOAD", LIBRARY]).unwrap();
        client.ask("BGREWRITEAOF");
        let deadline = Instant::now() + WITHIN;
        while !client.ask("INFO persistence").text().contains("aof_rewrite_in_progress:0")
            || !dir.join("appendonlydir/appendonly.aof.2.incr.aof").exists()
        {
            assert!(Instant::now() < deadline, "Redis does not rewrite its log");
        }
        change(&mut client, &mut rng);
        ended(redis);
        // In a log of commands Redis itself does not keep everything that its digest covers.
        let expected = digest_of(&start(Kind::Redis, &copy(&dir), &[]).unwrap());
        for shards in ["1", "16"] {
            let dir = copy(&dir);
            let ours = start(Kind::Moonshard, &dir, &["--shards", shards]).unwrap();
            let mut client = ours.connect();
            assert_eq!(
                digest(&mut client),
                expected,
                "seed {seed}, preamble {preamble}, {shards} shards: {}",
                ours.log()
            );
            assert_eq!(client.ask("FCALL answer 0").raw, b":42\r\n");
            change(&mut client, &mut rng);
            let expected = digest(&mut client);
            ended(ours);
            assert_eq!(
                digest_of(&start(Kind::Redis, &dir, &[]).unwrap()),
                expected,
                "seed {seed}: Redis reads our log"
            );
            assert_eq!(
                digest_of(&start(Kind::Moonshard, &dir, &[]).unwrap()),
                expected,
                "seed {seed}: our own"
            );
            fs::remove_dir_all(dir).unwrap();
        }
    }
}

#[test]
fn a_log_of_one_file_is_taken_over_as_redis_takes_it_over() {
    let redis = Server::redis(&[]);
    let mut client = redis.connect();
    client.ask("SET from:snapshot x");
    client.ask("SAVE");
    let snapshot = fs::read(redis.dir().join("dump.rdb")).unwrap();
    let tail = commands(&["SELECT 0", "SET from:tail y", "MULTI", "SET a 1", "SET b 2", "EXEC"]);
    for bytes in [tail.clone(), [snapshot, tail].concat()] {
        let dir = temp_dir();
        fs::write(dir.join("appendonly.aof"), &bytes).unwrap();
        let theirs = copy(&dir);
        let redis = start(Kind::Redis, &theirs, &[]).unwrap();
        let expected = digest_of(&redis);
        ended(redis);
        let ours = start(Kind::Moonshard, &dir, &[]).unwrap();
        assert_eq!(digest_of(&ours), expected);
        ended(ours);
        let manifest =
            |dir: &Path| fs::read_to_string(dir.join("appendonlydir/appendonly.aof.manifest")).unwrap();
        assert_eq!(manifest(&dir), manifest(&theirs));
        assert!(!dir.join("appendonly.aof").exists());
        assert_eq!(fs::read(dir.join("appendonlydir/appendonly.aof")).unwrap(), bytes);
        assert_eq!(digest_of(&start(Kind::Redis, &dir, &[]).unwrap()), expected);
    }
}

#[test]
fn an_old_log_whose_move_was_cut_short_is_moved_again() {
    let dir = temp_dir();
    fs::write(dir.join("appendonly.aof"), commands(&["SELECT 0", "SET key value"])).unwrap();
    fs::create_dir(dir.join("appendonlydir")).unwrap();
    let manifest = dir.join("appendonlydir/appendonly.aof.manifest");
    fs::write(manifest, "file appendonly.aof seq 1 type b\n").unwrap();
    let ours = start(Kind::Moonshard, &dir, &[]).unwrap();
    assert_eq!(ours.connect().ask("GET key").raw, b"$5\r\nvalue\r\n");
}

#[test]
fn a_torn_tail_is_cut_off_where_redis_cuts_it_off() {
    let begin = commands(&["SELECT 0", "SET kept 1", "RPUSH list a b", "MULTI", "SET t 1", "EXEC"]);
    let ends = [commands(&["SET lost 1"]), commands(&["MULTI", "SET kept 2", "INCR lost", "EXEC"])];
    for (is_transaction, end) in [false, true].into_iter().zip(ends) {
        for left in [1, 2, 5, 9, end.len() / 2, end.len() - 3, end.len() - 1] {
            let bytes = [begin.as_slice(), &end[..left]].concat();
            let dir = log_of(&bytes);
            let theirs = copy(&dir);
            let redis = start(Kind::Redis, &theirs, &[]).unwrap();
            let ours = start(Kind::Moonshard, &dir, &[]).unwrap();
            assert_eq!(digest_of(&ours), digest_of(&redis), "{left} bytes of the end");
            let log = ours.log();
            let told = [
                "WARN",
                "appendonly.aof.1.incr.aof",
                &format!("offset={}", begin.len()),
                &format!("bytes={left}"),
            ];
            assert!(told.iter().all(|word| log.contains(word)), "{told:?}: {log}");
            drop((ours, redis));
            assert!(fs::read(increment(&dir)).unwrap() == begin, "{left} bytes of the end");
            if !is_transaction {
                // Redis leaves the begin of a transaction in the file, and would queue what it writes after that.
                assert!(fs::read(increment(&theirs)).unwrap() == begin, "{left} bytes of the end");
            }
            fs::remove_dir_all(dir).unwrap();
        }
    }
}

/// That the server refuses to start on this folder, with these words in its log and its files left as they are.
fn assert_refused(dir: &Path, more: &[&str], words: &[&str]) {
    let before = fs::read(increment(dir)).ok();
    let Err(log) = start(Kind::Moonshard, dir, more) else { panic!("it starts: {words:?}") };
    assert!(log.contains("exit status: 1"), "{log}");
    assert!(words.iter().all(|word| log.contains(word)), "{words:?}: {log}");
    assert_eq!(fs::read(increment(dir)).ok(), before);
    assert!(start(Kind::Redis, dir, more).is_err(), "Redis starts: {words:?}");
}

#[test]
fn what_is_damaged_is_refused_with_the_place() {
    let begin = commands(&["SELECT 0", "SET kept 1"]);
    let place = format!("at offset {}", begin.len());
    let torn = log_of(&[begin.as_slice(), b"*3\r\n$3\r\nSE"].concat());
    assert_refused(
        &torn,
        &["--aof-load-truncated", "no"],
        &["appendonly.aof.1.incr.aof", &place, "10 bytes", "redis-check-aof --fix", "aof-load-truncated"],
    );
    for (wrong, reason) in [
        (&b"nonsense\r\n"[..], "begins with '*'"),
        (b"*1\r\n+PING\r\n", "begins with '$'"),
        (b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*x\r\n", "in a number"),
        (b"*2\r\n$4\r\nNOPE\r\n$1\r\na\r\n", "unknown command 'NOPE'"),
        (b"*2\r\n$6\r\nSELECT\r\n$2\r\n99\r\n", "out of range"),
    ] {
        let bytes = [begin.as_slice(), wrong, &command("SET later 1")].concat();
        let dir = log_of(&bytes);
        let before = fs::read(increment(&dir)).unwrap();
        let Err(log) = start(Kind::Moonshard, &dir, &[]) else { panic!("it starts: {reason}") };
        assert!(log.contains("exit status: 1") && log.contains("appendonly.aof.1.incr.aof"), "{log}");
        assert!(log.contains("at offset") && log.contains(reason), "{reason}: {log}");
        assert_eq!(fs::read(increment(&dir)).unwrap(), before);
    }
}

#[test]
fn only_the_last_file_may_be_torn() {
    let dir = log_of(&[commands(&["SELECT 0", "SET kept 1"]), b"*3\r\n".to_vec()].concat());
    let folder = dir.join("appendonlydir");
    fs::write(folder.join("appendonly.aof.2.incr.aof"), commands(&["SELECT 0", "SET later 1"])).unwrap();
    let manifest =
        "file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n";
    fs::write(folder.join("appendonly.aof.manifest"), manifest).unwrap();
    let before = fs::read(increment(&dir)).unwrap();
    let Err(log) = start(Kind::Moonshard, &dir, &[]) else { panic!("it starts") };
    assert!(log.contains("appendonly.aof.1.incr.aof ends in the middle"), "{log}");
    assert_eq!(fs::read(increment(&dir)).unwrap(), before);
}

#[test]
fn a_manifest_that_is_wrong_stops_the_start() {
    let dir = log_of(&command("SELECT 0"));
    fs::remove_file(increment(&dir)).unwrap();
    assert_refused(&dir, &[], &["cannot read", "appendonly.aof.1.incr.aof"]);
    let dir = log_of(&command("SELECT 0"));
    fs::write(dir.join("appendonlydir/appendonly.aof.manifest"), "nonsense\n").unwrap();
    assert_refused(&dir, &[], &["appendonly.aof.manifest"]);
}

#[test]
fn without_a_log_one_begins_and_no_snapshot_is_loaded() {
    let redis = Server::redis(&[]);
    redis.connect().ask("SET key value");
    redis.connect().ask("SAVE");
    for empty in [false, true] {
        let dir = if empty { log_of(b"") } else { temp_dir() };
        fs::copy(redis.dir().join("dump.rdb"), dir.join("dump.rdb")).unwrap();
        let ours = start(Kind::Moonshard, &dir, &[]).unwrap();
        let mut client = ours.connect();
        assert_eq!(client.ask("DBSIZE").raw, b":0\r\n");
        assert_eq!(ours.log().contains("this snapshot is not loaded"), !empty, "{}", ours.log());
        client.ask("SET mine 1");
        ended(ours);
        let theirs = start(Kind::Redis, &dir, &[]).unwrap();
        assert_eq!(theirs.connect().ask("KEYS *").text(), "*1\r\n$4\r\nmine\r\n");
    }
}

#[test]
fn keys_that_are_due_live_until_the_log_has_run() {
    let lines = [
        "SELECT 0",
        "SET saved x PXAT 1000",
        "PERSIST saved",
        "SET gone x PXAT 1000",
        "APPEND gone y",
        "RPUSH list a",
        "PEXPIREAT list 1000",
        "RPUSH list b",
        "SET later x",
        "PEXPIREAT later 1000",
        "RENAME later renamed",
        "PERSIST renamed",
    ];
    let dir = log_of(&commands(&lines));
    let theirs = copy(&dir);
    let (ours, redis) =
        (start(Kind::Moonshard, &dir, &[]).unwrap(), start(Kind::Redis, &theirs, &[]).unwrap());
    for words in ["GET saved", "GET gone", "LRANGE list 0 -1", "GET renamed", "TTL renamed"] {
        assert_eq!(ours.connect().ask(words).text(), redis.connect().ask(words).text(), "{words}");
    }
}

#[test]
fn scripts_and_what_else_a_log_may_hold() {
    let lines = [
        "SELECT 0",
        "SCRIPT LOAD return(redis.call('incr',KEYS[1]))",
        "SET n 5",
        "EVALSHA 79c5f0b5ca3b13bfb2b5a5a1a7a7a0b0a7d5b7b5 1 n",
        "EVAL redis.call('incr',KEYS[1]) 1 n",
        "EVAL redis.call('mset','x',1,'y',2) 0",
        "PUBLISH channel message",
        "FLUSHDB",
        "SET n 7",
        "EVAL redis.call('incrby',KEYS[1],ARGV[1]) 1 n 3",
        "SWAPDB 0 1",
        "SELECT 1",
        "INCR n",
        "DEL nothing",
        "LPUSH n wrong:type",
        "SET after it",
    ];
    let dir = log_of(&commands(&lines));
    let theirs = copy(&dir);
    let ours = start(Kind::Moonshard, &dir, &["--slowlog-log-slower-than", "0"]).unwrap();
    let redis = start(Kind::Redis, &theirs, &[]).unwrap();
    let slow = ours.connect().ask("SLOWLOG GET -1").text();
    assert!(
        !slow.contains("mset") && !slow.contains("FLUSHDB"),
        "the log's calls are in the slow log: {slow}"
    );
    assert_eq!(digest_of(&ours), digest_of(&redis), "{}", ours.log());
    let log = ours.log();
    assert!(log.contains("WRONGTYPE") && log.contains("NOSCRIPT"), "errors are told: {log}");
    let mut client = ours.connect();
    client.ask("SELECT 1");
    assert_eq!(client.ask("GET n").raw, b"$2\r\n11\r\n");
    assert!(
        !client.ask("INFO commandstats").text().contains("cmdstat_incr:"),
        "the log's calls are nobody's"
    );
}

#[test]
fn a_script_that_only_eval_has_made_known_stays_one() {
    let script = "SCRIPT LOAD return('evaluated')";
    let mut bytes = command("SELECT 0");
    bytes.extend(b"#moonshard-eval\r\n");
    bytes.extend(command(script));
    bytes.extend(command("SCRIPT LOAD return('loaded')"));
    let dir = log_of(&bytes);
    let ours = start(Kind::Moonshard, &dir, &[]).unwrap();
    let list = ours.connect().ask("SCRIPT LIST").text();
    assert!(list.contains("$4\r\neval\r\n") && list.contains("$6\r\nloaded\r\n"), "{list}");
}

#[test]
fn clients_wait_for_the_log_and_the_log_stays_as_it_is() {
    let mut lines = vec!["SELECT 0".to_owned()];
    lines.extend((0..3_000).map(|number| format!("SET key:{number} {number}")));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let dir = log_of(&commands(&lines));
    let total = fs::metadata(increment(&dir)).unwrap().len();
    let mut args = vec!["--dir", dir.to_str().unwrap(), "--key-load-delay", "10000"];
    args.extend(LOG);
    let mut ours = Server::start_loading(Kind::Moonshard, &args);
    let mut client = ours.connect();
    assert_eq!(client.ask("SET key:1 x").raw, b"-LOADING Redis is loading the dataset in memory\r\n");
    assert_eq!(
        client.ask("CONFIG SET appendonly no").raw,
        b"-LOADING Redis is loading the dataset in memory\r\n"
    );
    let info = client.ask("INFO persistence").text();
    assert!(info.contains(&format!("loading_total_bytes:{total}")), "not {total}: {info}");
    ours.signal(libc::SIGTERM);
    assert_eq!(ours.wait_for_exit(WITHIN), Some(0), "{}", ours.log());
    assert_eq!(fs::read(increment(&dir)).unwrap(), commands(&lines));
    let mut ours = Server::start_loading(Kind::Moonshard, &args);
    let mut client = ours.connect();
    assert_eq!(client.ask("CONFIG SET key-load-delay 0").raw, b"+OK\r\n");
    ours.wait_until_ready().unwrap();
    assert_eq!(client.ask("DBSIZE").raw, b":3000\r\n");
    assert_eq!(client.ask("SET key:1 x").raw, b"+OK\r\n");
}
