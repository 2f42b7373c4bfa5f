//! What the server tells of scripts: SCRIPT LIST, SHOW and STATS.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::{Client, Value};
use moonshard_tests::server::{Server, under_test_is_redis};
use moonshard_tests::waiting::WITHIN;

const SHARDS: usize = 4;

fn started() -> Option<(Server, Client)> {
    if under_test_is_redis() {
        return None;
    }
    let server = Server::moonshard(SHARDS, &[]);
    let client = server.connect();
    Some((server, client))
}

fn command(client: &mut Client, words: &[&str]) -> Value {
    client.command(words).unwrap().value
}

fn text(value: &Value) -> String {
    String::from_utf8(value.bytes().unwrap_or_else(|| panic!("no text: {value}")).to_vec()).unwrap()
}

fn load(client: &mut Client, script: &str) -> String {
    text(&command(client, &["SCRIPT", "LOAD", script]))
}

/// A field of a map, in RESP2 or RESP3.
fn field<'a>(map: &'a Value, name: &str) -> &'a Value {
    let found = match map {
        Value::Map(pairs) => pairs.iter().find(|(key, _)| text(key) == name).map(|(_, value)| value),
        other => other
            .items()
            .and_then(|items| items.chunks(2).find(|pair| text(&pair[0]) == name))
            .map(|pair| &pair[1]),
    };
    found.unwrap_or_else(|| panic!("no {name} in {map}"))
}

fn int(map: &Value, name: &str) -> i64 {
    match field(map, name) {
        Value::Int(number) => *number,
        other => panic!("{name} is no number: {other}"),
    }
}

#[test]
fn help_begins_as_redis_has_it() {
    let Some((_server, mut client)) = started() else { return };
    let lines = |client: &mut Client| -> Vec<String> {
        command(client, &["SCRIPT", "HELP"]).items().unwrap().iter().map(text).collect()
    };
    let ours = lines(&mut client);
    let redis = Server::redis(&[]);
    let theirs = lines(&mut redis.connect());
    assert_eq!(ours[..theirs.len()], theirs);
    assert!(ours.len() > theirs.len());
}

#[test]
fn scripts_are_listed_and_shown() {
    let Some((_server, mut client)) = started() else { return };
    assert_eq!(command(&mut client, &["SCRIPT", "LIST"]), Value::Array(vec![]));
    let loaded = load(&mut client, "#!lua flags=no-writes\nreturn 1");
    command(&mut client, &["EVAL", "return 2", "0"]);
    let list = command(&mut client, &["SCRIPT", "LIST"]);
    let [evaluated, first] = list.items().unwrap() else { panic!("{list}") };
    assert_eq!(text(field(first, "sha1")), loaded);
    assert_eq!(
        (text(field(first, "kept")), text(field(evaluated, "kept"))),
        ("loaded".into(), "eval".into())
    );
    assert_eq!(field(first, "flags").items().unwrap().len(), 1);
    assert_eq!((int(first, "calls"), int(evaluated, "calls")), (0, 1));
    assert_eq!(int(evaluated, "length"), 8);
    let shown = command(&mut client, &["SCRIPT", "SHOW", &loaded.to_uppercase()]);
    assert_eq!(text(&shown), "#!lua flags=no-writes\nreturn 1");
    let unknown = client.command(&["SCRIPT", "SHOW", &"a".repeat(40)]).unwrap();
    assert!(unknown.error().unwrap().starts_with("NOSCRIPT"), "{}", unknown.text());
}

