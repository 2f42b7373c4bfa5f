//! Every directive, with good values and bad ones, on both sides.

use std::borrow::Cow;

use super::oracle::Oracle;
use super::{Folder, Pairs, config, set};
use crate::config::directive::{NumberForm, find};
use crate::config::{AllowedFor, ApplyError, Caller, Config, DIRECTIVES, Directive, Kind};

/// Directives that Redis does not know.
const OURS: [&str; 10] = [
    "shards",
    "lua-default-flags",
    "lua-strict-sandbox",
    "script-kill-over-limit",
    "script-max-ms",
    "script-memory-limit",
    "script-cache-max-entries",
    "script-cache-max-bytes",
    "function-load-dir",
    "log-format",
];
/// Those whose value is another one on purpose, or depends on the place.
const OTHER_VALUE: [&str; 4] = ["port", "dir", "io-threads", "bind"];

fn sorted(mut pairs: Pairs) -> Pairs {
    pairs.sort();
    pairs
}

#[test]
fn defaults_are_those_of_redis() {
    let Some(mut redis) = Oracle::start(Folder::new(), &[]) else { return };
    let comparable = |pairs: Pairs| -> Pairs {
        let skip = |name: &str| OURS.contains(&name) || OTHER_VALUE.contains(&name);
        sorted(pairs.into_iter().filter(|(name, _)| !skip(name)).collect())
    };
    let config = config(|_| {});
    assert_eq!(comparable(config.get(&[b"*"])), comparable(redis.get(&[b"*"])));
    for name in names().filter(|name| !OURS.contains(name) && !OTHER_VALUE.contains(name)) {
        // Hidden ones are found by their names.
        assert_eq!(config.get(&[name.as_bytes()]), redis.get(&[name.as_bytes()]));
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    DIRECTIVES.iter().flat_map(|directive| std::iter::once(directive.name).chain(directive.alias))
}

#[test]
fn patterns_and_spelling() {
    let Some(mut redis) = Oracle::start(Folder::new(), &[]) else { return };
    let config = config(|_| {});
    for patterns in [
        &["maxmemory"][..],
        &["MAXMEMORY", "maxmemory", "MaxMemory*"],
        &["maxmemory*", "MAXMEMORY"],
        &["*-priority"],
        &["slave-priority", "replica-priority", "SLAVE-*ority"],
        &["nothing", "like*this"],
        &["use-exit-on-panic"],
        &["use-exit-on-pani?"],
        &["hash-max-[lz]i*", "hash-max-\\*"],
        &["H[A-Z]SH-*"],
        &[""],
        &["\\maxmemory"],
    ] {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        assert_eq!(sorted(config.get(&patterns)), sorted(redis.get(&patterns)), "{patterns:?}");
    }
    let order: Vec<_> =
        config.get(&[b"PORT", b"*hz", b"HZ", b"port"]).into_iter().map(|pair| pair.0).collect();
    assert_eq!(order, ["PORT", "dynamic-hz", "hz"]);
}

/// Both sides must say the same and hold the same afterwards. What only Redis' surroundings refuse (a port that
/// cannot be listened on, too few file descriptors) is refused by our surroundings in the same words.
fn same(redis: &mut Oracle, config: &Config, pairs: &[(&[u8], &[u8])]) -> Result<(), String> {
    let expected = redis.set(pairs);
    let directive = pairs.iter().filter_map(|(name, _)| find(name)).map(|found| found.directive.name).next();
    let apply = |_: &_, _: &_| match surroundings(&expected) {
        Some(reason) => Err(ApplyError { directive: directive.unwrap_or_default(), reason }),
        None => Ok(()),
    };
    let answer = match config.set(pairs, Caller::default(), &apply) {
        Ok(()) => b"OK".to_vec(),
        Err(error) => error.text(),
    };
    let show = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let shown: Vec<_> = pairs.iter().map(|(name, value)| (show(name), show(value))).collect();
    let differ = |what: &str, ours: &str, theirs: &str| {
        if ours == theirs {
            Ok(())
        } else {
            Err(format!("{what} CONFIG SET {shown:?}: {ours}, Redis: {theirs}\n"))
        }
    };
    differ("reply to", &show(&answer), &show(&expected))?;
    for (name, _) in pairs.iter().filter(|(name, _)| find(name).is_some()) {
        let show = |pairs: Pairs| format!("{:?}", pairs.iter().map(|pair| show(&pair.1)).collect::<Vec<_>>());
        differ("value after", &show(config.get(&[name])), &show(redis.get(&[name])))?;
    }
    Ok(())
}

fn surroundings(error: &[u8]) -> Option<Cow<'static, str>> {
    let text = std::str::from_utf8(error).ok()?;
    let reason = text.split_once("') - ")?.1;
    let known = [
        "Failed to set current oom_score_adj",
        "Failed to bind",
        "Unable to listen",
        "Unable to update TLS",
        "The operating system is not able",
        "The event loop API",
    ];
    known.iter().any(|known| reason.starts_with(known)).then(|| reason.to_owned().into())
}

