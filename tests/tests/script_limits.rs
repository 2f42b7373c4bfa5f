//! Scripts that do not end: whom they hold up, who can end them, and what ends them by itself.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_tests::resp::Client;
use moonshard_tests::server::{Server, under_test_is_redis};
use moonshard_tests::waiting::until;
use std::time::{Duration, Instant};

const SHARDS: usize = 16;

/// A key on this shard.
fn key_on(shard: usize) -> String {
    (0..)
        .map(|n| format!("key:{n}"))
        .find(|key| shard_of_slot(slot(key.as_bytes()), SHARDS) == shard)
        .unwrap()
}

fn send(client: &mut Client, script: &str, key: &str) {
    client.send(&["EVAL", script, "1", key]).unwrap();
}

fn sha_of(client: &mut Client, script: &str) -> String {
    let reply = client.command(&["SCRIPT", "LOAD", script]).unwrap();
    String::from_utf8(reply.value.bytes().unwrap().to_vec()).unwrap()
}

fn running(client: &mut Client) -> usize {
    let info = client.ask("INFO shards").raw;
    let info = String::from_utf8_lossy(&info);
    ["running", "busy"].iter().map(|state| info.matches(&format!("script={state}")).count()).sum()
}

/// Kills whatever is slow until nothing runs.
fn kill_all(client: &mut Client) {
    until("all are killed", || {
        client.ask("SCRIPT KILL");
        running(client) == 0
    });
}

#[test]
fn with_an_endless_script_on_all_shards_but_one_the_last_one_is_served() {
    if under_test_is_redis() {
        return;
    }
    for (threads, threshold) in [("1", "5000"), ("2", "10")] {
        let server =
            Server::moonshard(SHARDS, &["--io-threads", threads, "--busy-reply-threshold", threshold]);
        let mut admin = server.connect();
        let mut busy: Vec<Client> = (0..SHARDS - 1).map(|_| server.connect()).collect();
        for (shard, client) in busy.iter_mut().enumerate() {
            let script =
                if shard % 2 == 0 { "while true do end" } else { "return ('a'):rep(1e6):find('a*a*b')" };
            send(client, script, &key_on(shard));
        }
        until("all run", || running(&mut admin) == SHARDS - 1);
        let last = key_on(SHARDS - 1);
        for _ in 0..20 {
            // New connections, old ones, and scripts on the last shard.
            for client in [&mut server.connect(), &mut admin] {
                assert_eq!(client.command(&["SET", &last, "x"]).unwrap().raw, b"+OK\r\n");
                assert_eq!(client.command(&["GET", &last]).unwrap().raw, b"$1\r\nx\r\n");
                send(client, "return redis.call('GET', KEYS[1])", &last);
                assert_eq!(client.read().unwrap().raw, b"$1\r\nx\r\n");
                assert!(client.ask("INFO server").text().contains("redis_version"));
                assert_eq!(client.ask("PING").raw, b"+PONG\r\n");
            }
        }
        if threshold == "10" {
            // Who asks for a busy shard is told so, and nobody else is.
            let mut client = server.connect();
            let busy_key = key_on(0);
            until("BUSY", || client.command(&["GET", &busy_key]).unwrap().text().starts_with("-BUSY"));
            assert!(client.command(&["MGET", &last, &busy_key]).unwrap().text().starts_with("-BUSY"));
        }
        kill_all(&mut admin);
        for client in &mut busy {
            let error = client.read().unwrap().error().unwrap();
            assert!(error.starts_with("ERR Script killed by user with SCRIPT KILL"), "{error}");
        }
        assert_eq!(admin.command(&["EXISTS", &key_on(0)]).unwrap().raw, b":0\r\n");
    }
}

