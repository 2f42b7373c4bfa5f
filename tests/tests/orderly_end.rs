//! A server that is told to end while clients write: whatever it has answered is there when it starts again.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::server::Server;
use moonshard_tests::waiting::WITHIN;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const WRITERS: usize = 4;
const PIPELINE: u64 = 50;

/// Writes counters that only grow, several requests at a time, until the connection breaks; the last one answered.
fn write(server: &Server, writer: usize, answered: &AtomicU64) -> std::io::Result<()> {
    let mut client = server.connect();
    let mut number = 0;
    loop {
        let mut bytes = Vec::new();
        for next in number + 1..=number + PIPELINE {
            let words = ["set".to_owned(), format!("{writer}:{}", next % 7), next.to_string()];
            bytes.extend(moonshard_tests::resp::encode(&words));
        }
        client.send_raw(&bytes)?;
        for _ in 0..PIPELINE {
            if client.read()?.raw == b"+OK\r\n" {
                number += 1;
                answered.store(number, Ordering::SeqCst);
            }
        }
    }
}

fn nothing_is_lost(options: &[&str], end: &str) {
    let mut server = Server::moonshard(16, &[&["--save", ""], options].concat());
    for round in 1..=4 {
        let answered: Vec<AtomicU64> = (0..WRITERS).map(|_| AtomicU64::new(0)).collect();
        let mut admin = server.connect();
        admin.ask("FLUSHALL");
        std::thread::scope(|scope| {
            for (writer, answered) in answered.iter().enumerate() {
                let server = &server;
                scope.spawn(move || write(server, writer, answered));
            }
            let deadline = Instant::now() + WITHIN;
            while answered.iter().any(|answered| answered.load(Ordering::SeqCst) < 1_000) {
                assert!(Instant::now() < deadline, "nothing is written");
                std::thread::yield_now();
            }
            if end == "SIGTERM" {
                server.signal(libc::SIGTERM);
            } else {
                admin.send(&end.split(' ').collect::<Vec<_>>()).unwrap();
            }
        });
        assert_eq!(server.wait_for_exit(WITHIN), Some(0), "{end}");
        server.start_again().unwrap();
        let mut client = server.connect();
        for (writer, answered) in answered.iter().enumerate() {
            let found = (0..7).map(|at| client.ask(&format!("GET {writer}:{at}"))).map(|reply| {
                String::from_utf8_lossy(reply.value.bytes().unwrap_or(b"0")).parse::<u64>().unwrap()
            });
            let (found, answered) = (found.max().unwrap(), answered.load(Ordering::SeqCst));
            assert!(
                found >= answered,
                "{options:?}, {end}, round {round}: {answered} was answered, {found} is there"
            );
        }
    }
}

#[test]
fn what_was_answered_is_in_the_log() {
    for end in ["SIGTERM", "SHUTDOWN", "SHUTDOWN NOSAVE"] {
        nothing_is_lost(&["--appendonly", "yes", "--appendfsync", "everysec"], end);
    }
}

#[test]
fn without_sync_too() {
    nothing_is_lost(&["--appendonly", "yes", "--appendfsync", "no"], "SIGTERM");
}

/// A script that has written comes to its end first, so that none of it or all of it is kept; one that has not is ended.
#[test]
fn scripts_are_kept_whole() {
    const LONG: &str = "redis.call('set', KEYS[1], 'half')
for i = 1, 1e9 do local x = i % 7 end
return redis.call('set', KEYS[1], 'whole')";
    for options in [&["--appendonly", "yes", "--save", ""][..], &["--save", "3600 1"]] {
        let mut server = Server::moonshard(4, options);
        let (mut writes, mut reads) = (server.connect(), server.connect());
        writes.send(&["eval", LONG, "1", "{a}"]).unwrap();
        reads.send(&["eval", "redis.call('get', KEYS[1]) while true do end", "1", "{b}"]).unwrap();
        let mut admin = server.connect();
        let deadline = Instant::now() + WITHIN;
        while admin.ask("INFO shards").text().matches("script=running").count() < 2 {
            assert!(Instant::now() < deadline, "{}", admin.ask("INFO shards").text());
        }
        server.signal(libc::SIGTERM);
        assert_eq!(server.wait_for_exit(WITHIN), Some(0), "{options:?}");
        server.start_again().unwrap();
        let kept = server.connect().ask("GET {a}").text();
        assert!(kept == "$5\r\nwhole\r\n" || kept == "$-1\r\n", "{options:?}: {kept}");
    }
}
