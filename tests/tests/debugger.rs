//! The debugger of scripts: what it says, against Redis' own, and what it leaves alone.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use moonshard_tests::resp::Client;
use moonshard_tests::server::{Server, temp_dir, under_test_is_redis};
use moonshard_tests::waiting::{WITHIN, until};

/// A script, its keys and arguments, and what the client says one by one.
struct Case {
    script: &'static str,
    keys: &'static [&'static str],
    args: &'static [&'static str],
    says: &'static [&'static str],
}

const TOUR: &str = r#"local a = redis.call('SET', KEYS[1], ARGV[1])
local b = redis.call('GET', KEYS[1])
local t = {1, 2, 'x"y\n', {a = 1}, true}
redis.debug('hello', 12, t)
for i = 1, 3 do
  b = b .. i
end
local function f(x, y)
  local z = x + y
  return z
end
local q = f(1, 2) + f(3, 4)
redis.call('LPUSH', KEYS[2], 1, 2, 3)
redis.breakpoint()
local r = redis.pcall('GET', KEYS[2])
if r.err then
  r = redis.call('LRANGE', KEYS[2], 0, -1)
end
return r
"#;
const TOUR_KEYS: &[&str] = &["{k}1", "{k}2"];
const STEPS: &[&str] = &["s"; 40];