#[test]
fn what_scripts_do_is_counted_over_all_shards() {
    let Some((_server, mut client)) = started() else { return };
    command(&mut client, &["CLIENT", "SETNAME", "worker"]);
    let script = "redis.call('MGET', KEYS[1], KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) \
                  if ARGV[1] == 'x' then return redis.error_reply('MINE no') end return ARGV[1]";
    let sha = load(&mut client, script);
    let unused = command(&mut client, &["SCRIPT", "STATS", &sha]);
    assert_eq!((int(&unused, "calls"), int(&unused, "usec_p99"), int(&unused, "first_use_ms")), (0, 0, 0));
    for number in 0..100 {
        command(&mut client, &["EVALSHA", &sha, "1", &format!("key:{number}"), "123"]);
    }
    command(&mut client, &["MULTI"]);
    command(&mut client, &["EVALSHA", &sha, "1", "key", "x"]);
    command(&mut client, &["SCRIPT", "STATS", &sha]);
    let in_transaction = command(&mut client, &["EXEC"]);
    let stats = command(&mut client, &["SCRIPT", "STATS", &sha]);
    assert_eq!(int(&in_transaction.items().unwrap()[1], "calls"), 101);
    assert_eq!((int(&stats, "calls"), int(&stats, "commands")), (101, 202));
    assert_eq!((int(&stats, "keys_read"), int(&stats, "keys_written")), (202, 101));
    assert_eq!(int(&stats, "errors"), 1);
    assert_eq!(int(field(&stats, "errors_by_kind"), "MINE"), 1);
    assert!(int(&stats, "bytes_returned") >= 900, "{stats}");
    let [total, commands, lua] =
        ["usec_total", "usec_in_commands", "usec_in_lua"].map(|name| int(&stats, name));
    assert!(commands > 0 && lua >= 0 && commands + lua == total, "{stats}");
    let [p50, p99, max] = ["usec_p50", "usec_p99", "usec_max"].map(|name| int(&stats, name));
    assert!(p50 <= p99 && p99 <= max && max <= total, "{stats}");
    assert!(int(&stats, "memory_max") > 0 && int(&stats, "first_use_ms") <= int(&stats, "last_use_ms"));
    assert_eq!(text(field(&stats, "client_name")), "worker");
    command(&mut client, &["CONFIG", "RESETSTAT"]);
    assert_eq!(int(&command(&mut client, &["SCRIPT", "STATS", &sha]), "calls"), 0);
    command(&mut client, &["HELLO", "3"]);
    assert!(matches!(command(&mut client, &["SCRIPT", "STATS", &sha]), Value::Map(_)));
}

#[test]
fn functions_are_counted_like_scripts() {
    let Some((_server, mut client)) = started() else { return };
    let library =
        |body: &str| format!("#!lua name=lib\nredis.register_function('Twice', function() {body} end)");
    command(&mut client, &["CLIENT", "SETNAME", "librarian"]);
    command(&mut client, &["FUNCTION", "LOAD", &library("return 2")]);
    for key in ["a", "b", "c", "d"] {
        assert_eq!(command(&mut client, &["FCALL", "twice", "1", key]), Value::Int(2));
    }
    let stats = command(&mut client, &["SCRIPT", "STATS", "TWICE"]);
    assert_eq!(
        (text(field(&stats, "name")), text(field(&stats, "kind"))),
        ("Twice".into(), "function".into())
    );
    assert_eq!(int(&stats, "calls"), 4);
    let all = command(&mut client, &["SCRIPT", "STATS"]);
    assert_eq!(all.items().unwrap().len(), 1, "{all}");
    // A library that replaces another is other code.
    let stats = command(&mut client, &["SCRIPT", "STATS", "Twice"]);
    assert_eq!(text(field(&stats, "client_name")), "librarian");
    command(&mut client, &["FUNCTION", "LOAD", "REPLACE", &library("return 3")]);
    assert_eq!(command(&mut client, &["FCALL", "Twice", "1", "a"]), Value::Int(3));
    command(&mut client, &["FUNCTION", "FLUSH"]);
    let gone = client.command(&["SCRIPT", "STATS", "Twice"]).unwrap();
    assert_eq!(gone.error().unwrap(), "ERR No such script or function");
}

#[test]
fn after_a_flush_counts_begin_anew() {
    let Some((_server, mut client)) = started() else { return };
    let eval = ["EVAL", "return 1", "1", "k"];
    command(&mut client, &eval);
    command(&mut client, &["SCRIPT", "FLUSH"]);
    assert_eq!(command(&mut client, &["SCRIPT", "STATS"]), Value::Array(vec![]));
    command(&mut client, &eval);
    let all = command(&mut client, &["SCRIPT", "STATS"]);
    assert_eq!(int(&all.items().unwrap()[0], "calls"), 1);
}