#[test]
fn scripts_without_keys_are_in_nobodys_way() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(SHARDS, &["--busy-reply-threshold", "10", "--appendonly", "yes"]);
    let mut admin = server.connect();
    let mut endless: Vec<Client> = Vec::new();
    for number in 1..=SHARDS {
        endless.push(server.connect());
        endless[number - 1].send(&["EVAL", "while true do end", "0"]).unwrap();
        until("it runs", || running(&mut admin) == number);
        for key in (0..SHARDS).map(key_on) {
            assert_eq!(admin.command(&["SET", &key, "x"]).unwrap().raw, b"+OK\r\n");
        }
        assert_eq!(admin.ask("DBSIZE").raw, format!(":{SHARDS}\r\n").as_bytes());
        assert_eq!(admin.ask("FLUSHALL").raw, b"+OK\r\n");
        if number < SHARDS {
            assert_eq!(admin.command(&["EVAL", "return 1", "0"]).unwrap().raw, b":1\r\n");
        }
    }
    // Only when as many run as there are shards does the next one wait, and is told why it does in vain.
    until("BUSY", || admin.command(&["EVAL", "return 1", "0"]).unwrap().text().starts_with("-BUSY"));
    let shown = admin.ask("INFO scripts").text();
    assert_eq!(shown.matches("\r\nscript_keyless").count(), SHARDS, "{shown}");
    kill_all(&mut admin);
    for client in &mut endless {
        assert!(client.read().unwrap().error().unwrap().starts_with("ERR Script killed by user"));
    }
    // What the commands of such scripts did is counted as ever.
    assert_eq!(admin.command(&["EVAL", "return redis.call('ECHO', 'x')", "0"]).unwrap().raw, b"$1\r\nx\r\n");
    assert!(admin.ask("INFO commandstats").text().contains("cmdstat_echo:calls=1,"));
}

#[test]
fn what_an_earlier_script_held_is_not_busy() {
    if under_test_is_redis() {
        return;
    }
    const THRESHOLD: Duration = Duration::from_millis(600);
    let server = Server::moonshard(SHARDS, &["--busy-reply-threshold", "600", "--io-threads", "4"]);
    let mut admin = server.connect();
    let (first, other) = (key_on(0), key_on(1));
    let every_shard = "#!lua flags=allow-undeclared-keys\nreturn 1";
    assert_eq!(admin.command(&["EVAL", every_shard, "1", &first]).unwrap().raw, b":1\r\n");
    admin.command(&["SET", &other, "x"]).unwrap();
    let scripts = ["while true do end", "while true do local a = 1 end"];
    let shas = scripts.map(|script| sha_of(&mut admin, script));
    // The first script is busy before the second is. Who waits for the second's shard is told so no earlier.
    let has_shown = (0..10).any(|_| {
        let [mut endless, mut later, mut waiting] = [(); 3].map(|()| server.connect());
        send(&mut endless, scripts[0], &first);
        std::thread::sleep(THRESHOLD / 2);
        let begun = Instant::now();
        send(&mut later, scripts[1], &other);
        until("the second runs", || running(&mut admin) == 2);
        waiting.send(&["GET", &other]).unwrap();
        until("BUSY", || admin.command(&["GET", &first]).unwrap().text().starts_with("-BUSY"));
        admin.ask(&format!("SCRIPT KILL SHA {}", shas[1]));
        let reply = waiting.read().unwrap();
        let is_early = begun.elapsed() < THRESHOLD;
        kill_all(&mut admin);
        assert!(!is_early || reply.raw == b"$1\r\nx\r\n", "{}", reply.text());
        is_early
    });
    assert!(has_shown, "the machine is too slow to tell");
}

/// What others are answered while a script or function holds all that there is.
#[test]
fn while_every_shard_is_held_clients_hear_what_redis_says() {
    const LIBRARY: &str =
        "#!lua name=l\nredis.register_function('endless', function() while true do end end)";
    let servers = [
        Server::redis(&["--busy-reply-threshold", "10"]),
        Server::moonshard(
            4,
            &["--busy-reply-threshold", "10", "--lua-default-flags", "allow-undeclared-keys"],
        ),
    ];
    for (call, kill) in
        [("EVAL while(true)do(error)end 0", "SCRIPT KILL"), ("FCALL endless 0", "FUNCTION KILL")]
    {
        let heard = servers.each_ref().map(|server| {
            let [mut holder, mut other, mut early] = [(); 3].map(|()| server.connect());
            other.command(&["FUNCTION", "LOAD", "REPLACE", LIBRARY]).unwrap();
            early.ask("MULTI");
            early.ask("SET key value");
            match call.starts_with("EVAL") {
                true => holder.send(&["EVAL", "while true do end", "0"]),
                false => holder.send(&["FCALL", "endless", "0"]),
            }
            .unwrap();
            until("BUSY", || other.ask("PING").text().starts_with("-BUSY"));
            let mut heard: Vec<String> = Vec::new();
            for words in ["PING", "PING text", "GET key", "MULTI", "PING", "SET key value", "EXEC", "PING"] {
                heard.push(other.ask(words).text());
            }
            heard.push(early.ask("EXEC").text());
            heard.push(other.ask(kill).text());
            heard.push(holder.read().unwrap().text().split(' ').take(5).collect::<Vec<_>>().join(" "));
            heard.push(other.ask("PING").text());
            heard
        });
        assert_eq!(heard[0], heard[1], "{call}");
    }
}