/// Scripts whose lines Lua and LuaJIT agree on: LuaJIT has stops of its own at `repeat`, `while true do` and `local x`,
/// and none between constants.
const CASES: &[Case] = &[
    Case { script: TOUR, keys: TOUR_KEYS, args: &["v"], says: STEPS },
    Case {
        script: TOUR,
        keys: TOUR_KEYS,
        args: &["v"],
        says: &[
            "help",
            "l",
            "l 5",
            "list 5 1",
            "whole",
            "b 6",
            "b",
            "b 99",
            "b x",
            "b -3",
            "b -6",
            "break 6 7",
            "b 6",
            "b 7 8",
            "b",
            "c",
            "p",
            "print b",
            "p nope",
            "p KEYS",
            "p ARGV",
            "t",
            "c",
            "c",
            "c",
            "b 0",
            "continue",
            "p",
            "c",
            "c",
        ],
    },
    Case {
        script: TOUR,
        keys: TOUR_KEYS,
        args: &["v"],
        says: &[
            "n",
            "r get {k}1",
            "r foo",
            "r get",
            "r lpush {k}1 1",
            "e 1+1",
            "eval local x = 3",
            "e return",
            "e nope.x",
            "e error('z')",
            "e error('z', 0)",
            "e a",
            "e ('x').y.z",
            "e #ARGV",
            "e cjson.null",
            "e 1, 2",
            "e 3 -- three",
            "e {1,2,3}",
            "e )",
            "m",
            "maxlen 70",
            "r echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "m 0",
            "r echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "m 3",
            "m x",
            "bogus",
            "r",
            "l x",
            "l 2 x",
            "b 9",
            "c",
            "trace",
            "s",
            "s",
            "p",
            "p q",
            "p x",
            "t",
            "a",
        ],
    },
    Case { script: "return redis.call('INCR', KEYS[1])", keys: &["n"], args: &[], says: &["a"] },
    Case { script: "return (", keys: &[], args: &[], says: &["s"] },
    Case { script: "", keys: &[], args: &[], says: STEPS },
    Case { script: "error('x')", keys: &[], args: &[], says: STEPS },
    Case { script: "#!lua name=x\nreturn 1", keys: &[], args: &[], says: &["w", "s"] },
    Case {
        script: "#!lua flags=no-writes\nlocal a = redis.call('get', KEYS[1])\nreturn redis.call('set', KEYS[1], 1)",
        keys: &["a"],
        args: &[],
        says: &["w", "s", "s", "s"],
    },
    Case { script: "return 1\n\n\r\n\n", keys: &[], args: &[], says: &["w", "s"] },
    Case {
        script: "local function rec(n)\n  if n == 0 then\n    return 0\n  end\n  return 1 + rec(n - 1)\nend\nreturn rec(3)",
        keys: &[],
        args: &[],
        says: &["b 3", "c", "t", "p n", "p", "s", "t", "s", "s", "s", "s"],
    },
    Case {
        script: "local ok, e = pcall(function()\n  redis.call('nope')\nend)\nlocal x = tostring(12) .. \
                 tostring({1} ~= nil)\nlocal s = string.gsub('abc', '.', function(c)\n return c .. c\nend)\n\
                 return {ok, x, s}",
        keys: &[],
        args: &[],
        says: STEPS,
    },
    Case {
        script: "local co = coroutine.wrap(function(a)\n  local b = coroutine.yield(a + 1)\n  return b * 2\nend)\n\
                 local x = co(1)\nlocal y = co(5)\nreturn {x, y}",
        keys: &[],
        args: &[],
        says: &["s", "s", "p", "s", "s", "t", "s", "p x", "s", "s", "s", "s"],
    },
    Case {
        script: "redis.setresp(3)\nlocal a = redis.call('HGETALL', KEYS[1])\nlocal b = redis.call('GET', '{x}missing')\n\
                 local c = redis.call('SMEMBERS', KEYS[2])\nlocal d = redis.call('ZSCORE', KEYS[3], 'm')\nreturn 1",
        keys: &["{x}h", "{x}s", "{x}z"],
        args: &[],
        says: STEPS,
    },
    Case {
        script: "local e = redis.error_reply('MY err')\nlocal f = redis.error_reply('My')\nlocal g = redis.pcall()\n\
                 local i = redis.pcall('get', {})\nlocal ok = redis.pcall('set', 'a')\nreturn ok",
        keys: &["a"],
        args: &[],
        says: STEPS,
    },
    Case {
        script: "local t = {}\nt.t = t\nlocal n = 0.1\nlocal m = 1e20\nlocal l = -1/3\nlocal inf = 1/0\n\
                 local s = 'a\\0b\\200'\nreturn 1",
        keys: &[],
        args: &[],
        says: &["s", "s", "s", "s", "s", "s", "s", "p t", "p", "c"],
    },
    Case {
        script: "for k, v in ipairs({10, 20}) do\n  local w = k + v\nend\nreturn 1",
        keys: &[],
        args: &[],
        says: &["s", "p k", "s", "s", "p v", "s", "s", "s"],
    },
    Case {
        script: "local i = 3\nwhile i > 0 do\n  i = i - 1\nend\nif i == 0 then\n  i = 7\nelseif i == 1 then\n  i = 8\n\
                 else\n  i = 9\nend\nreturn i",
        keys: &[],
        args: &[],
        says: STEPS,
    },
    Case {
        script: "return 'hello'",
        keys: &[],
        args: &[],
        says: &["hello\0world", "\0hello", "r a b c d e f g h i j k l", "w\0", "s\0x"],
    },
    Case {
        script: "redis.call('zadd', KEYS[1], 1, 'a')\nlocal ok, err = pcall(redis.call, 'get')\n\
                 local x = redis.call('hello')\nreturn x",
        keys: &["z"],
        args: &[],
        says: STEPS,
    },
    Case { script: "return 1", keys: &["only one"], args: &[], says: &["b 0 1 x", "protocol\r\nerror", "s"] },
];

const SEED: &[&[&str]] =
    &[&["FLUSHALL"], &["HSET", "{x}h", "f", "v"], &["SADD", "{x}s", "m"], &["ZADD", "{x}z", "1.5", "m"]];

