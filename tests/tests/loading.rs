//! What clients see while the server loads its data, and what stops it from loading.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::ready::wait_until_it_says;
use moonshard_tests::resp::Client;
use moonshard_tests::server::{Kind, Server, moonshard_binary, temp_dir, under_test_is_redis};
use moonshard_tests::waiting::{WITHIN, until};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

/// Text that does not get shorter, the same for the same seed.
fn noise(seed: u64, len: usize) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 90) as u8)
    };
    (0..len).map(|_| next()).collect()
}

/// A folder with a snapshot of some keys, each of more than a kilobyte: Redis looks at its clients once a kilobyte.
fn snapshot(keys: u64) -> PathBuf {
    let server = Server::redis(&[]);
    let mut client = server.connect();
    for number in 0..keys {
        client.command(&["SET", &format!("key:{number}"), &noise(number, 1_500)]).unwrap();
    }
    assert_eq!(client.ask("SAVE").raw, b"+OK\r\n");
    let dir = temp_dir();
    std::fs::copy(server.dir().join("dump.rdb"), dir.join("dump.rdb")).unwrap();
    dir
}

/// A server that takes so many microseconds for each key.
fn start_slowly(kind: Kind, dir: &Path, delay: &str, more: &[&str]) -> Server {
    let mut args = vec!["--dir", dir.to_str().unwrap(), "--key-load-delay", delay];
    args.extend(["--loading-process-events-interval-bytes", "1024", "--enable-debug-command", "yes"]);
    args.extend(more);
    Server::start_loading(kind, &args)
}

fn field(client: &mut Client, name: &str) -> Option<String> {
    let text = client.ask("INFO persistence").text();
    let found = text
        .split("\\r\\n")
        .flat_map(|part| part.split("\r\n"))
        .find_map(|line| line.strip_prefix(&format!("{name}:")));
    found.map(str::to_owned)
}

/// What a server answers to the first who asks, as soon as it listens.
fn first_answer(dir: &Path, args: &[&str]) -> String {
    let socket = dir.join("socket");
    let mut command = Command::new(moonshard_binary());
    command.args(["--port", "0", "--unixsocket"]).arg(&socket).arg("--dir").arg(dir).args(args);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let answer = RefCell::new(String::new());
    let outcome = wait_until_it_says(
        &mut child,
        || Client::unix(&socket),
        |reply| {
            answer.replace(reply.escape_ascii().to_string());
            true
        },
    );
    child.kill().unwrap();
    child.wait().unwrap();
    outcome.unwrap();
    answer.into_inner()
}

