//! Redis' own test suite, in Tcl, of version 7.0.15, run against a server from outside (the suite calls that external).
//!
//! Its client process asks for work over a socket, runs one file of tests against a server at a port, and tells what
//! becomes of each test. Here is its other side: a fresh server for every file, and the verdict.

mod expected;
mod packet;

use std::fs::File;
use std::io::{self, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{Server, under_test_is_redis};
use crate::waiting::WITHIN;
pub use expected::{Complaint, Exceptions, Reference, complaints, folder};
use packet::Packet;

/// How long the suite may be silent, in the middle of a test, until that test counts as hung.
pub const STALL: Duration = Duration::from_secs(120);
/// How often a file is begun again without the test that hung or killed the server.
const RESTARTS_MAX: usize = 10;

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed, and what the suite says about it.
    Failed(String),
    /// It is one of those that are not to be run.
    LeftOut,
}

/// A test of the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its name, which it may share with others of its file.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a file of tests.
#[derive(Clone, Debug, Default)]
pub struct FileRun {
    /// Its name, e.g. `unit/type/list`.
    pub file: String,
    /// Its tests in their order, without those that are not for external servers.
    pub tests: Vec<Test>,
    /// Errors of the code around the tests, each of which ends a group of tests.
    pub outside: Vec<String>,
}

impl FileRun {
    /// How many tests passed.
    pub fn passed(&self) -> usize {
        self.tests.iter().filter(|test| test.outcome == Outcome::Passed).count()
    }
}

