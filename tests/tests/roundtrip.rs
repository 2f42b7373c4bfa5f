//! Everything that can be stored, through the files of both servers: what the one writes the other reads, and nothing of
//! it is changed.
//!
//! `MOONSHARD_SEED` repeats a run, `MOONSHARD_VALUES` sets how many values there are (400 without it).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::content::{Content, EXACT, Same};
use moonshard_tests::oracle::show_command;
use moonshard_tests::random::{self, Rng};
use moonshard_tests::resp::Client;
use moonshard_tests::server::{Kind, Server, temp_dir};
use moonshard_tests::values::{self, Command, DATABASES};
use moonshard_tests::waiting::WITHIN;
use std::path::Path;
use std::process;
use std::time::{Duration, Instant};

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

/// What must be the same after a log was read: how a value came about decides its encoding, and logs do not say when a
/// consumer was last seen.
const LOGGED: Same = Same { encodings: false, deadlines_ms: 0, deliveries: false, seen: false };

/// What must be read from the log of a server, which is ended by this: what it had, or, as the log of Redis forgets how
/// far a group has read, what Redis itself reads.
fn ended(mut server: Server) -> Content {
    if server.is_redis() {
        server.start_again().unwrap();
    }
    let content = logged(&server);
    server.signal(libc::SIGTERM);
    assert_eq!(server.wait_for_exit(WITHIN), Some(0));
    content
}

fn logged(server: &Server) -> Content {
    Content::read(&mut server.connect(), DATABASES, LOGGED)
}

/// Which files a log consists of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Files {
    /// An increment alone, but for an empty base.
    Increment,
    /// A base of snapshot form alone.
    Base,
    /// A base of commands alone.
    BaseOfCommands,
    /// A base, and an increment with half of the commands.
    Both,
}

fn rewrite(client: &mut Client) {
    assert!(client.ask("BGREWRITEAOF").error().is_none());
    until(client, "aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0");
}

fn until(client: &mut Client, text: &str) {
    let deadline = Instant::now() + WITHIN;
    while !client.ask("INFO persistence").text().contains(text) {
        assert!(Instant::now() < deadline, "never {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn log_options(files: Files) -> [&'static str; 6] {
    let preamble = if files == Files::BaseOfCommands { "no" } else { "yes" };
    ["--appendonly", "yes", "--appendfsync", "everysec", "--aof-use-rdb-preamble", preamble]
}

/// A log that the first server writes, the second reads and goes on with, and the first reads again.
fn logs(first: Kind, second: Kind, files: Files) {
    let mut rng = Rng::new(random::seed());
    let (dir, options) = (temp_dir(), log_options(files));
    let server = start(first, &dir, &options);
    let mut client = server.connect();
    let commands = values::keyspace(&mut rng, "", random::env_or("MOONSHARD_VALUES", 400) / 2);
    run(&mut client, &commands);
    if files != Files::Increment {
        rewrite(&mut client);
    }
    if files == Files::Both {
        client.ask("FLUSHDB");
        run(&mut client, &values::keyspace(&mut rng, "more:", 100));
    }
    let expected = ended(server);
    let manifest = dir.join("appendonlydir/appendonly.aof.manifest");
    let checked = process::Command::new("redis-check-aof").arg(&manifest).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let what = format!("{files:?}, {first:?} to {second:?}");
    let server = start(second, &dir, &options);
    same_log(&expected, &logged(&server), &what);
    run(&mut server.connect(), &values::keyspace(&mut rng, "later:", 40));
    let expected = ended(server);
    same_log(&expected, &logged(&start(first, &dir, &options)), &format!("{what} and back"));
    std::fs::remove_dir_all(&dir).unwrap();
}

fn same_log(mine: &Content, other: &Content, what: &str) {
    let differences = mine.differences(other, LOGGED);
    assert!(mine.len() > 50 && differences.is_empty(), "{what}:\n{}", differences.join("\n"));
}

#[test]
fn logs_from_redis_and_back() {
    for files in [Files::Increment, Files::Base, Files::BaseOfCommands, Files::Both] {
        logs(Kind::Redis, Kind::Moonshard, files);
    }
}

#[test]
fn logs_from_moonshard_and_back() {
    for files in [Files::Increment, Files::Base, Files::BaseOfCommands, Files::Both] {
        logs(Kind::Moonshard, Kind::Redis, files);
    }
}

#[test]
fn logs_from_moonshard_to_moonshard() {
    for files in [Files::Increment, Files::Base, Files::BaseOfCommands, Files::Both] {
        logs(Kind::Moonshard, Kind::Moonshard, files);
    }
}