fn begin(server: &Server, mode: &str, script: &str, keys: &[&str], args: &[&str]) -> Client {
    let mut client = server.connect();
    assert_eq!(client.command(&["SCRIPT", "DEBUG", mode]).unwrap().raw, b"+OK\r\n");
    let count = keys.len().to_string();
    let mut command = vec!["EVAL", script, &count];
    command.extend_from_slice(keys);
    command.extend_from_slice(args);
    client.send(&command).unwrap();
    client
}

/// What the debugger says next.
fn heard(client: &mut Client) -> String {
    client.read().map_or_else(|error| format!("({error})"), |reply| reply.text())
}

fn say(client: &mut Client, what: &str) {
    let words: Vec<&str> = match what.split_once(' ') {
        Some((eval @ ("e" | "eval"), code)) => vec![eval, code],
        _ => what.split(' ').collect(),
    };
    // One that has ended already is found out by reading.
    let _ = client.send(&words);
}

fn transcript(server: &Server, mode: &str, case: &Case) -> String {
    let mut admin = server.connect();
    SEED.iter().for_each(|command| drop(admin.command(command).unwrap()));
    let mut client = begin(server, mode, case.script, case.keys, case.args);
    let mut lines = Vec::new();
    let mut says = case.says.iter();
    loop {
        let line = heard(&mut client);
        let ended = line.contains("<endsession>");
        lines.push(line);
        if ended {
            break;
        }
        let Some(what) = says.next() else { break };
        lines.push(format!("> {what}"));
        say(&mut client, what);
    }
    if lines.last().unwrap().contains("<endsession>") {
        lines.push(heard(&mut client));
        lines.push(String::from_utf8(client.read_to_end().unwrap_or_default()).unwrap());
    }
    lines.join("\n")
}

fn compare(mode: &str, shards: usize) {
    let (ours, theirs) = (Server::moonshard(shards, &[]), Server::redis(&[]));
    for case in CASES {
        let (said, expected) = (transcript(&ours, mode, case), transcript(&theirs, mode, case));
        assert_eq!(said, expected, "of {mode} with {shards} shards:\n{}", case.script);
    }
}

#[test]
fn what_is_said_is_what_redis_says() {
    compare("yes", 16);
    compare("yes", 1);
}

#[test]
fn what_is_said_in_sync_mode_is_what_redis_says() {
    compare("sync", 16);
    compare("sync", 1);
}

