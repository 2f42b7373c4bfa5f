//! Files of a log and of snapshots as redis-server writes them, and what becomes of them when somebody changes them:
//! an error, never a crash, a wait without end or memory without bound.

mod bounded;
mod changes;
mod rounds;

pub use bounded::{Outcome, run};
pub use changes::{change, changed_text};
pub use rounds::Rounds;

use crate::random::Rng;
use crate::resp::Client;
use crate::server::{Server, moonshard_binary, temp_dir};
use crate::values;
use crate::waiting::WITHIN;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Memory that either may take over a small file.
const MEMORY_MAX: u64 = 400 << 20;

/// Files that redis-server wrote, in a directory of their own, which is removed on drop.
pub struct Sample {
    dir: PathBuf,
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Sample {
    /// Has redis-server write a log with a base, transactions and timestamps, a log whose base is of commands, and
    /// snapshots with and without a checksum.
    ///
    /// # Panics
    /// When redis-server does not do as it should.
    pub fn make(rng: &mut Rng, values: usize) -> Sample {
        let dir = temp_dir();
        for (name, preamble) in [("log", "yes"), ("plain", "no")] {
            // With `everysec` Redis may have answered what it has not written yet.
            let mut args = vec!["--appendonly", "yes", "--appendfsync", "no"];
            args.extend(["--aof-use-rdb-preamble", preamble, "--aof-timestamp-enabled", "yes"]);
            let server = Server::redis(&args);
            let mut client = server.connect();
            let mut fill = |rng: &mut Rng, prefix: &str| {
                for at in 0..values {
                    let key = format!("{prefix}{at}");
                    values::value(rng, key.as_bytes()).iter().for_each(|command| ok(&mut client, command));
                    if rng.one_in(3) {
                        ok(&mut client, &["EXPIRE", &key, "1000000"]);
                    }
                }
                let library = "#!lua name=kept\nredis.register_function('kept', function(keys, args) return args[1] end)";
                ok(&mut client, &["FUNCTION", "LOAD", "REPLACE", library]);
                for words in
                    ["MULTI", "SET a 1", "INCR a", "LPUSH b x y", "EXEC", "SELECT 3", "SET c d", "SELECT 0"]
                {
                    ok(&mut client, &words.split(' ').collect::<Vec<_>>());
                }
            };
            fill(rng, "before");
            server.connect().ask("BGREWRITEAOF");
            until(&server, "aof_rewrite_in_progress:0");
            fill(rng, "after");
            if preamble == "yes" {
                assert_eq!(server.connect().ask("SAVE").raw, b"+OK\r\n");
                fs::copy(server.dir().join("dump.rdb"), dir.join("summed.rdb")).unwrap();
                bare_snapshot(&dir.join("summed.rdb"), &dir.join("bare.rdb"));
            }
            copy_dir(&server.dir().join("appendonlydir"), &dir.join(name));
        }
        Sample { dir }
    }

    /// The directory. In it are the folders `log` and `plain` of logs, and the snapshots `summed.rdb` and `bare.rdb`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder's file whose name ends so.
    ///
    /// # Panics
    /// When there is none, or several.
    pub fn file(&self, folder: &str, ending: &str) -> PathBuf {
        let names = fs::read_dir(self.dir.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let found: Vec<PathBuf> = names.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
        assert_eq!(found.len(), 1, "{folder}/*{ending}: {found:?}");
        found[0].clone()
    }
}

fn ok<A: AsRef<[u8]>>(client: &mut Client, command: &[A]) {
    let reply = client.command(command).unwrap();
    assert_eq!(reply.error(), None, "{}", crate::oracle::show_command(command));
}

/// Lets redis-server load a snapshot and write it without a checksum.
fn bare_snapshot(from: &Path, to: &Path) {
    let server = Server::redis(&["--rdbchecksum", "no", "--enable-debug-command", "yes"]);
    fs::copy(from, server.dir().join("dump.rdb")).unwrap();
    let mut client = server.connect();
    assert_eq!(client.ask("DEBUG RELOAD NOSAVE").raw, b"+OK\r\n");
    assert_eq!(client.ask("SAVE").raw, b"+OK\r\n");
    fs::copy(server.dir().join("dump.rdb"), to).unwrap();
}

fn until(server: &Server, field: &str) {
    let mut client = server.connect();
    let deadline = std::time::Instant::now() + WITHIN;
    while !client.ask("INFO persistence").text().contains(field) {
        assert!(std::time::Instant::now() < deadline, "never {field}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Copies a directory of files.
///
/// # Panics
/// When that fails.
pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

/// What `moonshard check` says of a path.
pub fn our_check(args: &[&str], path: &Path) -> Outcome {
    let mut all = vec!["check"];
    all.extend_from_slice(args);
    all.push(path.to_str().unwrap());
    run(&moonshard_binary(), &all, WITHIN)
}

/// What one of Redis' own tools says of a path.
pub fn their_check(tool: &str, path: &Path) -> Outcome {
    run(Path::new(tool), &[path.to_str().unwrap()], WITHIN)
}

/// Whether the process ended by itself, in time, with little memory and without a failure of the program.
///
/// # Errors
/// What it did instead.
pub fn ended_well(outcome: &Outcome) -> Result<(), String> {
    let has_failed = ["panicked", "a task failed"].iter().any(|words| outcome.text.contains(words));
    match outcome.code {
        Some(0 | 1) if outcome.peak_bytes <= MEMORY_MAX && !has_failed => Ok(()),
        _ => Err(format!(
            "code {:?}, signal {:?}, {} MiB, {:?}:\n{}",
            outcome.code,
            outcome.signal,
            outcome.peak_bytes >> 20,
            outcome.elapsed,
            outcome.text
        )),
    }
}

/// Starts a server over a directory and has it end as soon as it has loaded what is there. Exit code 0 says that it
/// loaded, 1 that it refused.
pub fn our_load(dir: &Path, args: &[&str]) -> Outcome {
    let mut all =
        vec!["--port", "0", "--unixsocket", "socket", "--shards", "2", "--io-threads", "1", "--dir"];
    all.push(dir.to_str().unwrap());
    all.extend_from_slice(args);
    bounded::run_server(&moonshard_binary(), &all, "ready to accept connections", WITHIN)
}
