//! Disks that fail, by `DEBUG DISK-FAULT`: what was on the disk stays whole, and clients are told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::Client;
use moonshard_tests::server::Server;
use std::fs;
use std::path::Path;

const DEBUG: &[&str] = &["--enable-debug-command", "yes"];

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn ok(client: &mut Client, words: &str) {
    assert_eq!(client.ask(words).raw, b"+OK\r\n", "{words}");
}

#[test]
fn a_snapshot_that_fails_leaves_the_one_before() {
    let server = Server::moonshard(4, DEBUG);
    let mut client = server.connect();
    ok(&mut client, "SET key before");
    ok(&mut client, "SAVE");
    let before = fs::read(server.dir().join("dump.rdb")).unwrap();
    ok(&mut client, "SET key after");
    for fault in [
        "create .rdb EACCES",
        "write temp- ENOSPC",
        "write temp- ENOSPC SHORT 10",
        "sync temp- EIO",
        "rename dump.rdb EIO",
    ] {
        ok(&mut client, &format!("DEBUG DISK-FAULT {fault}"));
        assert!(client.ask("SAVE").error().is_some(), "{fault}");
        assert!(client.ask("INFO persistence").text().contains("rdb_last_bgsave_status:err"), "{fault}");
        assert_eq!(fs::read(server.dir().join("dump.rdb")).unwrap(), before, "{fault}");
        assert_eq!(names(server.dir()), ["dump.rdb", "log"], "{fault}");
        ok(&mut client, "DEBUG DISK-FAULT CLEAR");
    }
    ok(&mut client, "SAVE");
    assert!(client.ask("INFO persistence").text().contains("rdb_last_bgsave_status:ok"));
    assert_ne!(fs::read(server.dir().join("dump.rdb")).unwrap(), before);
    // The new file is in place, but nobody can promise that it stays there.
    let fault = client.command(&["DEBUG", "DISK-FAULT", "sync-dir", "", "EIO", "TIMES", "1"]).unwrap();
    assert_eq!(fault.raw, b"+OK\r\n");
    assert!(client.ask("SAVE").error().is_some());
    ok(&mut client, "SAVE");
}

#[test]
fn faults_count_and_wait() {
    let server = Server::moonshard(1, DEBUG);
    let mut client = server.connect();
    ok(&mut client, "DEBUG DISK-FAULT create temp- EIO AFTER 1 TIMES 2");
    ok(&mut client, "DEBUG DISK-FAULT sync temp- NONE DELAY 1");
    let outcomes: Vec<bool> = (0..5).map(|_| client.ask("SAVE").error().is_none()).collect();
    assert_eq!(outcomes, [true, false, false, true, true]);
}

#[test]
fn who_may_set_faults_and_how() {
    let server = Server::moonshard(1, DEBUG);
    let mut client = server.connect();
    for (words, error) in [
        ("DEBUG DISK-FAULT explode x EIO", "ERR Unknown operation on files"),
        ("DEBUG DISK-FAULT write x EWHAT", "ERR Unknown error of the system"),
        ("DEBUG DISK-FAULT write x", "ERR syntax error"),
        ("DEBUG DISK-FAULT write x EIO AFTER", "ERR syntax error"),
        ("DEBUG DISK-FAULT write x EIO SOON 1", "ERR syntax error"),
        ("DEBUG DISK-FAULT write x EIO AFTER -1", "ERR value is out of range, must be positive"),
        ("DEBUG DISK-FAULT write x EIO AFTER x", "ERR value is not an integer or out of range"),
    ] {
        let answer = client.ask(words).error().unwrap_or_default().to_owned();
        assert!(answer.starts_with(error), "{words}: {answer}");
    }
    let closed = Server::moonshard(1, &[]);
    let error = closed.connect().ask("DEBUG DISK-FAULT write x EIO").error().unwrap_or_default().to_owned();
    assert!(error.starts_with("ERR DEBUG command not allowed"), "{error}");
}
