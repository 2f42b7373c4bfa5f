//! A disk that fails at every step of writing: writes are refused, reads go on, what was answered before is there after a
//! crash, and once the disk works again so does the server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::resp::Client;
use moonshard_tests::server::Server;
use moonshard_tests::waiting::WITHIN;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a connection that writes without end was told.
#[derive(Default)]
struct Told {
    /// The number of the last write that was answered with OK: all of them up to there were.
    written: AtomicU64,
    refused: AtomicU64,
    stop: AtomicBool,
}

impl Told {
    /// Writes one number after the other, each until it is taken.
    ///
    /// # Panics
    /// When a write is refused with another reason than a disk that fails.
    fn write(&self, client: &mut Client) {
        let mut number = 0_u64;
        while !self.stop.load(Ordering::Relaxed) {
            let words = ["set".to_owned(), format!("key:{number}"), number.to_string()];
            match client.command(&words) {
                Ok(reply) if reply.raw == b"+OK\r\n" => {
                    number += 1;
                    self.written.store(number, Ordering::SeqCst);
                }
                Ok(reply) => {
                    let error = reply.error().unwrap();
                    assert!(error.starts_with("MISCONF"), "{error}");
                    self.refused.fetch_add(1, Ordering::SeqCst);
                    std::thread::yield_now();
                }
                Err(_) => return,
            }
        }
    }

    fn until_written(&self, more: u64) {
        let (from, deadline) = (self.written.load(Ordering::SeqCst), Instant::now() + WITHIN);
        while self.written.load(Ordering::SeqCst) < from + more {
            assert!(Instant::now() < deadline, "not one write more than {from}");
            std::thread::yield_now();
        }
    }
}

/// A failure, and what makes the server run into it.
struct Case {
    rule: &'static str,
    /// What an administrator asks for meanwhile.
    asked: &'static [&'static str],
}

