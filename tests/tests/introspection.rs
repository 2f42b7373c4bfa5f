//! COMMAND INFO and COMMAND DOCS of every command that Moonshard has against those of Redis, in both protocols.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::{Client, Value};
use moonshard_tests::server::{Server, under_test_is_redis};

/// What Redis 7.0 does not have: commands of later versions that clients look for.
const NEWER: &[&str] = &[
    "client|no-touch",
    "client|setinfo",
    "cluster|myshardid",
    "delex",
    "delifeq",
    "digest",
    "hexpire",
    "hexpireat",
    "hexpiretime",
    "hgetdel",
    "hgetex",
    "hpersist",
    "hpexpire",
    "hpexpireat",
    "hpexpiretime",
    "hpttl",
    "hsetex",
    "httl",
    "increx",
    "msetex",
    "script|explain",
    "script|list",
    "script|profile",
    "script|show",
    "script|stats",
    "waitaof",
];

/// Commands to which later versions added options, which their descriptions show.
const EXTENDED: &[&str] = &["set", "zrank", "zrevrank", "script|kill"];

fn text(value: &Value) -> String {
    String::from_utf8_lossy(value.bytes().unwrap_or_default()).into_owned()
}

fn names(client: &mut Client) -> Vec<String> {
    let reply = client.ask("COMMAND LIST").value;
    let mut names: Vec<String> = reply.items().expect("an array").iter().map(text).collect();
    names.sort();
    names
}

/// A reply without what differs on purpose: subcommands come in no order, and some are newer.
fn comparable(value: &Value, known: &[String]) -> Value {
    let newer = |name: &Value| {
        let name = text(name);
        NEWER.contains(&name.as_str()) || (name.contains('|') && EXTENDED.contains(&name.as_str()))
    };
    // Subcommands that are not here yet are missing in both.
    let missing = |name: &Value| {
        let name = text(name);
        name.contains('|') && name.is_ascii() && !name.contains(' ') && !known.contains(&name)
    };
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items
                .iter()
                .filter(|item| match item {
                    Value::Array(inner) if inner.len() == 10 => !newer(&inner[0]) && !missing(&inner[0]),
                    _ => true,
                })
                .map(|item| comparable(item, known))
                .collect();
            let subcommands = items.first().and_then(Value::items).is_some_and(|first| first.len() == 10);
            if subcommands {
                items.sort();
            }
            Value::Array(items)
        }
        Value::Map(pairs) => {
            let mut pairs: Vec<(Value, Value)> = pairs
                .iter()
                .filter(|(name, _)| !newer(name) && !missing(name))
                .map(|(name, value)| (name.clone(), comparable(value, known)))
                .collect();
            if pairs.first().is_some_and(|(name, _)| text(name).contains('|')) {
                pairs.sort();
            }
            Value::Map(pairs)
        }
        other => other.clone(),
    }
}

/// The place where two replies begin to differ.
fn difference(ours: &Value, theirs: &Value) -> String {
    const BEFORE: usize = 80;
    const SHOWN: usize = 240;
    let (ours, theirs) = (ours.to_string(), theirs.to_string());
    let same = ours.bytes().zip(theirs.bytes()).take_while(|(a, b)| a == b).count();
    let part = |text: &str| -> String {
        let bytes = &text.as_bytes()[same.saturating_sub(BEFORE).min(text.len())..];
        String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned()
    };
    format!("  Moonshard: ...{}\n  Redis:     ...{}", part(&ours), part(&theirs))
}