#[test]
fn script_kill_sha_ends_that_script_alone() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(SHARDS, &[]);
    let (mut admin, mut one, mut other) = (server.connect(), server.connect(), server.connect());
    let (first, second) = ("while true do end", "while true do end return 2");
    let sha = sha_of(&mut admin, first);
    let kill =
        |client: &mut Client, sha: &str| client.command(&["SCRIPT", "KILL", "SHA", sha]).unwrap().text();
    assert!(kill(&mut admin, &sha).starts_with("-NOTBUSY"));
    send(&mut one, first, &key_on(0));
    send(&mut other, second, &key_on(1));
    until("both run", || running(&mut admin) == 2);
    assert!(kill(&mut admin, &"0".repeat(40)).starts_with("-NOTBUSY"));
    assert!(kill(&mut admin, "nonsense").starts_with("-NOTBUSY"));
    assert_eq!(
        admin.ask("SCRIPT KILL SHA").raw,
        b"-ERR wrong number of arguments for 'script|kill' command\r\n"
    );
    until("the first is killed", || kill(&mut admin, &sha.to_uppercase()) == "+OK\r\n");
    assert!(one.read().unwrap().error().unwrap().contains(&sha));
    assert_eq!(running(&mut admin), 1);
    kill_all(&mut admin);
    assert!(other.read().unwrap().error().unwrap().starts_with("ERR Script killed"));
}

#[test]
fn limits_end_scripts_by_themselves() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(SHARDS, &["--script-max-ms", "50", "--script-memory-limit", "8mb"]);
    let (mut client, mut admin) = (server.connect(), server.connect());
    let key = key_on(0);
    let mut error = |script: &str| {
        send(&mut client, script, &key);
        client.read().unwrap().error().unwrap_or_default()
    };
    let killed = "ERR Script killed: it ran for longer than 50 milliseconds script: ";
    assert!(error("while true do end").starts_with(killed));
    assert!(
        error("#!lua max-ms=60000\nwhile true do end").starts_with(killed),
        "only the server lifts its limit"
    );
    let own = error("#!lua flags=no-writes max-ms=10\nwhile true do end");
    assert!(own.starts_with("ERR Script killed: it ran for longer than 10 milliseconds"), "{own}");
    assert!(error("return #string.rep('x', 16 * 1024 * 1024)").contains("not enough memory"));
    assert!(
        error("#!lua memory-limit=64kb\nreturn #string.rep('x', 1024 * 1024)").contains("not enough memory")
    );
    assert_eq!(error("#!lua max-ms=soon\nreturn 1"), "ERR Invalid max-ms in script shebang: soon");
    assert_eq!(admin.ask("CONFIG SET script-max-ms 0").raw, b"+OK\r\n");
    assert_eq!(admin.ask("CONFIG SET script-kill-over-limit no").raw, b"+OK\r\n");
    // Not ended any more, but told of: its shard is busy at once, long before the busy threshold.
    send(&mut client, "#!lua max-ms=20\nwhile true do end", &key);
    until("BUSY", || admin.command(&["GET", &key]).unwrap().text().starts_with("-BUSY"));
    kill_all(&mut admin);
    assert!(client.read().unwrap().error().unwrap().starts_with("ERR Script killed by user"));
}

#[test]
fn a_script_that_wrote_is_never_ended_by_a_limit() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(SHARDS, &["--script-max-ms", "20"]);
    let (mut client, mut admin) = (server.connect(), server.connect());
    let key = key_on(3);
    let script = "redis.call('SET', KEYS[1], 1) local n = 0 for i = 1, 1e8 do n = n + i % 7 end \
        redis.call('APPEND', KEYS[1], 2) return redis.call('GET', KEYS[1])";
    send(&mut client, script, &key);
    until("BUSY", || admin.command(&["GET", &key]).unwrap().text().starts_with("-BUSY"));
    assert!(admin.ask("SCRIPT KILL").text().starts_with("-UNKILLABLE"));
    assert_eq!(client.read().unwrap().raw, b"$2\r\n12\r\n");
    assert_eq!(admin.command(&["GET", &key]).unwrap().raw, b"$2\r\n12\r\n");
}

#[test]
fn the_strict_sandbox_is_a_setting() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(1, &["--lua-strict-sandbox", "yes"]);
    let mut client = server.connect();
    send(&mut client, "return load", "k");
    assert!(client.read().unwrap().error().unwrap().contains("nonexistent global variable 'load'"));
    assert_eq!(
        client.ask("CONFIG GET lua-strict-sandbox").text(),
        "*2\r\n$18\r\nlua-strict-sandbox\r\n$3\r\nyes\r\n"
    );
}
