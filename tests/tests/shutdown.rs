//! How the server ends: what SHUTDOWN and the signals keep, with snapshots and with a log, compared with Redis.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::server::{Kind, Server, temp_dir};
use moonshard_tests::waiting::WITHIN;
use std::path::Path;

fn start(kind: Kind, dir: &Path, more: &[&str]) -> Server {
    let mut args = vec!["--dir", dir.to_str().unwrap()];
    args.extend(more);
    Server::start(kind, &args)
}

/// What an end has left: the exit code, whether there is a snapshot, and whether a key is there after the next start.
fn ended(kind: Kind, settings: &[&str], end: &str) -> (Option<i32>, bool, bool) {
    let dir = temp_dir();
    let mut server = start(kind, &dir, settings);
    let mut client = server.connect();
    client.ask("SET key value");
    match end {
        "SIGTERM" => server.signal(libc::SIGTERM),
        "SIGINT" => server.signal(libc::SIGINT),
        words => client.send(&words.split(' ').collect::<Vec<_>>()).unwrap(),
    }
    let code = server.wait_for_exit(WITHIN);
    let saved = dir.join("dump.rdb").exists();
    let next = start(kind, &dir, settings);
    let kept = next.connect().ask("GET key").raw == b"$5\r\nvalue\r\n";
    drop(next);
    std::fs::remove_dir_all(dir).unwrap();
    (code, saved, kept)
}

#[test]
fn the_end_keeps_what_redis_keeps() {
    const POINTS: &[&str] = &["--save", "3600 1"];
    const NOTHING: &[&str] = &["--save", ""];
    const LOG: &[&str] = &["--save", "", "--appendonly", "yes"];
    const BOTH: &[&str] = &["--save", "3600 1", "--appendonly", "yes"];
    for settings in [POINTS, NOTHING, LOG, BOTH] {
        for end in
            ["SIGTERM", "SIGINT", "SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN SAVE", "SHUTDOWN NOW FORCE NOSAVE"]
        {
            let expected = ended(Kind::Redis, settings, end);
            assert_eq!(ended(Kind::Moonshard, settings, end), expected, "{end} with {settings:?}");
        }
    }
    for (setting, words, end) in [
        ("--shutdown-on-sigterm", "nosave", "SIGTERM"),
        ("--shutdown-on-sigterm", "save now", "SIGTERM"),
        ("--shutdown-on-sigint", "save force", "SIGINT"),
        ("--shutdown-on-sigint", "nosave", "SIGTERM"),
    ] {
        for points in [POINTS, NOTHING] {
            let settings = [points, &[setting, words]].concat();
            let expected = ended(Kind::Redis, &settings, end);
            assert_eq!(ended(Kind::Moonshard, &settings, end), expected, "{end} with {settings:?}");
        }
    }
}

#[test]
fn what_cannot_be_kept_is_in_the_way_of_an_end_that_is_not_forced() {
    for kind in [Kind::Redis, Kind::Moonshard] {
        let dir = temp_dir();
        let mut server = start(kind, &dir, &["--save", "3600 1"]);
        let mut client = server.connect();
        client.ask("SET key value");
        // A folder is in the way of the snapshot.
        std::fs::create_dir(dir.join("dump.rdb")).unwrap();
        let refused = "-ERR Errors trying to SHUTDOWN. Check logs.\r\n";
        for words in ["SHUTDOWN", "SHUTDOWN SAVE", "SHUTDOWN NOW"] {
            assert_eq!(client.ask(words).text(), refused, "{words}, {kind:?}");
        }
        for words in ["SHUTDOWN ABORT", "SHUTDOWN SAVE NOSAVE", "SHUTDOWN ABORT NOW", "SHUTDOWN LATER"] {
            assert!(client.ask(words).error().is_some(), "{words}, {kind:?}");
        }
        server.signal(libc::SIGTERM);
        assert_eq!(client.ask("GET key").raw, b"$5\r\nvalue\r\n");
        assert!(server.is_alive());
        client.send(&["SHUTDOWN", "FORCE"]).unwrap();
        assert_eq!(server.wait_for_exit(WITHIN), Some(0), "{kind:?}");
    }
}
