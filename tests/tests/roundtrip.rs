//! Everything that can be stored, through the files of both servers: what the one writes the other reads, and nothing of
//! it is changed.
//!
//! `MOONSHARD_SEED` repeats a run, `MOONSHARD_VALUES` sets how many values there are (400 without it).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::content::{Content, EXACT};
use moonshard_tests::oracle::show_command;
use moonshard_tests::random::{self, Rng};
use moonshard_tests::resp::Client;
use moonshard_tests::server::{Kind, Server, temp_dir};
use moonshard_tests::values::{self, Command, DATABASES};
use std::path::Path;

fn run(client: &mut Client, commands: &[Command]) {
    for command in commands {
        let reply = client.command(command).unwrap();
        assert_eq!(reply.error(), None, "{}", show_command(command));
    }
}

fn content(server: &Server) -> Content {
    Content::read(&mut server.connect(), DATABASES, EXACT)
}

fn start(kind: Kind, dir: &Path, more: &[&str]) -> Server {
    let mut args = vec!["--dir", dir.to_str().unwrap(), "--save", ""];
    if kind == Kind::Moonshard {
        args.extend(["--shards", "16"]);
    }
    args.extend_from_slice(more);
    Server::start(kind, &args)
}

fn assert_same(mine: &Content, other: &Content, what: &str) {
    let differences = mine.differences(other, EXACT);
    assert!(mine.len() > 50 && differences.is_empty(), "{what}:\n{}", differences.join("\n"));
}

/// From the one to the other and back, so that both write what both read.
fn snapshots(first: Kind, second: Kind, options: &[&str]) {
    let mut rng = Rng::new(random::seed());
    let dir = temp_dir();
    let server = start(first, &dir, options);
    run(&mut server.connect(), &values::keyspace(&mut rng, "", random::env_or("MOONSHARD_VALUES", 400)));
    server.connect().ask("DEBUG RELOAD");
    let expected = content(&server);
    assert_eq!(server.connect().ask("SAVE").raw, b"+OK\r\n");
    drop(server);
    let server = start(second, &dir, options);
    assert_same(&expected, &content(&server), &format!("{first:?} to {second:?}"));
    assert_eq!(server.connect().ask("SAVE").raw, b"+OK\r\n");
    drop(server);
    let server = start(first, &dir, options);
    assert_same(&expected, &content(&server), &format!("{first:?} to {second:?} and back"));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn snapshots_from_redis_and_back() {
    snapshots(Kind::Redis, Kind::Moonshard, &["--enable-debug-command", "yes"]);
}

#[test]
fn snapshots_from_moonshard_and_back() {
    snapshots(Kind::Moonshard, Kind::Redis, &["--enable-debug-command", "yes"]);
}

#[test]
fn snapshots_without_compression_and_checksums() {
    let options = ["--rdbcompression", "no", "--rdbchecksum", "no", "--enable-debug-command", "yes"];
    snapshots(Kind::Redis, Kind::Moonshard, &options);
    snapshots(Kind::Moonshard, Kind::Redis, &options);
}
