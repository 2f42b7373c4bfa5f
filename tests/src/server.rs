//! Servers as child processes: a free port, a directory of their own, and no trace of them afterwards.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::port::Port;
use crate::ready;
use crate::resp::Client;
use crate::waiting::WITHIN;

/// Which program to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The oracle: `redis-server` from the path, or what `REDIS_SERVER_BIN` names.
    Redis,
    /// The server under test.
    Moonshard,
}

/// A running server, which is killed and whose directory is removed when this is dropped.
pub struct Server {
    child: Child,
    port: Port,
    dir: PathBuf,
    is_redis: bool,
    program: PathBuf,
    args: Vec<String>,
}

impl Server {
    /// Starts a server with these arguments after `--port`, `--bind` and `--dir`, and waits until it answers.
    ///
    /// # Panics
    /// When the server ends or does not answer in time; its log is then part of the message.
    pub fn start(kind: Kind, args: &[&str]) -> Server {
        Server::try_start(kind, args).unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same, for a server that may refuse to start.
    ///
    /// # Errors
    /// That it ended or does not answer in time, with its log.
    pub fn try_start(kind: Kind, args: &[&str]) -> Result<Server, String> {
        let mut server = Server::launch(kind, args);
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Starts a server as [`Server::start`] does, and waits only until it answers anything: it may be loading its data.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub fn start_loading(kind: Kind, args: &[&str]) -> Server {
        let mut server = Server::launch(kind, args);
        server.wait_until_it_answers().unwrap_or_else(|why| panic!("{why}"));
        server
    }

    fn launch(kind: Kind, args: &[&str]) -> Server {
        let port = Port::free();
        let dir = temp_dir();
        let program = program(kind);
        let is_redis = is_redis(&program);
        let mut all =
            vec!["--port".to_owned(), port.number().to_string(), "--bind".to_owned(), "127.0.0.1".to_owned()];
        all.extend(["--dir".to_owned(), dir.display().to_string()]);
        let args = if is_redis {
            all.extend(["--save", "", "--appendonly", "no"].map(str::to_owned));
            without_shards(args)
        } else {
            args.to_vec()
        };
        all.extend(args.into_iter().map(str::to_owned));
        let child = spawn(&program, &all, &dir);
        Server { child, port, dir, is_redis, program, args: all }
    }

    /// Ends the process at once, as a crash does, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts the program again where it was, with the same arguments and what it left in its directory, and waits
    /// until it answers.
    ///
    /// # Errors
    /// That it ended or does not answer in time, with its log.
    pub fn start_again(&mut self) -> Result<(), String> {
        self.kill();
        self.child = spawn(&self.program, &self.args, &self.dir);
        self.wait_until_ready()
    }

    /// Whether it is redis-server, whatever it stands for.
    pub fn is_redis(&self) -> bool {
        self.is_redis
    }

    /// Moonshard with so many shards.
    pub fn moonshard(shards: usize, args: &[&str]) -> Server {
        let shards = shards.to_string();
        let mut all = vec!["--shards", shards.as_str()];
        all.extend_from_slice(args);
        Server::start(Kind::Moonshard, &all)
    }

    /// The oracle.
    pub fn redis(args: &[&str]) -> Server {
        Server::start(Kind::Redis, args)
    }

    /// A cluster of so many nodes, which share the slots evenly.
    ///
    /// # Panics
    /// When the cluster is not complete in time.
    pub fn cluster(kind: Kind, nodes: usize, args: &[&str]) -> Vec<Server> {
        let mut all = vec!["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"];
        all.extend_from_slice(args);
        let servers: Vec<Server> = (0..nodes).map(|_| Server::start(kind, &all)).collect();
        for (i, server) in servers.iter().enumerate() {
            let mut client = server.connect();
            if !client.ask("CLUSTER INFO").text().contains("cluster_slots_assigned:16384") {
                let (first, last) = (16_384 * i / nodes, 16_384 * (i + 1) / nodes - 1);
                assert_eq!(client.ask(&format!("CLUSTER ADDSLOTSRANGE {first} {last}")).raw, b"+OK\r\n");
            }
            if i > 0 {
                let meet = format!("CLUSTER MEET 127.0.0.1 {}", servers[0].port());
                assert_eq!(client.ask(&meet).raw, b"+OK\r\n");
            }
        }
        let deadline = Instant::now() + WITHIN;
        for server in &servers {
            let mut client = server.connect();
            let known = format!("cluster_known_nodes:{nodes}\r\n");
            loop {
                let info = client.ask("CLUSTER INFO").text();
                if info.contains("cluster_state:ok") && info.contains(&known) {
                    break;
                }
                assert!(Instant::now() < deadline, "the cluster is not complete:\n{info}");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        servers
    }

    /// A new connection over TCP.
    pub fn connect(&self) -> Client {
        let port = self.port();
        Client::tcp(port).unwrap_or_else(|e| panic!("cannot connect to port {port}: {e}"))
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The server's working directory, removed on drop.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// All that the server wrote to its standard output and error so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.dir.join("log")).unwrap_or_default()).into_owned()
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until the process has ended; its exit code, or none when a signal ended it or it still runs after
    /// `within`.
    pub fn wait_for_exit(&mut self, within: Duration) -> Option<i32> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        None
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: i32) {
        // SAFETY: kill only passes two integers; the child has not been waited for, so its pid is still its own.
        unsafe { libc::kill(self.child.id() as libc::pid_t, signal) };
    }

    /// Waits until the server answers, and has loaded its data.
    ///
    /// # Errors
    /// That it ended or does not answer in time, with its log.
    pub fn wait_until_ready(&mut self) -> Result<(), String> {
        let port = self.port();
        ready::wait_until_ready(&mut self.child, || Client::tcp(port)).map_err(|why| self.with_log(&why))
    }

    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        let port = self.port();
        ready::wait_until_it_says(&mut self.child, || Client::tcp(port), |_| true)
            .map_err(|why| self.with_log(&why))
    }

    fn with_log(&self, why: &str) -> String {
        format!("{why}; its log:\n{}", self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(30)..];
            eprintln!("--- the end of the log of the server on port {}:\n{}", self.port(), tail.join("\n"));
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The binary under test.
///
/// # Panics
/// When there is none, with the way to make one.
pub fn moonshard_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("MOONSHARD_BIN") {
        return PathBuf::from(path);
    }
    let mut dir = std::env::current_exe().unwrap();
    while dir.pop() {
        let candidate = dir.join("moonshard");
        if candidate.is_file() {
            return candidate;
        }
    }
    panic!("no binary `moonshard` beside the tests: `cargo build -p moonshard-server`, or set MOONSHARD_BIN");
}

/// Whether the server under test is Redis itself (see the crate's documentation).
pub fn under_test_is_redis() -> bool {
    std::env::var_os("MOONSHARD_BIN").is_some_and(|bin| is_redis(Path::new(&bin)))
}

/// A fresh empty directory below the system's temporary one; whoever asks removes it.
pub fn temp_dir() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("moonshard-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let dir = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn program(kind: Kind) -> PathBuf {
    match kind {
        Kind::Redis => PathBuf::from(std::env::var_os("REDIS_SERVER_BIN").unwrap_or("redis-server".into())),
        Kind::Moonshard => moonshard_binary(),
    }
}

/// Starts a program whose output is added to the file `log` of its directory.
fn spawn(program: &Path, args: &[String], dir: &Path) -> Child {
    let log = File::options().create(true).append(true).open(dir.join("log")).unwrap();
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    // SAFETY: prctl is async-signal-safe and touches no memory; it ties the child's life to its parent's.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command.spawn().unwrap_or_else(|e| panic!("cannot start {}: {e}", program.display()))
}

fn is_redis(program: &Path) -> bool {
    program.file_name().is_some_and(|name| name == "redis-server")
}

/// Redis knows no `--shards N`.
fn without_shards<'a>(args: &[&'a str]) -> Vec<&'a str> {
    let mut kept = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if *arg == "--shards" {
            rest.next();
        } else {
            kept.push(*arg);
        }
    }
    kept
}