#[test]
fn every_command_is_described_as_redis_describes_it() {
    if under_test_is_redis() {
        return;
    }
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    let known = names(&mut ours);
    let redis = names(&mut theirs);
    let mut wrong = Vec::new();
    for name in &known {
        if NEWER.contains(&name.as_str()) {
            continue;
        }
        if !redis.contains(name) {
            wrong.push(format!("{name}: Redis 7.0 does not have it"));
        }
    }
    let has_subcommands = |name: &String| {
        let prefix = format!("{name}|");
        redis.iter().any(|other| other.starts_with(&prefix))
    };
    for protocol in ["2", "3"] {
        for client in [&mut ours, &mut theirs] {
            client.command(&["HELLO", protocol]).expect("HELLO");
        }
        for name in known.iter().filter(|name| redis.contains(name) && !EXTENDED.contains(&name.as_str())) {
            // RESP2 does not tell pairs from lists, so containers, whose subcommands have no order, are compared
            // by their parts there.
            if protocol == "2" && has_subcommands(name) {
                continue;
            }
            for kind in ["INFO", "DOCS"] {
                let ask = |client: &mut Client| client.command(&["COMMAND", kind, name]).expect("a reply");
                let (a, b) = (ask(&mut ours), ask(&mut theirs));
                if a.raw != b.raw && comparable(&a.value, &known) != comparable(&b.value, &known) {
                    wrong
                        .push(format!("{name} ({kind}, RESP{protocol})\n{}", difference(&a.value, &b.value)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_newer_commands_are_there_and_documented() {
    if under_test_is_redis() {
        return;
    }
    let server = Server::moonshard(4, &[]);
    let mut client = server.connect();
    let known = names(&mut client);
    for name in NEWER {
        assert!(known.iter().any(|known| known == name), "{name}");
        let docs = client.command(&["COMMAND", "DOCS", name]).expect("a reply");
        assert!(docs.text().contains("summary"), "{name}: {}", docs.value);
    }
}

#[test]
fn lists_counts_and_whole_replies_agree() {
    let server = Server::moonshard(4, &[]);
    let mut client = server.connect();
    let listed = names(&mut client);
    let commands = listed.iter().filter(|name| !name.contains('|')).count();
    assert_eq!(client.ask("COMMAND COUNT").value, Value::Int(commands as i64));
    assert_eq!(client.ask("COMMAND").value.items().map(<[Value]>::len), Some(commands));
    assert_eq!(client.ask("COMMAND INFO").value.items().map(<[Value]>::len), Some(commands));
    assert_eq!(client.ask("COMMAND DOCS").value.items().map(<[Value]>::len), Some(commands * 2));
}

/// Calls whose keys are asked for; those of commands that are not there yet are passed over.
const CALLS: &[&[&str]] = &[
    &["BITFIELD", "a", "GET", "u8", "0"],
    &["BITFIELD", "a", "SET", "u8", "0", "1"],
    &["EVAL", "return 1", "0", "a"],
    &["EVAL", "return 1", "2", "a", "b", "c"],
    &["EVAL_RO", "return 1", "3", "a", "b"],
    &["GEORADIUS", "a", "0", "0", "1", "m", "STORE", "b"],
    &["GET", "a"],
    &["GET", "a", "b"],
    &["LMPOP", "2", "a", "b", "LEFT"],
    &["MIGRATE", "h", "1", "", "0", "10", "AUTH2", "keys", "x", "KEYS", "a", "b"],
    &["MIGRATE", "h", "1", "a", "0", "10"],
    &["MSET", "a", "1", "b", "2"],
    &["OBJECT", "ENCODING", "a"],
    &["PING"],
    &["SET", "a", "b", "GET"],
    &["SET", "a", "get"],
    &["SINTERCARD", "0", "a"],
    &["SORT", "a", "BY", "x_*", "STORE", "b"],
    &["SORT", "a", "GET", "store", "b"],
    &["SORT_RO", "a", "BY", "x_*"],
    &["SPUBLISH", "a", "b"],
    &["XREAD", "COUNT", "1", "STREAMS", "a", "b", "0", "0"],
    &["XREADGROUP", "GROUP", "g", "c", "STREAMS", "a", "b", "0", "0"],
    &["ZUNIONSTORE", "a", "0", "b"],
    &["ZUNIONSTORE", "a", "2", "b", "c"],
];

#[test]
fn keys_of_calls_are_found_as_redis_finds_them() {
    let (ours, theirs) = (Server::moonshard(4, &[]), Server::redis(&[]));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    let known = names(&mut ours);
    let mut wrong = Vec::new();
    for protocol in ["2", "3"] {
        for client in [&mut ours, &mut theirs] {
            client.command(&["HELLO", protocol]).expect("HELLO");
        }
        for call in CALLS.iter().filter(|call| known.contains(&call[0].to_lowercase())) {
            for kind in ["GETKEYS", "GETKEYSANDFLAGS"] {
                let command = [&["COMMAND", kind], *call].concat();
                let ask = |client: &mut Client| client.command(&command).expect("a reply");
                let (a, b) = (ask(&mut ours), ask(&mut theirs));
                if a.raw != b.raw {
                    wrong.push(format!("{command:?}\n  Moonshard: {}\n  Redis:     {}", a.value, b.value));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