/// Values to try, with the bounds and what lies just beyond them.
fn candidates(directive: &Directive) -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = [
        "",
        "foo",
        "-1",
        "0",
        "1",
        "7",
        "64",
        "yes",
        "No",
        "YES",
        " 1",
        "1 ",
        "01",
        "+1",
        "-0",
        "1.5",
        "1kb",
        "2MB",
        "1g",
        "1 mb",
        "kb",
        "99999999999999999999",
        "-9223372036854775808",
        "9223372036854775807",
        "5%",
        "0%",
        "100%",
        "101%",
        "%",
        "-5%",
        "777",
        "8",
        "a b",
        "1 2",
        "1 2 3",
        "1  2",
        "a/b",
        "a\\b",
        "with \"quotes\"\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    match &directive.kind {
        Kind::Number { form, low, high, .. } => {
            let show = |value: i128| match form {
                NumberForm::Octal => format!("{value:o}"),
                _ => value.to_string(),
            };
            let edges = [*low - 1, *low, *low + 1, (*low + *high) / 2, *high - 1, *high, *high + 1];
            values.extend(edges.map(|value| show(value).into_bytes()));
        }
        Kind::Choice { words, .. } => {
            values.extend(words.iter().map(|word| word.as_bytes().to_vec()));
            values.extend(words.iter().map(|word| word.to_ascii_uppercase().into_bytes()));
            values.push(words.join(" ").into_bytes());
        }
        Kind::Text { .. } => values.push(b"a\0b".to_vec()),
        Kind::Flag { .. } | Kind::Compound { .. } => {}
    }
    values.extend(special(directive.name).iter().map(|text| text.as_bytes().to_vec()));
    values
}

