//! Functions where shards, several connections, files and two servers matter: what the corpus cannot show.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;
use std::sync::Barrier;
use std::time::Duration;

use moonshard_tests::resp::{Client, Reply};
use moonshard_tests::server::{Server, moonshard_binary, temp_dir, under_test_is_redis};
use moonshard_tests::waiting::{WITHIN, until};

const SHARDS: usize = 16;

fn library(name: &str, function: &str, body: &str) -> String {
    format!("#!lua name={name}\nredis.register_function('{function}', function(keys, args) {body} end)")
}

fn load(client: &mut Client, code: &str) -> Reply {
    client.command(&["FUNCTION", "LOAD", "REPLACE", code]).unwrap()
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(reply.value.bytes().unwrap_or_default()).into_owned()
}

#[test]
fn clients_that_race_to_replace_a_library_leave_every_shard_with_the_same() {
    const CLIENTS: usize = 4;
    const ROUNDS: usize = 30;
    let server = Server::moonshard(SHARDS, &[]);
    let barrier = Barrier::new(CLIENTS + 1);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (server, barrier) = (&server, &barrier);
            scope.spawn(move || {
                let mut client = server.connect();
                for round in 0..ROUNDS {
                    barrier.wait();
                    let code = library("l", "version", &format!("return '{round}:{number}'"));
                    assert_eq!(load(&mut client, &code).error(), None);
                    // What others have loaded since may be seen, and nothing older than this round.
                    for key in 0..SHARDS {
                        let reply = client.command(&["FCALL", "version", "1", &format!("k{key}")]).unwrap();
                        assert!(text(&reply).starts_with(&format!("{round}:")), "{}", reply.text());
                    }
                    barrier.wait();
                }
            });
        }
        let mut client = server.connect();
        for round in 0..ROUNDS {
            barrier.wait();
            barrier.wait();
            let mut versions: Vec<String> = (0..4 * SHARDS)
                .map(|key| text(&client.command(&["FCALL", "version", "1", &format!("k{key}")]).unwrap()))
                .collect();
            versions.dedup();
            assert_eq!(versions.len(), 1, "round {round}: {versions:?}");
        }
    });
}

#[test]
fn no_function_runs_after_a_flush() {
    let server = Server::moonshard(SHARDS, &[]);
    let mut client = server.connect();
    for _ in 0..20 {
        assert_eq!(load(&mut client, &library("l", "f", "return 1")).error(), None);
        for key in 0..SHARDS {
            assert_eq!(client.command(&["FCALL", "f", "1", &format!("k{key}")]).unwrap().raw, b":1\r\n");
        }
        assert_eq!(client.ask("FUNCTION FLUSH").raw, b"+OK\r\n");
        for key in 0..SHARDS {
            let reply = client.command(&["FCALL", "f", "1", &format!("k{key}")]).unwrap();
            assert_eq!(reply.raw, b"-ERR Function not found\r\n");
        }
    }
}

#[test]
fn payloads_go_between_redis_and_moonshard() {
    let (ours, theirs) = (Server::moonshard(SHARDS, &[]), Server::redis(&[]));
    let long = format!("return '{}'", "abc".repeat(500));
    let codes = [library("one", "f", "return 1"), library("two", "g", &long)];
    for (from, to) in [(&ours, &theirs), (&theirs, &ours)] {
        let (mut from, mut to) = (from.connect(), to.connect());
        for client in [&mut from, &mut to] {
            assert_eq!(client.ask("FUNCTION FLUSH").raw, b"+OK\r\n");
        }
        codes.iter().for_each(|code| assert_eq!(load(&mut from, code).error(), None));
        let payload = from.ask("FUNCTION DUMP").value.bytes().unwrap().to_vec();
        let restore = |to: &mut Client, policy: &str| {
            to.command(&[b"FUNCTION", b"RESTORE".as_slice(), &payload, policy.as_bytes()]).unwrap().text()
        };
        assert_eq!(restore(&mut to, "APPEND"), "+OK\r\n");
        assert!(restore(&mut to, "APPEND").contains("already exists"));
        assert_eq!(restore(&mut to, "REPLACE"), "+OK\r\n");
        assert_eq!(load(&mut to, &library("three", "h", "return 3")).error(), None);
        assert_eq!(restore(&mut to, "FLUSH"), "+OK\r\n");
        assert_eq!(to.ask("FCALL h 0").raw, b"-ERR Function not found\r\n");
        assert_eq!(to.ask("FCALL f 0").raw, b":1\r\n");
        assert_eq!(to.ask("FCALL g 0").raw, from.ask("FCALL g 0").raw);
        for name in ["one", "two"] {
            let list = format!("FUNCTION LIST LIBRARYNAME {name} WITHCODE");
            assert_eq!(to.ask(&list).raw, from.ask(&list).raw);
        }
        // Any changed byte is noticed.
        for at in [0, payload.len() / 2, payload.len() - 1] {
            let mut changed = payload.clone();
            changed[at] ^= 1;
            let reply = to.command(&[b"FUNCTION", b"RESTORE".as_slice(), &changed]).unwrap();
            assert_eq!(reply.raw, b"-ERR DUMP payload version or checksum are wrong\r\n");
        }
    }
}