#[test]
fn refusals_and_unknown_scripts_are_told() {
    let Some((_server, mut client)) = started() else { return };
    let sha = load(&mut client, "#!lua\nreturn 1");
    command(&mut client, &["EVALSHA_RO", &sha, "1", "k"]);
    let stats = command(&mut client, &["SCRIPT", "STATS", &sha]);
    assert_eq!((int(&stats, "calls"), int(field(&stats, "errors_by_kind"), "ERR")), (0, 1));
}

fn names(map: &Value) -> Vec<(String, i64)> {
    let pairs = map.items().unwrap().chunks(2);
    let line = |value: &Value| if let Value::Int(line) = value { *line } else { panic!("{value}") };
    pairs.map(|pair| (text(&pair[0]), line(&pair[1]))).collect()
}

#[test]
fn a_call_is_explained_without_running_it() {
    let Some((_server, mut client)) = started() else { return };
    let script =
        "#!lua flags=allow-oom\nlocal n = redis.call('INCR', KEYS[1])\ntotal = n + missing\nreturn total";
    let told = command(&mut client, &["SCRIPT", "EXPLAIN", script, "1", "foo", "argument"]);
    assert_eq!((text(field(&told, "known")), int(&told, "compiles")), ("no".into(), 1));
    let flags = field(&told, "flags").items().unwrap().iter().map(text).collect::<Vec<_>>();
    assert_eq!(flags, ["allow-oom"]);
    assert_eq!(names(field(&told, "globals_missing")), [("missing".into(), 3), ("total".into(), 4)]);
    assert_eq!(names(field(&told, "globals_assigned")), [("total".into(), 3)]);
    let [key] = field(&told, "keys").items().unwrap() else { panic!("{told}") };
    let shard = 12182 % SHARDS as i64;
    assert_eq!((int(key, "slot"), int(key, "shard")), (12182, shard));
    assert_eq!(field(&told, "shards_locked"), &Value::Array(vec![Value::Int(shard)]));
    assert_eq!(field(&told, "refused"), &Value::NullBulk);
    assert_eq!(command(&mut client, &["EXISTS", "foo"]), Value::Int(0));
    assert_eq!(command(&mut client, &["SCRIPT", "LIST"]), Value::Array(vec![]));

    let wrong = command(&mut client, &["SCRIPT", "EXPLAIN", "local x\nreturn (", "0"]);
    assert_eq!(int(&wrong, "compiles"), 0);
    assert!(text(field(&wrong, "error")).contains("user_script:2:"), "{wrong}");
}

#[test]
fn a_functions_call_is_explained_by_its_name() {
    let Some((_server, mut client)) = started() else { return };
    let library = "#!lua name=lib\nlocal function used() return missing end\n\
                   redis.register_function{function_name='Wide', flags={'no-writes', 'allow-undeclared-keys'}, \
                   callback=used}\nredis.register_function('narrow', used)";
    command(&mut client, &["FUNCTION", "LOAD", library]);
    let told = command(&mut client, &["SCRIPT", "EXPLAIN", "wide", "1", "foo"]);
    assert_eq!(
        (text(field(&told, "known")), text(field(&told, "touches"))),
        ("loaded".into(), "any key".into())
    );
    assert_eq!(names(field(&told, "globals_missing")), [("missing".into(), 2)]);
    assert_eq!(field(&told, "shards_locked").items().unwrap().len(), SHARDS);
    let told = command(&mut client, &["SCRIPT", "EXPLAIN", "narrow", "2", "foo", "bar"]);
    assert!(text(field(&told, "refused")).starts_with("CROSSSLOT"), "{told}");
}