/// The folder of Redis' source: `REDIS_SOURCE`, or below `target/tcl`, where it is fetched to when it is not there.
///
/// # Errors
/// Why it could not be fetched.
pub fn suite() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("REDIS_SOURCE") {
        return Ok(PathBuf::from(path));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let suite = root.join("target/tcl/redis-7.0.15");
    if !suite.join("tests/test_helper.tcl").is_file() {
        let output =
            Command::new(folder().join("fetch")).output().map_err(|e| format!("tests/tcl/fetch: {e}"))?;
        if !output.status.success() {
            return Err(format!("tests/tcl/fetch: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    Ok(suite)
}

/// Runs a file, e.g. `unit/scan`, against a server of its own with so many shards. What hangs for longer than `stall`
/// or ends the server has failed, and the rest of the file runs without it.
///
/// # Panics
/// When the suite itself cannot run.
pub fn run(suite: &Path, file: &str, shards: usize, exceptions: &Exceptions, stall: Duration) -> FileRun {
    let mut skip: Vec<String> = exceptions.left_out(file).into_iter().map(str::to_owned).collect();
    let mut ended: Vec<(String, String)> = Vec::new();
    loop {
        let mut server = start_server(shards);
        let mut attempt =
            Attempt { run: FileRun { file: file.to_owned(), ..FileRun::default() }, open: Vec::new() };
        let end = attempt.go(suite, &mut server, &skip, stall);
        for (name, why) in &ended {
            let tests = attempt.run.tests.iter_mut().filter(|test| test.name == *name);
            tests.for_each(|test| test.outcome = Outcome::Failed(why.clone()));
        }
        match end {
            End::Done => return attempt.run,
            End::In(name, why) if ended.len() < RESTARTS_MAX && !skip.contains(&name) => {
                skip.push(name.clone());
                ended.push((name, why));
            }
            End::In(name, why) => {
                attempt.run.outside.push(format!("the file ended in \"{name}\": {why}"));
                return attempt.run;
            }
            End::Outside(why) => {
                attempt.run.outside.push(why);
                return attempt.run;
            }
        }
    }
}

fn start_server(shards: usize) -> Server {
    let mut args = vec!["--enable-debug-command", "yes", "--enable-protected-configs", "yes"];
    if !under_test_is_redis() {
        // Scripts of the suite touch any keys, as Redis lets them outside of a cluster.
        args.extend(["--lua-default-flags", "allow-cross-slot-keys allow-undeclared-keys"]);
    }
    Server::moonshard(shards, &args)
}

/// How the run of a file ended.
enum End {
    Done,
    /// In the middle of this test, for this reason.
    In(String, String),
    Outside(String),
}

/// The suite's client process, which takes its end with it.
struct TclClient(Child);

impl TclClient {
    fn start(suite: &Path, server: &Server, skip: &[String], listener: &TcpListener) -> TclClient {
        let log = File::create(server.dir().join("tcl.log")).unwrap();
        let mut command = Command::new("tclsh");
        command
            .arg(folder().join("driver.tcl"))
            .args(["--host", "127.0.0.1", "--port", &server.port().to_string(), "--durable"])
            .args(["--client", &listener.local_addr().unwrap().port().to_string()])
            .args(skip.iter().flat_map(|name| ["--skiptest", name]))
            .current_dir(suite)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        // SAFETY: prctl is async-signal-safe and touches no memory; it ties the child's life to its parent's.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        TclClient(
            command.spawn().unwrap_or_else(|e| panic!("cannot start tclsh (Debian's package `tcl`): {e}")),
        )
    }
}

impl Drop for TclClient {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One run of the suite's client over a file.
struct Attempt {
    run: FileRun,
    /// Tests that have begun and not ended, as places in `run.tests`: a test may have others within.
    open: Vec<usize>,
}

impl Attempt {
    fn go(&mut self, suite: &Path, server: &mut Server, skip: &[String], stall: Duration) -> End {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TclClient::start(suite, server, skip, &listener);
        let stream = match accept(&listener, &mut client.0) {
            Ok(stream) => stream,
            Err(e) => {
                let said = std::fs::read_to_string(server.dir().join("tcl.log")).unwrap_or_default();
                return End::Outside(format!("the suite does not start: {e}\n{said}"));
            }
        };
        stream.set_read_timeout(Some(stall)).unwrap();
        let mut answers = stream.try_clone().unwrap();
        let mut packets = BufReader::new(stream);
        loop {
            let packet = match Packet::read(&mut packets) {
                Ok(packet) => packet,
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return self.ended(&format!("nothing happened for {} seconds", stall.as_secs()));
                }
                Err(e) => return self.ended(&format!("the suite's client is gone: {e}")),
            };
            match packet.status.as_str() {
                "ready" => packet::send_run(&mut answers, &self.run.file).unwrap(),
                "done" => return End::Done,
                "exception" => return self.ended(&packet.data),
                _ => self.take(packet),
            }
            if !server.is_alive() {
                let why = format!("the server ended; its log:\n{}", server.log());
                // The report about the test during which it ended may have come before.
                let failed = self.run.tests.iter().rfind(|test| matches!(test.outcome, Outcome::Failed(_)));
                return match failed {
                    Some(test) => End::In(test.name.clone(), why),
                    None => self.ended(&why),
                };
            }
        }
    }

    fn take(&mut self, packet: Packet) {
        let Packet { status, data } = packet;
        match status.as_str() {
            "testing" => {
                self.open.push(self.run.tests.len());
                // Until it is heard of again.
                self.run.tests.push(Test { name: data, outcome: Outcome::Failed("it did not end".into()) });
            }
            "skip" => self.run.tests.push(Test { name: data, outcome: Outcome::LeftOut }),
            "ok" => {
                if let Some(at) = self.close(|name| name == data) {
                    self.run.tests[at].outcome = Outcome::Passed;
                }
            }
            "err" => match self.close(|name| data.starts_with(&format!("{name} in tests/"))) {
                Some(at) => self.run.tests[at].outcome = Outcome::Failed(data),
                None => self.run.outside.push(data),
            },
            _ => {}
        }
    }

    /// Takes the innermost open test with such a name, and those within it, off the open ones.
    fn close(&mut self, is: impl Fn(&str) -> bool) -> Option<usize> {
        let depth = self.open.iter().rposition(|at| is(&self.run.tests[*at].name))?;
        let at = self.open[depth];
        self.open.truncate(depth);
        Some(at)
    }

    fn ended(&self, why: &str) -> End {
        match self.open.last() {
            Some(at) => End::In(self.run.tests[*at].name.clone(), why.to_owned()),
            None => End::Outside(why.to_owned()),
        }
    }
}

/// Waits for the suite's client, which may end instead.
fn accept(listener: &TcpListener, client: &mut Child) -> io::Result<std::net::TcpStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + WITHIN;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => return Err(e),
            Err(_) => {}
        }
        if client.try_wait()?.is_some() || Instant::now() > deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