/// Redis looks at its clients once in two megabytes, so nobody is ever told of less.
#[test]
fn nobody_is_told_of_loading_when_there_is_little_to_load() {
    let empty = temp_dir();
    assert_eq!(first_answer(&empty, &[]), "+PONG\\r\\n");
    let keys = (0..50_000).map(|number| format!("key:{number}"));
    let commands: Vec<String> =
        keys.map(|key| format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n$1\r\nx\r\n", key.len())).collect();
    let log = temp_dir();
    std::fs::write(log.join("appendonly.aof"), commands.concat()).unwrap();
    let snapshot = temp_dir();
    {
        let dir = log.to_str().unwrap();
        let server = Server::moonshard(4, &["--dir", dir, "--appendonly", "yes"]);
        let mut client = server.connect();
        assert_eq!(client.ask("DBSIZE").raw, b":50000\r\n");
        assert_eq!(client.ask("SAVE").raw, b"+OK\r\n");
        std::fs::rename(log.join("dump.rdb"), snapshot.join("dump.rdb")).unwrap();
    }
    for _ in 0..3 {
        assert_eq!(first_answer(&snapshot, &[]), "+PONG\\r\\n");
        assert_eq!(first_answer(&log, &["--appendonly", "yes"]), "+PONG\\r\\n");
    }
    for dir in [empty, log, snapshot] {
        std::fs::remove_dir_all(dir).unwrap();
    }
}

/// What is asked while it loads. Replies have to be the same, to the byte.
const WHILE_IT_LOADS: &str = "
    PING|PING hello|ECHO hello|GET key:1|GET|SET key:1 x|DEL key:1|DBSIZE|KEYS *|SCAN 0|RANDOMKEY|EXISTS key:1|TYPE key:1
    NOSUCHCOMMAND|NOSUCHCOMMAND a b|SELECT 1|SELECT 99|SELECT 0|FLUSHALL|FLUSHDB|SWAPDB 0 1
    EVAL return(1) 0|EVALSHA 0000000000000000000000000000000000000000 0|SCRIPT LOAD return(1)|SCRIPT EXISTS a|SCRIPT FLUSH
    FUNCTION LIST|FUNCTION FLUSH|FUNCTION STATS|FCALL f 0|FUNCTION HELP
    MULTI|GET key:1|EXEC|MULTI|CONFIG GET maxmemory|LASTSAVE X|EXEC|MULTI|CONFIG GET maxmemory|EXEC|MULTI|DISCARD|MULTI|PING|DISCARD|EXEC
    MULTI|SET a b|CONFIG GET maxmemory|EXEC|WATCH key:1|UNWATCH|DISCARD
    AUTH nobody nothing|AUTH x|ACL WHOAMI|ACL USERS|CLIENT GETNAME|CLIENT SETNAME me|CLIENT GETNAME|CLIENT NO-EVICT on|RESET
    CONFIG GET appendonly|CONFIG SET appendonly yes|CONFIG SET dir /|CONFIG SET maxmemory 0|CONFIG SET nosuch 1
    PUBLISH channel message|PUBSUB CHANNELS|PUBSUB NUMSUB a|SLOWLOG RESET|SLOWLOG LEN|SLOWLOG GET
    LATENCY LATEST|LATENCY RESET|LATENCY HISTORY a|MEMORY USAGE key:1|MEMORY DOCTOR|MEMORY HELP|OBJECT ENCODING key:1|OBJECT HELP
    COMMAND COUNT X|COMMAND GETKEYS GET a|COMMAND INFO get|ROLE|WAIT 0 0|SAVE|BGSAVE|LASTSAVE a
    DEBUG JMAP|DEBUG SET-ACTIVE-EXPIRE 1|READONLY|READWRITE|ASKING|CLUSTER INFO|CLUSTER MYID|DUMP key:1|RESTORE a 0 b|MIGRATE a 1 b 0 1
    BLPOP a 0|XREAD BLOCK 0 STREAMS a 0|OBJECT FREQ key:1|SORT key:1|TOUCH key:1|EXPIRE key:1 10|PFADD a b|SUBSCRIBE a|PING|GET key:1|UNSUBSCRIBE a
";

#[test]
fn clients_are_answered_as_redis_answers_them() {
    let dir = snapshot(1_000);
    let redis = start_slowly(Kind::Redis, &dir, "5000", &[]);
    let ours = start_slowly(Kind::Moonshard, &dir, "1000000", &[]);
    let (mut theirs, mut mine) = (redis.connect(), ours.connect());
    for line in WHILE_IT_LOADS.split(['|', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
        let expected = theirs.ask(line);
        assert_eq!(mine.ask(line).text(), expected.text(), "{line}");
    }
    assert_eq!(
        field(&mut theirs, "loading").as_deref(),
        Some("1"),
        "Redis was done before the questions were"
    );
    assert_eq!(field(&mut mine, "loading").as_deref(), Some("1"));
    // HELLO greets, and another protocol changes nothing.
    for client in [&mut theirs, &mut mine] {
        assert_eq!(client.ask("HELLO 3").error(), None);
        assert_eq!(client.ask("PING").raw, b"-LOADING Redis is loading the dataset in memory\r\n");
    }
    let mut ours = ours;
    assert_eq!(mine.ask("CONFIG SET key-load-delay 0").raw, b"+OK\r\n");
    ours.wait_until_ready().unwrap();
    assert_eq!(mine.ask("DBSIZE").raw, b":1000\r\n");
    assert_eq!(field(&mut mine, "loading").as_deref(), Some("0"));
    assert_eq!(field(&mut mine, "loading_start_time"), None);
}

#[test]
fn who_has_no_password_is_told_that_first() {
    let dir = snapshot(100);
    let args = ["--requirepass", "secret"];
    let redis = start_slowly(Kind::Redis, &dir, "50000", &args);
    let ours = start_slowly(Kind::Moonshard, &dir, "1000000", &args);
    let (mut theirs, mut mine) = (redis.connect(), ours.connect());
    for line in ["PING", "GET a", "MULTI", "AUTH wrong", "AUTH secret", "GET a", "MULTI", "GET a", "EXEC"] {
        assert_eq!(mine.ask(line).text(), theirs.ask(line).text(), "{line}");
    }
}

#[test]
fn info_tells_how_far_it_is() {
    let dir = snapshot(300);
    let total = std::fs::metadata(dir.join("dump.rdb")).unwrap().len().to_string();
    let redis = start_slowly(Kind::Redis, &dir, "5000", &[]);
    let ours = start_slowly(Kind::Moonshard, &dir, "5000", &[]);
    let (mut theirs, mut mine) = (redis.connect(), ours.connect());
    let names = |client: &mut Client| -> Vec<String> {
        let text = client.ask("INFO persistence").text();
        let names =
            text.split("\\r\\n").flat_map(|part| part.split("\r\n")).filter_map(|line| line.split_once(':'));
        names.map(|(name, _)| name.to_owned()).filter(|name| name.contains("loading")).collect()
    };
    assert_eq!(names(&mut mine), names(&mut theirs));
    assert_eq!(field(&mut mine, "loading_total_bytes"), Some(total));
    assert_eq!(field(&mut mine, "loading_rdb_used_mem"), field(&mut theirs, "loading_rdb_used_mem"));
    let deadline = Instant::now() + WITHIN;
    let loaded =
        |client: &mut Client| -> u64 { field(client, "loading_loaded_bytes").unwrap().parse().unwrap() };
    let before = loaded(&mut mine);
    while loaded(&mut mine) == before {
        assert!(Instant::now() < deadline, "it stands still");
    }
    assert!(field(&mut mine, "loading_loaded_perc").unwrap().parse::<f64>().unwrap() > 0.0);
}

/// Ends a server that is loading, in these words or by a signal.
fn end_while_loading(kind: Kind, words: &str) -> (Option<i32>, bool) {
    let dir = snapshot(50);
    let before = std::fs::read(dir.join("dump.rdb")).unwrap();
    let mut server = start_slowly(kind, &dir, "100000", &["--save", "3600 1"]);
    match words {
        "SIGTERM" => server.signal(libc::SIGTERM),
        "SIGINT" => server.signal(libc::SIGINT),
        words => server.connect().send(&words.split(' ').collect::<Vec<_>>()).unwrap(),
    }
    let code = server.wait_for_exit(WITHIN);
    (code, std::fs::read(dir.join("dump.rdb")).unwrap() == before)
}

#[test]
fn a_server_that_is_told_to_end_while_it_loads_saves_nothing() {
    for words in ["SIGTERM", "SIGINT", "SHUTDOWN", "SHUTDOWN SAVE", "SHUTDOWN NOSAVE", "SHUTDOWN NOW FORCE"] {
        assert_eq!(end_while_loading(Kind::Moonshard, words), (Some(0), true), "{words}");
    }
    assert_eq!(end_while_loading(Kind::Redis, "SIGTERM"), (Some(0), true));
    assert_eq!(end_while_loading(Kind::Redis, "SHUTDOWN SAVE"), (Some(0), true));
}

/// Starts a server on a folder's files, and waits for its end.
fn refused(dir: &Path, args: &[&str]) -> Output {
    let socket = dir.join("socket");
    let mut command = Command::new(moonshard_binary());
    command.args(["--port", "0", "--unixsocket"]).arg(&socket).arg("--dir").arg(dir).args(args);
    command.output().unwrap()
}

/// Values that are long in the file, among others: some are built while they are read, and not by a worker.
#[test]
fn large_values_are_loaded() {
    let redis = Server::redis(&["--enable-debug-command", "yes", "--rdbcompression", "no"]);
    let mut client = redis.connect();
    for number in 0..2_000 {
        client.ask(&format!("SET small:{number} {number}"));
    }
    let script = "for i = 1, 12000 do
        local text = string.rep('x', 1000) .. i
        redis.call('HSET', 'hash', 'f' .. i, text) redis.call('RPUSH', 'list', text)
        redis.call('SADD', 'set', text) redis.call('ZADD', 'zset', i, text) end
        redis.call('SET', 'text', string.rep('y', 20000000)) redis.call('XADD', 'stream', '1-1', 'f', string.rep('z', 9000000))
        redis.call('EXPIRE', 'hash', 100000)";
    assert_eq!(client.command(&["EVAL", script, "0"]).unwrap().error(), None);
    for number in 2_000..4_000 {
        client.ask(&format!("SET small:{number} {number}"));
    }
    let digest = client.ask("DEBUG DIGEST").text();
    client.ask("SAVE");
    let dir = redis.dir().to_str().unwrap();
    let ours = Server::moonshard(16, &["--dir", dir, "--enable-debug-command", "yes", "--save", ""]);
    let mut client = ours.connect();
    assert_eq!(client.ask("DEBUG DIGEST").text(), digest);
    assert_eq!(field(&mut client, "rdb_last_load_keys_loaded").as_deref(), Some("4006"));
    assert!(client.ask("TTL hash").raw != b":-1\r\n");
}

/// Where in a file these bytes are.
fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}

#[test]
fn what_is_wrong_is_told_with_the_place() {
    let server = Server::redis(&["--rdbchecksum", "no"]);
    let mut client = server.connect();
    for number in 0..50 {
        client.ask(&format!("SET key:{number} value"));
    }
    client.ask("ZADD damaged 1 a 2 b");
    client.ask("SAVE");
    let whole = std::fs::read(server.dir().join("dump.rdb")).unwrap();
    let at = find(&whole, b"\x07damaged");
    let mut inside = whole.clone();
    // The number of elements that the listpack states.
    inside[at + 8 + 1 + 4] ^= 1;
    let mut kind = whole.clone();
    kind[at - 1] = 0x60;
    let mut twice = whole.clone();
    let record = find(&whole, b"\x06key:49") - 1;
    twice.splice(record..record, whole[record..record + 14].iter().copied());
    for (bytes, offset, reason) in [
        (inside, at - 1, "key \"damaged\": corrupt data"),
        (kind, at - 1, "values of type 96 are not supported"),
        (whole[..at + 3].to_vec(), at - 1, "the data ends too early"),
        (twice, record + 14, "key \"key:49\" comes twice in database 0"),
    ] {
        let dir = temp_dir();
        std::fs::write(dir.join("dump.rdb"), bytes).unwrap();
        let output = refused(&dir, &[]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        let place = format!("at offset {offset}");
        assert!(
            text.contains("dump.rdb") && text.contains(reason) && text.contains(&place),
            "{place}: {text}"
        );
        std::fs::remove_dir_all(dir).unwrap();
    }
}

/// Another version's compiler may have taken what this one's does not.
#[test]
fn a_script_that_does_not_compile_is_left_out() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(4, &["--rdbchecksum", "no"]);
    let mut client = server.connect();
    client.ask("SET key value");
    let sha_of = |client: &mut Client, script: &str| {
        let reply = client.command(&["SCRIPT", "LOAD", script]).unwrap();
        String::from_utf8(reply.value.bytes().unwrap().to_vec()).unwrap()
    };
    let (kept, _) = (sha_of(&mut client, "return 'kept'"), sha_of(&mut client, "return 'lost'"));
    client.ask("SAVE");
    let mut bytes = std::fs::read(server.dir().join("dump.rdb")).unwrap();
    let at = find(&bytes, b"return 'lost'");
    bytes[at + 7] = b'(';
    let dir = temp_dir();
    std::fs::write(dir.join("dump.rdb"), bytes).unwrap();
    let server = Server::moonshard(4, &["--dir", dir.to_str().unwrap()]);
    let mut client = server.connect();
    assert_eq!(client.ask("GET key").raw, b"$5\r\nvalue\r\n");
    assert_eq!(client.command(&["EVALSHA", &kept, "0"]).unwrap().raw, b"$4\r\nkept\r\n");
    assert_eq!(client.ask("INFO memory").text().matches("number_of_cached_scripts:1\r\n").count(), 1);
    until("the log tells of it", || server.log().contains("a script of the file is left out"));
    drop(server);
    std::fs::remove_dir_all(dir).unwrap();
}
