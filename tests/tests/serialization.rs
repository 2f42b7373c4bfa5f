//! Values that go from one server to the other as payloads of DUMP, and payloads that somebody has changed.
//!
//! `MOONSHARD_SEED` repeats a run, `MOONSHARD_PAYLOADS` sets the number of changed payloads (3,000 without it; the test
//! runs as long as one likes).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_rdb::Checksum;
use moonshard_tests::random::{self, Rng};
use moonshard_tests::resp::{Client, Reply, Value};
use moonshard_tests::server::Server;
use moonshard_tests::values::{Command, value};

fn run(client: &mut Client, commands: &[Command]) {
    for command in commands {
        let reply = client.command(command).unwrap();
        assert_eq!(reply.error(), None, "{}", moonshard_tests::oracle::show_command(command));
    }
}

fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    match client.ask(&format!("DUMP {key}")).value {
        Value::Bulk(payload) => payload,
        other => panic!("no payload: {other}"),
    }
}

/// The payload of what `commands` make. Their side effects on the encoding (a hash that once held a long value stays a
/// table) are over with it, as the value is read back before.
fn made(client: &mut Client, key: &str, commands: &[Command]) -> Vec<u8> {
    run(client, commands);
    let payload = dump(client, key);
    assert_eq!(restore(client, key, &payload).text(), "+OK\r\n", "{key}: {}", payload.escape_ascii());
    dump(client, key)
}

fn restore(client: &mut Client, key: &str, payload: &[u8]) -> Reply {
    client.command(&[b"restore".as_slice(), key.as_bytes(), b"0", payload, b"replace"]).unwrap()
}

/// What must be the same on both sides: type, encoding and content.
fn shown(client: &mut Client, key: &str) -> Vec<String> {
    ["TYPE", "OBJECT ENCODING", "DEBUG DIGEST-VALUE"]
        .map(|name| client.ask(&format!("{name} {key}")).text())
        .into()
}

/// XINFO STREAM without what is not of the content.
fn shown_stream(client: &mut Client, key: &str) -> String {
    let text = client.ask(&format!("XINFO STREAM {key} FULL COUNT 0")).value.to_string();
    let without = |text: String, name: &str| {
        let mut parts = text.split(name);
        let mut left = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            left.push_str(part.split_once(['"', ']']).map_or("", |(_, rest)| rest));
        }
        left
    };
    without(without(text, "\"radix-tree-nodes\""), "\"radix-tree-keys\"")
}

const ARGS: &[&str] = &["--enable-debug-command", "yes"];
const VALUES: usize = 250;

/// From Redis to Moonshard, and from there, under another name, back.
#[test]
fn from_redis_and_back() {
    let mut rng = Rng::new(random::seed());
    let (ours, theirs) = (Server::moonshard(4, ARGS), Server::redis(ARGS));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    for at in 0..VALUES {
        let compression = if rng.one_in(3) { "no" } else { "yes" };
        theirs.ask(&format!("CONFIG SET rdbcompression {compression}"));
        ours.ask(&format!("CONFIG SET rdbcompression {compression}"));
        let (key, back) = (format!("k{at}"), format!("back{at}"));
        let commands = value(&mut rng, key.as_bytes());
        let payload = made(&mut theirs, &key, &commands);
        assert_eq!(restore(&mut ours, &key, &payload).text(), "+OK\r\n", "{key}: {}", payload.escape_ascii());
        let expected = shown(&mut theirs, &key);
        assert_eq!(shown(&mut ours, &key), expected, "{key}: {}", payload.escape_ascii());
        let payload = dump(&mut ours, &key);
        assert_eq!(
            restore(&mut theirs, &back, &payload).text(),
            "+OK\r\n",
            "{back}: {}",
            payload.escape_ascii()
        );
        assert_eq!(shown(&mut theirs, &back), expected, "{back}: {}", payload.escape_ascii());
        if expected[0] == "+stream\r\n" {
            assert_eq!(shown_stream(&mut theirs, &back), shown_stream(&mut theirs, &key));
            assert_eq!(shown_stream(&mut ours, &key), shown_stream(&mut theirs, &key));
        }
    }
}