#[test]
fn a_library_limits_the_runs_of_its_functions() {
    if under_test_is_redis() {
        return;
    }
    let (server, theirs) = (Server::moonshard(SHARDS, &[]), Server::redis(&[]));
    let mut client = server.connect();
    let code = "#!lua name=l script-max-ms=20 memory-limit=1mb\n\
        redis.register_function('endless', function() while true do end end)\n\
        redis.register_function('hungry', function() return #string.rep('x', 2 * 1024 * 1024) end)";
    let check = |client: &mut Client| {
        let mut error = |function: &str| client.ask(&format!("FCALL {function} 1 k")).error().unwrap();
        let over = "ERR Script killed: it ran for longer than 20 milliseconds";
        assert!(error("endless").starts_with(over), "{}", error("endless"));
        assert!(error("hungry").contains("not enough memory"));
    };
    assert_eq!(load(&mut client, code).error(), None);
    check(&mut client);
    // Its text carries them, into a payload and out of it.
    let payload = client.ask("FUNCTION DUMP").value.bytes().unwrap().to_vec();
    let restore = |to: &mut Client| {
        to.command(&[b"FUNCTION", b"RESTORE".as_slice(), &payload, b"FLUSH"]).unwrap().text()
    };
    assert_eq!(restore(&mut client), "+OK\r\n");
    check(&mut client);
    let refused = "-ERR Invalid metadata value given: script-max-ms=20\r\n";
    assert_eq!(restore(&mut theirs.connect()), refused);
    let wrong = load(&mut client, "#!lua name=l max-ms=soon\nreturn 1");
    assert_eq!(wrong.raw, b"-ERR Invalid metadata value given: max-ms=soon\r\n");
}

#[test]
fn a_snapshot_holds_the_libraries() {
    let mut server = Server::moonshard(SHARDS, &[]);
    let mut client = server.connect();
    let unsaved = |client: &mut Client| {
        let info = client.ask("INFO persistence").text();
        let line = info.lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
        line.unwrap_or_else(|| panic!("{info}")).to_owned()
    };
    assert_eq!(load(&mut client, &library("l", "f", "return 'kept'")).error(), None);
    assert_eq!(client.ask("SET k 1").raw, b"+OK\r\n");
    assert_eq!(unsaved(&mut client), "2");
    assert_eq!(client.ask("SAVE").raw, b"+OK\r\n");
    assert_eq!(unsaved(&mut client), "0");
    let dir = server.dir().to_owned();
    let snapshot = std::fs::read(dir.join("dump.rdb")).unwrap();
    client.send(&["SHUTDOWN", "NOSAVE"]).unwrap();
    assert_eq!(server.wait_for_exit(WITHIN), Some(0));
    let kept = temp_dir();
    std::fs::write(kept.join("dump.rdb"), snapshot).unwrap();
    let server = Server::moonshard(1, &["--dir", kept.to_str().unwrap()]);
    let mut client = server.connect();
    assert_eq!(text(&client.ask("FCALL f 1 k")), "kept");
    assert_eq!(unsaved(&mut client), "0");
    drop(server);
    std::fs::remove_dir_all(kept).unwrap();
}

