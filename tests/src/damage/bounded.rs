//! Processes that are watched: how they end, how long they take, how much memory.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::temp_dir;

/// How a process ended.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it. SIGKILL stands for a process that took too long.
    pub signal: Option<i32>,
    /// What it wrote to its standard output and error.
    pub text: String,
    /// The most memory it had, in bytes.
    pub peak_bytes: u64,
    /// How long it ran.
    pub elapsed: Duration,
}

/// Runs a program, with nothing to read, to its end, or kills it after `limit`.
///
/// # Panics
/// When it cannot be started.
pub fn run(program: &Path, args: &[&str], limit: Duration) -> Outcome {
    watch(program, args, limit, |_| false)
}

/// Runs a server until its log says that it is `ready`, which counts as exit code 0, or until it has ended.
///
/// # Panics
/// When it cannot be started.
pub fn run_server(program: &Path, args: &[&str], ready: &str, limit: Duration) -> Outcome {
    watch(program, args, limit, |log| log.contains(ready))
}

// `ended` waits for it.
#[allow(clippy::zombie_processes)]
fn watch(program: &Path, args: &[&str], limit: Duration, is_done: impl Fn(&str) -> bool) -> Outcome {
    let dir = temp_dir();
    let log = File::create(dir.join("log")).unwrap();
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    // SAFETY: prctl is async-signal-safe and touches no memory; it ties the child's life to its parent's.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let begun = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {}: {e}", program.display()));
    let read = || String::from_utf8_lossy(&fs::read(dir.join("log")).unwrap()).into_owned();
    let mut done = false;
    let (status, peak_bytes) = loop {
        if let Some(ended) = ended(&child) {
            break ended;
        }
        done = done || is_done(&read());
        if done || begun.elapsed() > limit {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let elapsed = begun.elapsed();
    let text = read();
    let _ = fs::remove_dir_all(&dir);
    let by_itself = libc::WIFEXITED(status);
    Outcome {
        code: if done { Some(0) } else { by_itself.then(|| libc::WEXITSTATUS(status)) },
        signal: (!done && !by_itself).then(|| libc::WTERMSIG(status)),
        text,
        peak_bytes,
        elapsed,
    }
}

/// How a child has ended and its peak memory in bytes, once it has ended.
fn ended(child: &Child) -> Option<(i32, u64)> {
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid one.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let pid = child.id() as libc::pid_t;
    // SAFETY: both pointers are to locals of the right types; nobody else waits for this child.
    let waited = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, &raw mut usage) };
    (waited == pid).then_some((status, usage.ru_maxrss as u64 * 1024))
}