/// What Moonshard's own commands made is taken by Redis, and comes back as it was.
#[test]
fn from_moonshard_and_back() {
    let mut rng = Rng::new(random::seed());
    let (ours, theirs) = (Server::moonshard(4, ARGS), Server::redis(ARGS));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    for at in 0..VALUES {
        let (key, back) = (format!("k{at}"), format!("back{at}"));
        let payload = made(&mut ours, &key, &value(&mut rng, key.as_bytes()));
        assert_eq!(
            restore(&mut theirs, &key, &payload).text(),
            "+OK\r\n",
            "{key}: {}",
            payload.escape_ascii()
        );
        let expected = shown(&mut ours, &key);
        assert_eq!(shown(&mut theirs, &key), expected, "{key}: {}", payload.escape_ascii());
        let payload = dump(&mut theirs, &key);
        assert_eq!(
            restore(&mut ours, &back, &payload).text(),
            "+OK\r\n",
            "{back}: {}",
            payload.escape_ascii()
        );
        assert_eq!(shown(&mut ours, &back), expected, "{back}: {}", payload.escape_ascii());
    }
}

/// The last type of values that Redis 7.0 knows.
const TYPE_MAX: u8 = 19;

/// What of a changed payload Moonshard takes, Redis takes as the same value when it looks at it as closely.
#[test]
fn changed_payloads_are_refused_or_mean_the_same_to_both() {
    let mut rng = Rng::new(random::seed());
    let args: Vec<&str> = ARGS.iter().copied().chain(["--sanitize-dump-payload", "yes"]).collect();
    let (ours, theirs) = (Server::moonshard(4, ARGS), Server::redis(&args));
    let (mut ours, mut theirs) = (ours.connect(), theirs.connect());
    theirs.ask("CONFIG SET rdbcompression no");
    let (mut taken, mut payload) = (0, Vec::new());
    for at in 0..random::env_or("MOONSHARD_PAYLOADS", 3000) {
        if at % 20 == 0 {
            theirs.ask("DEL k");
            run(&mut theirs, &value(&mut rng, b"k"));
            payload = dump(&mut theirs, "k");
        }
        let changed = changed(&mut rng, &payload);
        let ok = restore(&mut ours, "k", &changed).error();
        let Some(error) = ok else {
            taken += 1;
            if changed[0] > TYPE_MAX {
                continue;
            }
            let shown_payload = changed.escape_ascii();
            assert_eq!(restore(&mut theirs, "k2", &changed).text(), "+OK\r\n", "{shown_payload}");
            assert_eq!(shown(&mut ours, "k"), shown(&mut theirs, "k2"), "{shown_payload}");
            continue;
        };
        assert_eq!(error, "ERR Bad data format", "{}", changed.escape_ascii());
    }
    println!("{taken} were taken");
}

/// A payload with some bytes changed, whose checksum is right.
fn changed(rng: &mut Rng, payload: &[u8]) -> Vec<u8> {
    let mut changed = payload[..payload.len() - 10].to_vec();
    for _ in 0..1 + rng.below(3) {
        let at = if rng.one_in(2) { rng.below(changed.len().min(30)) } else { rng.below(changed.len()) };
        match rng.below(4) {
            0 => changed[at] = rng.bits() as u8,
            1 => changed[at] = changed[at].wrapping_add(*rng.pick(&[1, 255])),
            2 => changed[at] ^= 1 << rng.below(8),
            _ => changed.truncate(at.max(1)),
        }
    }
    changed.extend_from_slice(&10u16.to_le_bytes());
    changed.extend_from_slice(&Checksum::of(&changed).to_le_bytes());
    changed
}