#[test]
fn an_endless_function_is_seen_and_ended_by_its_own_commands() {
    const BUSY: &str = "-BUSY Redis is busy running a script. You can only call ";
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(SHARDS, &["--busy-reply-threshold", "20"]);
    let (mut admin, mut runner) = (server.connect(), server.connect());
    assert_eq!(load(&mut admin, &library("l", "Endless", "while true do pcall(error) end")).error(), None);
    assert_eq!(admin.ask("FUNCTION KILL").raw, b"-NOTBUSY No scripts in execution right now.\r\n");
    runner.send(&["fcall", "endless", "1", "k", "an argument"]).unwrap();
    until("the shard is busy", || {
        admin.set_timeout(Duration::from_millis(100));
        let reply = admin.command(&["GET", "k"]);
        reply.is_ok_and(|reply| reply.text() == format!("{BUSY}FUNCTION KILL or SHUTDOWN NOSAVE.\r\n")) || {
            admin = server.connect();
            false
        }
    });
    assert_eq!(admin.ask("SET elsewhere 1").raw, b"+OK\r\n");
    assert!(admin.ask("SCRIPT KILL").text().starts_with(&format!("{BUSY}FUNCTION KILL")));
    let stats = admin.ask("FUNCTION STATS").text();
    for part in ["$7\r\nEndless\r\n", "*5\r\n$5\r\nfcall\r\n$7\r\nendless\r\n", "an argument", "duration_ms"]
    {
        assert!(stats.contains(part), "{stats}");
    }
    assert_eq!(admin.ask("FUNCTION KILL").raw, b"+OK\r\n");
    let ended = runner.read().unwrap().text();
    assert!(
        ended.starts_with(
            "-ERR Script killed by user with SCRIPT KILL... script: Endless, on @user_function:2."
        )
    );
    assert!(admin.ask("FUNCTION STATS").text().contains("running_script\r\n$-1\r\n"));

    runner.send(&["EVAL", "while true do end", "1", "k"]).unwrap();
    until("FUNCTION KILL names the other command", || {
        let reply = admin.ask("FUNCTION KILL").text();
        reply == format!("{BUSY}SCRIPT KILL or SHUTDOWN NOSAVE.\r\n")
    });
    until("FUNCTION STATS does, too", || admin.ask("FUNCTION STATS").text().starts_with(BUSY));
    assert_eq!(admin.ask("SCRIPT KILL").raw, b"+OK\r\n");
    assert!(runner.read().unwrap().error().is_some());

    let writes = library("l", "writes", "redis.call('SET', keys[1], 1) while true do end");
    assert_eq!(load(&mut admin, &writes).error(), None);
    runner.send(&["FCALL", "writes", "1", "k"]).unwrap();
    until("what has written stays", || admin.ask("FUNCTION KILL").text().starts_with("-UNKILLABLE"));
}

#[test]
fn functions_obey_the_rules_of_slots() {
    if under_test_is_redis() {
        return;
    }
    let body = "redis.call('SET', args[1], 1) return redis.call('GET', args[1])";
    let own = format!(
        "#!lua name=own\nlocal f = function(keys, args) {body} end\n\
         redis.register_function{{function_name='plain', callback=f}}\n\
         redis.register_function{{function_name='cross', callback=f, flags={{'allow-cross-slot-keys'}}}}\n\
         redis.register_function{{function_name='any', callback=f, flags={{'allow-undeclared-keys'}}}}\n\
         redis.register_function{{function_name='reads', callback=function() return redis.call('GET', 'b') end, flags={{'no-writes'}}}}"
    );
    let server = Server::moonshard(SHARDS, &[]);
    let mut client = server.connect();
    assert_eq!(load(&mut client, &own).error(), None);
    assert_eq!(client.ask("FCALL plain 1 a a").raw, b"$1\r\n1\r\n");
    let outside = client.ask("FCALL plain 1 a b").text();
    assert!(
        outside.starts_with("-ERR Script attempted to access keys that do not hash to the same slot"),
        "{outside}"
    );
    assert!(client.ask("FCALL plain 0 b").text().contains("declared none"));
    assert!(client.ask("FCALL plain 2 a b b").text().starts_with("-CROSSSLOT"));
    assert_eq!(client.ask("FCALL cross 2 a b b").raw, b"$1\r\n1\r\n");
    assert!(client.ask("FCALL cross 2 a b c").error().is_some());
    assert_eq!(client.ask("FCALL any 0 c").raw, b"$1\r\n1\r\n");
    assert!(client.ask("FCALL reads 0").text().contains("declared none"));
    assert_eq!(client.ask("CONFIG SET lua-default-flags allow-undeclared-keys").raw, b"+OK\r\n");
    assert_eq!(client.ask("FCALL plain 0 d").raw, b"$1\r\n1\r\n");
    assert_eq!(client.ask("FCALL_RO reads 0").raw, b"$1\r\n1\r\n");
}