#[test]
fn keys_of_several_slots_get_a_hash_tag() {
    let Some((_server, mut client)) = started() else { return };
    let sha = load(&mut client, "return 1");
    let keys = ["user:7:cart", "user:7:orders"];
    let told = command(&mut client, &["SCRIPT", "EXPLAIN", &sha, "2", keys[0], keys[1]]);
    assert_eq!((text(field(&told, "known")), text(field(&told, "sha1"))), ("loaded".into(), sha.clone()));
    assert!(text(field(&told, "refused")).starts_with("CROSSSLOT"), "{told}");
    assert_eq!(field(&told, "keys_of_other_slots").items().unwrap().len(), 1);
    assert_eq!(text(field(&told, "hash_tag")), "user:7");
    let tagged: Vec<_> = field(&told, "keys_with_hash_tag").items().unwrap().iter().map(text).collect();
    assert_eq!(tagged, ["{user:7}:cart", "{user:7}:orders"]);
    assert_eq!(command(&mut client, &["EVALSHA", &sha, "2", &tagged[0], &tagged[1]]), Value::Int(1));
    let flags = "#!lua flags=allow-undeclared-keys\nreturn 1";
    let told = command(&mut client, &["SCRIPT", "EXPLAIN", flags, "0"]);
    assert_eq!(field(&told, "shards_locked").items().unwrap().len(), SHARDS);
    let unknown = client.command(&["SCRIPT", "EXPLAIN", &"a".repeat(40), "0"]).unwrap();
    assert!(unknown.error().unwrap().starts_with("NOSCRIPT"), "{}", unknown.text());
    let bad = client.command(&["SCRIPT", "EXPLAIN", "return 1", "2", "k"]).unwrap();
    assert_eq!(bad.error().unwrap(), "ERR Number of keys can't be greater than number of args");
}