#[test]
fn redis_cli_debugs() {
    let dir = temp_dir();
    let path = dir.join("script.lua");
    let script = "local a = redis.call('SET', KEYS[1], ARGV[1])\nlocal b = redis.call('GET', KEYS[1])\nreturn {a, b}\n";
    fs::write(&path, script).unwrap();
    let typed = "s\np\nlist\nb 3\nc\ne 1 + 1\nrestart\ns\nr get k1\nprint\nmaxlen 70\nt\na\n";
    let run = |server: &Server, mode: &str| {
        let mut cli = Command::new("redis-cli")
            .args(["-p", &server.port().to_string(), mode, "--eval", path.to_str().unwrap(), "k1", ",", "a1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        cli.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
        String::from_utf8(cli.wait_with_output().unwrap().stdout).unwrap()
    };
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    for mode in ["--ldb", "--ldb-sync-mode"] {
        let shown = run(&ours, mode);
        assert!(shown.contains("<retval> 2") && shown.contains("script aborted"), "{shown}");
        assert_eq!(shown, run(&theirs, mode), "{mode}");
    }
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn calls_that_cannot_be_debugged_are_refused() {
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    for server in [&ours, &theirs] {
        let mut client = server.connect();
        let mut ask = |words: &[&str]| client.command(words).unwrap().text();
        assert_eq!(ask(&["SCRIPT", "DEBUG", "maybe"]), "-ERR Use SCRIPT DEBUG YES/SYNC/NO\r\n");
        assert_eq!(ask(&["SCRIPT", "DEBUG", "yes"]), "+OK\r\n");
        assert!(ask(&["EVALSHA", "short", "0"]).starts_with("-NOSCRIPT"));
        let sha = "a".repeat(40);
        assert_eq!(ask(&["EVALSHA", &sha, "0"]), "-ERR Please use EVAL instead of EVALSHA for debugging\r\n");
        assert_eq!(ask(&["SCRIPT", "DEBUG", "NO"]), "+OK\r\n");
        assert_eq!(ask(&["EVAL", "return 7", "0"]), ":7\r\n");
        client.send_raw(b"PING\r\nSCRIPT DEBUG yes\r\n").unwrap();
        assert_eq!(client.read().unwrap().raw, b"+PONG\r\n");
        assert_eq!(client.read().unwrap().text(), "-ERR SCRIPT DEBUG must be called outside a pipeline\r\n");
    }
    if under_test_is_redis() {
        return;
    }
    let mut client = ours.connect();
    let mut ask = |words: &[&str]| client.command(words).unwrap().text();
    ask(&["SCRIPT", "DEBUG", "YES"]);
    ask(&["MULTI"]);
    assert_eq!(ask(&["EVAL", "return 1", "0"]), "-ERR Scripts can't be debugged inside a transaction\r\n");
    assert!(ask(&["EXEC"]).starts_with("-EXECABORT"));
    // What is refused before a script runs ends the session as well.
    client.send(&["EVAL", "return 1", "2", "a", "b"]).unwrap();
    assert!(heard(&mut client).contains("<endsession>"));
    assert!(heard(&mut client).starts_with("-CROSSSLOT"));
}

/// Threads of the server that debug.
fn sessions(server: &Server) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.filter_map(Result::ok).map(name).filter(|name| name.trim() == "debugger").count()
}

const COUNT_TWICE: &str =
    "redis.call('INCR', KEYS[1])\nredis.call('INCR', KEYS[1])\nreturn redis.call('GET', KEYS[1])";

#[test]
fn a_session_over_copies_holds_and_changes_nothing() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(4, &["--busy-reply-threshold", "50"]);
    let mut other = server.connect();
    assert_eq!(other.ask("SET n 5").text(), "+OK\r\n");
    let mut client = begin(&server, "yes", COUNT_TWICE, &["n"], &[]);
    assert!(heard(&mut client).contains("Stopped at 1"));
    say(&mut client, "s");
    assert!(heard(&mut client).contains("<reply> 6"));
    // The key and everything else is free, long after a script would have been busy.
    let stopped = Instant::now();
    while stopped.elapsed() < Duration::from_millis(200) {
        assert_eq!(other.ask("GET n").text(), "$1\r\n5\r\n");
        assert_eq!(other.ask("DBSIZE").text(), ":1\r\n");
    }
    assert_eq!(other.ask("SET n 100").text(), "+OK\r\n");
    say(&mut client, "c");
    assert!(heard(&mut client).contains("<endsession>"));
    assert_eq!(heard(&mut client), "$1\r\n7\r\n");
    assert_eq!(client.read_to_end().unwrap(), b"");
    assert_eq!(other.ask("GET n").text(), "$3\r\n100\r\n");
    // Nor does the script stay known.
    let sha = other.command(&["EVAL", "return redis.sha1hex(ARGV[1])", "0", COUNT_TWICE]).unwrap();
    let sha = String::from_utf8(sha.value.bytes().unwrap().to_vec()).unwrap();
    assert_eq!(other.command(&["SCRIPT", "EXISTS", &sha]).unwrap().text(), "*1\r\n:0\r\n");
    until("the thread ends", || sessions(&server) == 0);
}

#[test]
fn a_session_over_copies_sees_every_key() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(8, &[]);
    let mut other = server.connect();
    for i in 0..1000 {
        other.ask(&format!("SET key:{i} {i}"));
    }
    other.ask("SELECT 3");
    other.ask("SET elsewhere 1");
    let script = "#!lua flags=allow-undeclared-keys\nredis.call('DEL', 'key:1')\nredis.call('SET', 'new', 1)\n\
                  local all = redis.call('DBSIZE')\nredis.call('SELECT', 3)\nlocal other = redis.call('KEYS', '*')\n\
                  redis.call('SELECT', 0)\nlocal cursor, found = '0', 0\nwhile found >= 0 do\n\
                  local page = redis.call('SCAN', cursor, 'COUNT', 100)\ncursor = page[1]\n\
                  found = found + #page[2]\nif cursor == '0' then break end\nend\n\
                  redis.call('FLUSHALL')\nreturn {all, other, found, redis.call('DBSIZE')}";
    let mut client = begin(&server, "yes", script, &[], &[]);
    heard(&mut client);
    say(&mut client, "c");
    assert!(heard(&mut client).contains("<endsession>"));
    assert_eq!(heard(&mut client), "*4\r\n:1000\r\n*1\r\n$9\r\nelsewhere\r\n:1000\r\n:0\r\n");
    assert_eq!(other.ask("GET elsewhere").text(), "$1\r\n1\r\n");
    other.ask("SELECT 0");
    assert_eq!(other.ask("DBSIZE").text(), ":1000\r\n");
}