#[test]
fn libraries_are_loaded_from_a_directory() {
    if under_test_is_redis() {
        return;
    }
    let dir = temp_dir();
    let write = |name: &str, code: &str| std::fs::write(dir.join(name), code).unwrap();
    // As a ConfigMap is mounted: the files are links into a hidden directory.
    std::fs::create_dir(dir.join("..data")).unwrap();
    write("..data/one.lua", &library("one", "f", "return 1"));
    std::os::unix::fs::symlink("..data/one.lua", dir.join("one.lua")).unwrap();
    write("two.lua", &library("two", "g", "return 2"));
    write("notes.txt", "not a library");
    let path = dir.to_str().unwrap().to_owned();
    {
        let server = Server::moonshard(SHARDS, &["--function-load-dir", &path]);
        let mut client = server.connect();
        assert_eq!(client.ask("FCALL f 0").raw, b":1\r\n");
        assert_eq!(client.ask("FCALL g 1 k").raw, b":2\r\n");
        assert!(client.ask("CONFIG SET function-load-dir x").error().is_some());
    }
    let refused = |reason: &str| {
        let output = Command::new(moonshard_binary())
            .args([
                "--port",
                "0",
                "--unixsocket",
                dir.join("socket").to_str().unwrap(),
                "--function-load-dir",
                &path,
            ])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(reason), "{said}");
    };
    write("three.lua", &library("three", "F", "return 3"));
    refused("three.lua: ");
    refused("Function F already exists");
    write("three.lua", "#!lua name=three\nreturn (");
    refused("three.lua: Error compiling function: user_function:2:");
    std::fs::remove_dir_all(&dir).unwrap();
    refused("No such file or directory");
}

#[test]
fn scripts_that_only_eval_has_seen_go_when_there_are_too_many() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(SHARDS, &["--script-cache-max-entries", "10"]);
    let mut client = server.connect();
    let sha_of = |client: &mut Client, script: &str| {
        text(&client.command(&["EVAL", "return redis.sha1hex(ARGV[1])", "0", script]).unwrap())
    };
    let loaded = text(&client.command(&["SCRIPT", "LOAD", "return 'loaded'"]).unwrap());
    let (used, unused) = (sha_of(&mut client, "return 'used'"), sha_of(&mut client, "return 'unused'"));
    for script in ["return 'used'", "return 'unused'"] {
        assert_eq!(client.command(&["EVAL", script, "1", "k"]).unwrap().error(), None);
    }
    for number in 0..30 {
        let script = format!("return {number}");
        assert_eq!(client.command(&["EVAL", &script, "1", "k"]).unwrap().error(), None);
        assert_eq!(client.command(&["EVALSHA", &used, "1", "k"]).unwrap().raw, b"$4\r\nused\r\n");
    }
    assert_eq!(client.command(&["EVALSHA", &loaded, "1", "k"]).unwrap().raw, b"$6\r\nloaded\r\n");
    assert!(client.command(&["EVALSHA", &unused, "1", "k"]).unwrap().text().starts_with("-NOSCRIPT"));
    assert_eq!(client.command(&["SCRIPT", "EXISTS", &unused, &used]).unwrap().raw, b"*2\r\n:0\r\n:1\r\n");
    // Called by its text it is known again, also where it is still compiled.
    assert_eq!(client.command(&["EVAL", "return 'unused'", "1", "k"]).unwrap().error(), None);
    assert_eq!(client.command(&["EVALSHA", &unused, "1", "k"]).unwrap().raw, b"$6\r\nunused\r\n");
    let info = client.ask("INFO").text();
    let field = |name: &str| -> u64 {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {name}")).trim().parse().unwrap()
    };
    assert_eq!(field("number_of_cached_scripts"), 11);
    assert_eq!((field("evicted_scripts"), field("noscript_errors")), (24, 1));
    assert_eq!(client.ask("CONFIG SET script-cache-max-entries 1").raw, b"+OK\r\n");
    assert!(client.ask("INFO memory").text().contains("number_of_cached_scripts:2\r\n"));
}