fn special(name: &str) -> &'static [&'static str] {
    match name {
        "save" => &[
            "900 1",
            "900 1 300 10",
            "0 1",
            "1 -1",
            "900",
            "900 ",
            "+900 1",
            "x 1",
            "99999999999999999999 1",
        ],
        "client-output-buffer-limit" => &[
            "pubsub 1mb 2mb 3",
            "slave 1 2 3 replica 4 5 6",
            "normal 0 0 0 pubsub 1k 1kb 0",
            "master 1 2 3",
            "PubSub 1 2 3",
            "pubsub 1 2 -3",
            "pubsub -1 2 3",
            "pubsub 1 2 99999999999",
            "pubsub x 2 3",
            "pubsub 1 2 3 slave x 2 3",
            "pubsub 1 2 3 slave 1",
        ],
        "oom-score-adj-values" => &["1 2 3", "-2000 0 2000", "-2001 0 1", "1 2 x", "1 2 ", "3 2 1"],
        "notify-keyspace-events" => {
            &["KEA", "AKE", "A", "g$lshzxetd", "g$lshzxet", "Kg", "nm", "An", "AnmKE", "KK", "Kq", "K E"]
        }
        "bind" => &["127.0.0.1", "127.0.0.1 -::1", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"],
        "latency-tracking-info-percentiles" => {
            &["50", "0 100", "99.99 99.999999999", "100.1", "-0.1", "nan", "inf", "1e1", "50 x", "1e-9"]
        }
        "shutdown-on-sigint" | "shutdown-on-sigterm" => &[
            "default",
            "save",
            "save now",
            "now SAVE force",
            "nosave save",
            "default now",
            "now now",
            "force x",
        ],
        "proc-title-template" => &[
            "{title}",
            "{port}",
            "{title} {listen-addr}",
            "{server-mode}",
            "{config-file}",
            "{",
            "{{",
            "x{",
            "}",
            " ",
            "{x}",
            "{title}  ",
            "a{title}{port",
            "{title}b",
        ],
        "dir" => &["/", "/nonexistent", ".", "/etc/passwd", "/tmp/../tmp"],
        "cluster-announce-hostname" => &["host-1.example", "under_score", "ä"],
        _ => &[],
    }
}

/// Values that would end the experiment: Redis would drop the client, print stacks, or try for minutes to get so many
/// file descriptors.
fn is_deadly(name: &str, value: &[u8]) -> bool {
    let number = || std::str::from_utf8(value).ok().and_then(|text| text.parse::<i128>().ok());
    match name {
        "maxclients" => number().is_some_and(|value| (100_000..=i128::from(u32::MAX)).contains(&value)),
        "maxmemory-clients" => !value.ends_with(b"%") && !value.starts_with(b"-") && value != b"0",
        "watchdog-period" => number().is_some_and(|value| value > 0),
        _ => false,
    }
}

#[test]
fn values_are_taken_and_refused_as_by_redis() {
    let folder = Folder::new();
    let Some(mut redis) = Oracle::start(folder, &["--enable-protected-configs", "yes", "--save", ""]) else {
        return;
    };
    let (port, dir) = (redis.port, redis.folder.0.clone());
    let config = config(|settings| {
        settings.port = port;
        settings.dir.0 = dir;
        settings.io_threads = 1;
        settings.save.0.clear();
        settings.enable_protected_configs = AllowedFor::Yes;
    });
    let (mut compared, mut differences) = (0, String::new());
    for directive in DIRECTIVES.iter().filter(|directive| !OURS.contains(&directive.name)) {
        for name in std::iter::once(directive.name).chain(directive.alias) {
            let before = redis.get(&[name.as_bytes()]).remove(0).1;
            for value in candidates(directive) {
                if !is_deadly(directive.name, &value) {
                    let outcome = same(&mut redis, &config, &[(name.as_bytes(), &value)]);
                    differences.extend(outcome.err());
                    compared += 1;
                }
            }
            let outcome = same(&mut redis, &config, &[(name.as_bytes(), &before)]);
            differences.extend(outcome.err());
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(compared > 5000, "only {compared} values compared");
}

#[test]
fn several_at_once() {
    let Some(mut redis) = Oracle::start(Folder::new(), &["--save", ""]) else { return };
    let dir = redis.folder.0.clone();
    let config = config(|settings| {
        settings.save.0.clear();
        settings.dir.0 = dir;
    });
    for pairs in [
        &[("hz", "20"), ("maxmemory", "1gb")][..],
        &[("maxmemory", "2gb"), ("hz", "x")],
        &[("maxmemory", "2gb"), ("nothing", "x"), ("hz", "x")],
        &[("databases", "3"), ("nothing", "x")],
        &[("nothing", "x"), ("databases", "3")],
        &[("hz", "1"), ("HZ", "2")],
        &[("Databases", "2")],
        &[("dir", "/"), ("hz", "2")],
        &[("dbfilename", "x")],
        &[("replica-priority", "1"), ("slave-priority", "2")],
        &[("slave-priority", "x"), ("hz", "2")],
        &[("SLAVE-priority", "x")],
        &[("with\r\nbreak", "x")],
        &[("hz", "0")],
        &[("hz", "100000")],
        &[("replicaof", "localhost 1")],
        &[("lua-time-limit", "77")],
        &[("busy-reply-threshold", "78")],
        &[("maxmemory", "1")],
        &[("repl-backlog-size", "1")],
    ] {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        assert_eq!(same(&mut redis, &config, &pairs), Ok(()));
    }
    let everything = |pairs: Pairs| -> Pairs {
        let skip = |name: &str| OURS.contains(&name) || OTHER_VALUE.contains(&name);
        sorted(pairs.into_iter().filter(|(name, _)| !skip(name)).collect())
    };
    assert_eq!(everything(config.get(&[b"*"])), everything(redis.get(&[b"*"])));
    assert_eq!(set(&config, &[]), b"OK");
}