/// The fields of a section of INFO.
fn info(client: &mut Client, section: &str) -> Vec<(String, String)> {
    let report = text(&command(client, &["INFO", section]));
    report
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn info_has_a_section_of_scripts_when_asked() {
    let Some((_server, mut client)) = started() else { return };
    let sha = load(&mut client, "return redis.call('SET', KEYS[1], 1)");
    for key in ["a", "b", "c", "d", "e"] {
        command(&mut client, &["EVALSHA", &sha, "1", key]);
    }
    command(&mut client, &["EVALSHA", &"a".repeat(40), "0"]);
    command(&mut client, &["EVAL", "return redis.error_reply('MY error')", "1", "k"]);
    let fields = info(&mut client, "scripts");
    let value = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(value("scripts_cached"), Some("2"));
    assert_eq!((value("script_calls"), value("script_errors")), (Some("6"), Some("1")));
    assert_eq!((value("script_commands"), value("script_noscript_errors")), (Some("5"), Some("1")));
    assert_eq!(fields.iter().filter(|(name, _)| name.starts_with("script_shard")).count(), SHARDS);
    let by_default = text(&command(&mut client, &["INFO"]));
    assert!(!by_default.contains("# Scripts"));
}

#[test]
fn slow_scripts_are_named() {
    let Some((_server, mut client)) = started() else { return };
    for (name, value) in [("slowlog-log-slower-than", "1000"), ("latency-monitor-threshold", "1")] {
        command(&mut client, &["CONFIG", "SET", name, value]);
    }
    let slow = "local n = 0 while true do n = n + #redis.call('TIME') if n > 40000 then return n end end";
    let long = format!("{slow} -- {}", "x".repeat(200));
    let sha = load(&mut client, &long);
    command(&mut client, &["EVAL", &long, "1", "k"]);
    let library = format!("#!lua name=lib\nredis.register_function('slow_one', function() {slow} end)");
    command(&mut client, &["FUNCTION", "LOAD", &library]);
    command(&mut client, &["FCALL", "slow_one", "1", "k"]);
    command(&mut client, &["EVALSHA", &sha, "1", "k"]);
    let entries = command(&mut client, &["SLOWLOG", "GET", "-1"]);
    let shown = entries.to_string();
    assert!(shown.contains(&format!("more bytes, sha1 {sha})")), "{shown}");
    assert!(entries.items().unwrap().iter().all(|entry| entry.items().unwrap().len() == 6), "{shown}");
    let words =
        |entry: &Value| entry.items().unwrap()[3].items().unwrap().iter().map(text).collect::<Vec<_>>();
    let calls: Vec<Vec<String>> = entries.items().unwrap().iter().map(words).collect();
    for call in [["FCALL", "slow_one", "1", "k"], ["EVALSHA", &sha, "1", "k"]] {
        assert!(calls.iter().any(|words| *words == call), "{calls:?}");
    }
    let latest = command(&mut client, &["LATENCY", "LATEST"]).to_string();
    for event in [format!("script:{sha}"), "function:slow_one".to_owned(), "command".to_owned()] {
        assert!(latest.contains(&event), "{event}: {latest}");
    }
    let history = command(&mut client, &["LATENCY", "HISTORY", &format!("script:{sha}")]);
    let seconds = history.items().unwrap().len();
    assert!((1..=2).contains(&seconds), "{history}");
}

/// What MONITOR shows of calls of scripts and functions, without times and addresses.
fn monitored(server: &Server) -> Vec<String> {
    let (mut monitor, mut client) = (server.connect(), server.connect());
    let library = "#!lua name=lib\nlocal f = function(k) return redis.call('get', k[1]) end\n\
                   redis.register_function{function_name='f', callback=f, flags={'no-writes'}}";
    command(&mut client, &["FUNCTION", "LOAD", library]);
    let sha = load(&mut client, "return redis.call('get', KEYS[1])");
    command(&mut monitor, &["MONITOR"]);
    let set = "redis.call('SET', KEYS[1], 'a \"b') redis.call({'get', KEYS[1]}) return redis.pcall('nosuch')";
    // A table of arguments is Moonshard's own.
    let set =
        if server.is_redis() { set.replace("{'get', KEYS[1]}", "'get', KEYS[1]") } else { set.to_owned() };
    let calls: [&[&str]; 7] = [
        &["EVAL", &set, "1", "k"],
        &["EVALSHA", &sha, "1", "k"],
        &["evalsha_ro", &sha, "1", "k"],
        &["FCALL", "f", "1", "k"],
        &["fcall_ro", "F", "1", "k"],
        &["EVALSHA", "unknown", "0"],
        &["EVAL", "return redis.call('set', 'k')", "1", "k"],
    ];
    for call in calls {
        client.command(call).unwrap();
    }
    client.command(&["ECHO", "the end"]).unwrap();
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.contains("the end")) {
        let line = monitor.read().unwrap().text();
        let said = line.split_once(' ').unwrap().1.trim_end();
        let (place, call) = said.split_once("] ").unwrap();
        let place = if place.ends_with(" lua") { "lua" } else { "client" };
        lines.push(format!("{place} {}", call.replace("{'get', KEYS[1]}", "'get', KEYS[1]")));
    }
    lines
}

#[test]
fn monitor_names_scripts_and_functions_and_shows_their_commands() {
    let Some((server, _)) = started() else { return };
    let ours = monitored(&server);
    assert_eq!(ours, monitored(&Server::redis(&[])));
    assert!(ours.contains(&"client \"FCALL\" \"f\" \"1\" \"k\"".to_owned()), "{ours:?}");
    assert_eq!(ours.iter().filter(|line| line.starts_with("lua ")).count(), 6, "{ours:?}");
}

#[test]
fn a_busy_shard_answers_with_what_is_known() {
    let Some((server, mut client)) = started() else { return };
    let script = "if ARGV[1] then while true do end end";
    let sha = load(&mut client, script);
    command(&mut client, &["EVALSHA", &sha, "1", "k"]);
    assert_eq!(int(&command(&mut client, &["SCRIPT", "STATS", &sha]), "calls"), 1);
    let mut other = server.connect();
    other.send(&["EVALSHA", &sha, "1", "k", "loop"]).unwrap();
    let deadline = std::time::Instant::now() + WITHIN;
    while !info(&mut client, "scripts").iter().any(|(_, value)| value.contains(&format!("slow={sha}"))) {
        assert!(std::time::Instant::now() < deadline, "the slow script is not shown");
    }
    assert_eq!(int(&command(&mut client, &["SCRIPT", "STATS", &sha]), "calls"), 1);
    assert_eq!(command(&mut client, &["SCRIPT", "KILL"]), Value::Simple(b"OK".to_vec()));
    assert!(other.read().unwrap().error().is_some());
    let stats = command(&mut client, &["SCRIPT", "STATS", &sha]);
    assert_eq!((int(&stats, "calls"), int(&stats, "errors")), (2, 1));
}