#[test]
fn a_session_over_copies_ends_with_its_client_and_by_kill() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(4, &[]);
    let mut admin = server.connect();
    assert!(admin.ask("SCRIPT KILL").text().starts_with("-NOTBUSY"));
    let mut stopped = begin(&server, "yes", "redis.call('SET', KEYS[1], 1)\nreturn 1", &["k"], &[]);
    heard(&mut stopped);
    say(&mut stopped, "s");
    heard(&mut stopped);
    let mut running = begin(&server, "yes", "local i = 0\nwhile true do\n i = i + 1\nend", &["k"], &[]);
    heard(&mut running);
    say(&mut running, "c");
    assert_eq!(sessions(&server), 2);
    assert!(admin.ask("FUNCTION KILL").text().starts_with("-BUSY"), "of the other kind");
    assert_eq!(admin.ask("SCRIPT KILL").text(), "+OK\r\n");
    for client in [&mut stopped, &mut running] {
        assert!(heard(client).contains("<endsession>"));
        assert!(heard(client).starts_with("-ERR Script killed by user with SCRIPT KILL..."));
    }
    until("they are gone", || sessions(&server) == 0);
    for says in ["p", "c"] {
        let mut client = begin(&server, "yes", "local i = 0\nwhile true do\n i = i + 1\nend", &["k"], &[]);
        heard(&mut client);
        say(&mut client, says);
    }
    until("they went with their clients", || sessions(&server) == 0);
}

#[test]
fn a_session_in_sync_mode_holds_its_shard_only() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(4, &["--busy-reply-threshold", "50"]);
    let mut other = server.connect();
    let mut client = begin(&server, "sync", COUNT_TWICE, &["n"], &[]);
    heard(&mut client);
    until("the shard is busy", || other.ask("GET n").text().starts_with("-BUSY"));
    // foo is of another shard than n.
    assert_eq!(other.ask("SET foo 1").text(), "+OK\r\n");
    assert!(other.ask("INFO server").text().contains("redis_version"));
    assert_eq!(server.connect().ask("PING").text(), "+PONG\r\n");
    assert_eq!(other.ask("SCRIPT KILL").text(), "+OK\r\n");
    assert!(heard(&mut client).contains("<endsession>"));
    assert!(heard(&mut client).starts_with("-ERR Script killed by user with SCRIPT KILL..."));
    assert_eq!(other.ask("GET n").text(), "$-1\r\n");
    // One that has written goes on to its end when its client leaves.
    let mut client = begin(&server, "sync", COUNT_TWICE, &["n"], &[]);
    heard(&mut client);
    say(&mut client, "s");
    assert!(heard(&mut client).contains("<reply> 1"));
    until("the shard is busy", || other.ask("GET n").text().starts_with("-BUSY"));
    assert!(other.ask("SCRIPT KILL").text().starts_with("-UNKILLABLE"));
    drop(client);
    until("the shard is free", || other.ask("GET n").text() == "$1\r\n2\r\n");
    until("the thread ends", || sessions(&server) == 0);
}