#[test]
fn scripts_that_only_eval_has_seen_go_when_they_have_too_many_bytes() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(SHARDS, &["--script-cache-max-bytes", "100kb"]);
    let mut client = server.connect();
    let long = |number: usize| format!("return {number} -- {}", "x".repeat(10_500));
    let loaded = text(&client.command(&["SCRIPT", "LOAD", &long(99)]).unwrap());
    let cached = |client: &mut Client| {
        let info = client.ask("INFO memory").text();
        let line = info.lines().find_map(|line| line.strip_prefix("number_of_cached_scripts:"));
        line.unwrap().trim().parse::<usize>().unwrap()
    };
    for number in 0..30 {
        assert_eq!(client.command(&["EVAL", &long(number), "1", "k"]).unwrap().error(), None);
    }
    // Nine of them fit, and the one that was loaded does not count.
    assert_eq!(cached(&mut client), 10);
    assert_eq!(client.ask("CONFIG SET script-cache-max-bytes 50kb").raw, b"+OK\r\n");
    assert_eq!(cached(&mut client), 5);
    assert_eq!(client.command(&["EVALSHA", &loaded, "1", "k"]).unwrap().raw, b":99\r\n");
    assert_eq!(client.ask("CONFIG SET script-cache-max-bytes 1").raw, b"+OK\r\n");
    assert_eq!(client.command(&["EVAL", "return 1", "1", "k"]).unwrap().raw, b":1\r\n");
    assert_eq!(client.command(&["EVALSHA", &loaded, "1", "k"]).unwrap().raw, b":99\r\n");
}

/// A function that may touch any key, or one slot's.
fn setter(flags: &str, version: u8) -> String {
    format!(
        "#!lua name=l\nredis.register_function{{function_name='f', flags={{{flags}}}, callback=function(keys, args) \
         redis.call('SET', args[1], '{version}') return {version} end}}"
    )
}

#[test]
fn a_call_runs_with_the_flags_of_the_function_that_runs() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(SHARDS, &[]);
    let mut client = server.connect();
    let (narrow, wide) = (setter("", 1), setter("'allow-undeclared-keys'", 2));
    assert_eq!(load(&mut client, &narrow).error(), None);
    // In one batch, so that the call is planned before the function is replaced, and then on its own and in a
    // transaction.
    let call = ["FCALL", "f", "1", "a", "b"];
    for round in 0..20 {
        let (code, expected) = if round % 2 == 0 { (&wide, ":2\r\n") } else { (&narrow, "-ERR ") };
        let mut batch = Vec::new();
        for command in
            [&["FUNCTION", "LOAD", "REPLACE", code][..], &call, &call, &["MULTI"], &call, &["EXEC"]]
        {
            batch.extend(moonshard_tests::resp::encode(command));
        }
        client.send_raw(&batch).unwrap();
        let replies: Vec<String> = (0..6).map(|_| client.read().unwrap().text()).collect();
        assert!(replies[1].starts_with(expected) && replies[2].starts_with(expected), "{replies:?}");
        assert!(replies[5].starts_with(&format!("*1\r\n{expected}")), "{replies:?}");
    }
    let script = "return redis.call('SET', ARGV[1], 1)";
    for (flags, expected) in [("allow-undeclared-keys", "+OK\r\n"), ("", "-ERR ")] {
        let mut batch = moonshard_tests::resp::encode(&["CONFIG", "SET", "lua-default-flags", flags]);
        batch.extend(moonshard_tests::resp::encode(&["EVAL", script, "1", "a", "b"]));
        client.send_raw(&batch).unwrap();
        assert_eq!(client.read().unwrap().raw, b"+OK\r\n");
        let reply = client.read().unwrap().text();
        assert!(reply.starts_with(expected), "{flags}: {reply}");
    }
}

#[test]
fn calls_that_race_a_replacement_run_with_the_locks_they_need() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(SHARDS, &[]);
    let codes = [setter("", 1), setter("'allow-undeclared-keys'", 2)];
    assert_eq!(load(&mut server.connect(), &codes[0]).error(), None);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (server, done) = (&server, &done);
            scope.spawn(move || {
                let mut client = server.connect();
                let key = format!("k{number}");
                while !done.load(std::sync::atomic::Ordering::Acquire) {
                    let reply = client.command(&["FCALL", "f", "1", &key, "b"]).unwrap().text();
                    // What has the flag may touch the key, and what has not is refused.
                    let whole = reply == ":2\r\n"
                        || reply.contains("do not hash to the same slot")
                        || reply.starts_with("-TRYAGAIN ");
                    assert!(whole, "{reply}");
                }
            });
        }
        let mut client = server.connect();
        for round in 0..200 {
            assert_eq!(load(&mut client, &codes[round % 2]).error(), None);
        }
        done.store(true, std::sync::atomic::Ordering::Release);
    });
    assert_eq!(server.connect().ask("PING").raw, b"+PONG\r\n");
}