#[test]
fn profiles_tell_which_lines_take_time() {
    let Some((_server, mut client)) = started() else { return };
    let script = "local function slow(n)\n  local sum = 0\n  for i = 1, n do sum = sum + i end\n  return sum\nend\n\
                  redis.call('SET', KEYS[1], 1)\nlocal n = slow(200000)\nreturn n";
    let (sha, other) = (load(&mut client, script), load(&mut client, "return 1"));
    command(&mut client, &["SCRIPT", "PROFILE", "START", &sha]);
    for key in ["a", "b", "c"] {
        assert_eq!(command(&mut client, &["EVALSHA", &sha, "1", key]), Value::Int(20_000_100_000));
        command(&mut client, &["EVALSHA", &other, "1", key]);
    }
    assert_eq!(command(&mut client, &["SCRIPT", "PROFILE", "STOP"]), Value::Simple(b"OK".to_vec()));
    command(&mut client, &["EVALSHA", &sha, "1", "a"]);
    let profiles = command(&mut client, &["SCRIPT", "PROFILE", "GET"]);
    let [profile] = profiles.items().unwrap() else { panic!("{profiles}") };
    assert_eq!((text(field(profile, "name")), int(profile, "runs")), (sha.clone(), 3));
    let lines = field(profile, "lines").items().unwrap();
    assert_eq!(int(&lines[0], "line"), 3, "{profile}");
    assert!(lines.iter().any(|line| int(line, "line") == 6 && int(line, "visits") == 3), "{profile}");
    let folded = text(&command(&mut client, &["SCRIPT", "PROFILE", "GET", &sha, "FOLDED"]));
    assert!(folded.lines().any(|line| line.starts_with(&format!("{sha};main:7;slow:3 "))), "{folded}");
    let library = "#!lua name=lib\nlocal function f()\n  local n = 0\n  for i = 1, 1000 do n = n + i end\n  return n\n\
                   end\nredis.register_function('Counts', f)";
    command(&mut client, &["FUNCTION", "LOAD", library]);
    command(&mut client, &["SCRIPT", "PROFILE", "START", "counts"]);
    assert_eq!(command(&mut client, &["FCALL", "counts", "1", "a"]), Value::Int(500_500));
    command(&mut client, &["EVALSHA", &sha, "1", "a"]);
    let profiles = command(&mut client, &["SCRIPT", "PROFILE", "GET"]);
    let [profile] = profiles.items().unwrap() else { panic!("{profiles}") };
    assert_eq!((text(field(profile, "name")), int(profile, "runs")), ("Counts".into(), 1));
    let unknown = client.command(&["SCRIPT", "PROFILE", "START", "nobody"]).unwrap();
    assert_eq!(unknown.error().unwrap(), "ERR No such script or function");
}

#[test]
fn a_profiled_script_can_be_killed() {
    let Some((server, mut client)) = started() else { return };
    command(&mut client, &["SCRIPT", "PROFILE", "START"]);
    let mut other = server.connect();
    other.send(&["EVAL", "while true do\n local x = 1\nend", "1", "k"]).unwrap();
    let deadline = std::time::Instant::now() + WITHIN;
    while client.command(&["SCRIPT", "KILL"]).unwrap().error().is_some() {
        assert!(std::time::Instant::now() < deadline, "it was not killed");
    }
    assert!(other.read().unwrap().error().unwrap().contains("killed"));
    let folded = text(&command(&mut client, &["SCRIPT", "PROFILE", "GET", "FOLDED"]));
    assert!(folded.contains(";main:2 "), "{folded}");
}