const fn case(rule: &'static str, asked: &'static [&'static str]) -> Case {
    Case { rule, asked }
}

const REWRITE: &[&str] = &["BGREWRITEAOF"];
const SAVE: &[&str] = &["BGSAVE"];
/// Off, so that nothing is promised meanwhile, and on again.
const AGAIN: &[&str] = &["CONFIG SET appendonly no", "CONFIG SET appendonly yes"];

const CASES: &[Case] = &[
    case("write incr ENOSPC SHORT 3", &[]),
    case("write incr ENOSPC SHORT 70 AFTER 2", &[]),
    case("write incr EIO", &[]),
    case("sync incr EIO TIMES 1", &[]),
    case("sync incr EIO", &[]),
    case("create incr EACCES", REWRITE),
    case("create temp ENOSPC", REWRITE),
    case("create base ENOSPC", REWRITE),
    case("write temp ENOSPC SHORT 10", REWRITE),
    case("write base ENOSPC SHORT 10", REWRITE),
    case("sync temp EIO", REWRITE),
    case("sync base EIO", REWRITE),
    case("rename temp EIO", REWRITE),
    case("rename base EIO", REWRITE),
    case("create manifest ENOSPC", REWRITE),
    case("write manifest ENOSPC SHORT 7", REWRITE),
    case("write manifest ENOSPC AFTER 1", REWRITE),
    case("sync manifest EIO", REWRITE),
    case("rename manifest EIO", REWRITE),
    case("rename manifest EIO AFTER 1", REWRITE),
    case("sync-dir appendonlydir EIO", REWRITE),
    case("sync-dir appendonlydir EIO AFTER 1", REWRITE),
    case("sync-dir appendonlydir EIO AFTER 2", REWRITE),
    case("remove appendonly EIO", REWRITE),
    case("write incr EIO AFTER 3", REWRITE),
    case("sync incr EIO AFTER 3", REWRITE),
    case("create temp ENOSPC", SAVE),
    case("write temp ENOSPC SHORT 10", SAVE),
    case("sync temp EIO", SAVE),
    case("rename dump EIO", SAVE),
    case("create-dir appendonlydir EACCES", AGAIN),
    case("create incr ENOSPC", AGAIN),
    case("rename manifest ENOSPC", AGAIN),
    case("write temp ENOSPC", AGAIN),
];

/// Under `always`: whatever fails, nothing that was answered is lost, with the disk repaired before the crash or not.
fn nothing_is_lost(case: &Case, repaired: bool) {
    let what = format!("{} with {:?}, repaired: {repaired}", case.rule, case.asked);
    let args =
        ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--enable-debug-command", "yes"];
    let mut server = Server::moonshard(4, &args);
    let (mut writer, mut admin) = (server.connect(), server.connect());
    let told = Told::default();
    std::thread::scope(|scope| {
        scope.spawn(|| told.write(&mut writer));
        told.until_written(20);
        // Nobody is told OK while the log is off, so that what was answered is always what must be kept.
        let paused = case.asked.iter().any(|words| words.contains("appendonly"));
        if paused {
            admin.ask("CLIENT PAUSE 100000 WRITE");
        }
        assert_eq!(admin.ask(&format!("DEBUG DISK-FAULT {}", case.rule)).raw, b"+OK\r\n", "{what}");
        for words in case.asked {
            admin.ask(words);
        }
        // As long as it takes until the failure was met: some writes later, or when they are refused.
        let (from, deadline) =
            (told.written.load(Ordering::SeqCst), Instant::now() + Duration::from_millis(300));
        while Instant::now() < deadline && told.written.load(Ordering::SeqCst) < from + 50 {
            assert_eq!(admin.ask("GET key:3").raw, b"$1\r\n3\r\n", "{what}");
        }
        if repaired || paused {
            admin.ask("DEBUG DISK-FAULT CLEAR");
        }
        if paused {
            let deadline = Instant::now() + WITHIN;
            while admin.ask("CONFIG SET appendonly yes").error().is_some()
                || admin.ask("WAITAOF 1 0 1000").raw != b"*2\r\n:1\r\n:0\r\n"
            {
                assert!(Instant::now() < deadline, "{what}: the log cannot be turned on: {}", server.log());
            }
            admin.ask("CLIENT UNPAUSE");
        }
        if repaired {
            told.until_written(20);
        }
        server.kill();
        told.stop.store(true, Ordering::SeqCst);
    });
    let written = told.written.load(Ordering::SeqCst);
    server.start_again().unwrap_or_else(|why| panic!("{what}: {why}"));
    let mut client = server.connect();
    for number in 0..written {
        let reply = client.ask(&format!("GET key:{number}"));
        assert_eq!(
            reply.text(),
            format!("${}\r\n{number}\r\n", number.to_string().len()),
            "{what}, of {written}"
        );
    }
    let later = client.ask(&format!("EXISTS key:{}", written + 1));
    assert_eq!(later.raw, b":0\r\n", "{what}: a write is there that was never sent");
    let manifest = server.dir().join("appendonlydir/appendonly.aof.manifest");
    let checked = Command::new("redis-check-aof").arg(&manifest).output().unwrap();
    assert!(checked.status.success(), "{what}: {}", String::from_utf8_lossy(&checked.stdout));
}

#[test]
fn nothing_answered_is_lost_whatever_fails() {
    for case in CASES {
        nothing_is_lost(case, false);
    }
}

#[test]
fn the_server_goes_on_once_the_disk_does() {
    for case in CASES {
        nothing_is_lost(case, true);
    }
}

/// A file that may not become larger, as the system has it: no fault is made up here.
#[test]
fn a_real_limit_of_a_files_size() {
    let args = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
    let mut server = Server::moonshard(4, &args);
    let mut client = server.connect();
    client.ask("SET first 1");
    let limit = |bytes: u64| {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the limit is passed by a pointer that is valid during the call; no old one is asked for.
        let outcome = unsafe {
            libc::prlimit(
                server.pid() as libc::pid_t,
                libc::RLIMIT_FSIZE,
                &raw const limit,
                std::ptr::null_mut(),
            )
        };
        assert_eq!(outcome, 0);
    };
    limit(20_000);
    let value = "x".repeat(900);
    let (mut taken, mut held, mut other) = (0, server.connect(), server.connect());
    held.set_timeout(Duration::from_millis(20));
    let mut is_felt = || other.ask("INFO persistence").text().contains("aof_last_write_status:err");
    'limit: loop {
        held.send(&["set", &format!("key:{taken}"), &value]).unwrap();
        let reply = loop {
            match held.read() {
                Ok(reply) => break reply,
                Err(_) if is_felt() => break 'limit,
                Err(_) => {}
            }
        };
        assert_eq!(reply.raw, b"+OK\r\n");
        taken += 1;
        assert!(taken < 100, "the limit is not felt");
    }
    let error = other.ask("SET other 1").error().expect("a write is taken that cannot be kept");
    assert_eq!(error, "MISCONF Errors writing to the AOF file: File too large");
    assert_eq!(other.ask("GET first").raw, b"$1\r\n1\r\n");
    limit(libc::RLIM_INFINITY);
    let deadline = Instant::now() + WITHIN;
    while other.ask("SET other 1").error().is_some() {
        assert!(Instant::now() < deadline, "writes are refused for ever");
        std::thread::sleep(Duration::from_millis(10));
    }
    server.kill();
    server.start_again().unwrap();
    let mut client = server.connect();
    for number in 0..taken {
        assert_eq!(client.ask(&format!("STRLEN key:{number}")).raw, b":900\r\n", "{number} of {taken}");
    }
    assert_eq!(client.ask("GET other").raw, b"$1\r\n1\r\n");
}