#[test]
fn an_endless_script_whose_client_left_is_ended() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(4, &["--busy-reply-threshold", "50"]);
    let mut other = server.connect();
    let script =
        "redis.call('SET', KEYS[1], 1)\nlocal i = 0\nwhile i >= 0 do\n pcall(function() i = i + 1 end)\nend";
    let mut client = begin(&server, "sync", script, &["n"], &[]);
    heard(&mut client);
    say(&mut client, "c");
    assert!(heard(&mut client).contains("stop reason = timeout reached, infinite loop?"));
    drop(client);
    until("the shard is free", || other.ask("GET n").text() == "$1\r\n1\r\n");
}

#[test]
fn endless_code_of_the_clients_is_ended() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(4, &["--busy-reply-threshold", "50"]);
    let mut client = begin(&server, "yes", "local a = 1\nlocal b = 2\nreturn a + b", &[], &[]);
    heard(&mut client);
    say(&mut client, "e while true do pcall(function() while true do end end) end");
    assert!(heard(&mut client).contains("<error> ERR the code ran for longer than busy-reply-threshold"));
    say(&mut client, "e 6 * 7");
    assert!(heard(&mut client).contains("<retval> 42"));
    say(&mut client, "s");
    assert!(heard(&mut client).contains("Stopped at 2, stop reason = step over"));
    say(&mut client, "c");
    assert!(heard(&mut client).contains("<endsession>"));
    assert_eq!(heard(&mut client), ":3\r\n");
}

#[test]
fn the_server_ends_with_open_sessions() {
    if under_test_is_redis() {
        return;
    }
    let mut server = Server::moonshard(4, &[]);
    let mut copies = begin(&server, "yes", COUNT_TWICE, &["n"], &[]);
    let mut sync = begin(&server, "sync", COUNT_TWICE, &["n"], &[]);
    heard(&mut copies);
    heard(&mut sync);
    server.connect().send(&["SHUTDOWN", "NOSAVE"]).unwrap();
    assert_eq!(server.wait_for_exit(WITHIN), Some(0));
}

#[test]
fn functions_are_debugged() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(4, &[]);
    let mut admin = server.connect();
    let library = "#!lua name=lib\nlocal function add(keys, args)\n  local by = args[1]\n  \
                   return redis.call('INCRBY', keys[1], by)\nend\nredis.register_function('add', add)";
    assert_eq!(admin.command(&["FUNCTION", "LOAD", library]).unwrap().text(), "$3\r\nlib\r\n");
    for (mode, left) in [("yes", "$-1\r\n"), ("sync", "$2\r\n41\r\n")] {
        let mut client = server.connect();
        client.command(&["SCRIPT", "DEBUG", mode]).unwrap();
        client.send(&["FCALL", "ADD", "1", "n", "41"]).unwrap();
        assert_eq!(
            heard(&mut client),
            "*2\r\n+* Stopped at 3, stop reason = step over\r\n+-> 3     local by = args[1]\r\n"
        );
        say(&mut client, "s");
        heard(&mut client);
        say(&mut client, "p");
        let shown = heard(&mut client);
        assert!(shown.contains("keys = {\"n\"}") && shown.contains("by = \"41\""), "{shown}");
        say(&mut client, "r get n");
        assert!(heard(&mut client).contains("<reply> NULL"));
        say(&mut client, "s");
        let shown = heard(&mut client);
        assert!(shown.contains("<reply> 41") && shown.contains("<endsession>"), "{shown}");
        assert_eq!(heard(&mut client), ":41\r\n");
        assert_eq!(admin.ask("GET n").text(), left);
    }
}
