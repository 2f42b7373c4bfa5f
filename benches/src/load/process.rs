//! Servers as child processes, and what they have used.

use super::client::Client;
use super::error::Error;
use super::stop;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// How long a server may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Ports to try: another process may take a free one before the server does.
const PORTS_TRIED: usize = 3;
/// A server is idle when it used less than [`IDLE_CPU`] in this time.
const IDLE_TIME: Duration = Duration::from_millis(50);
const IDLE_CPU: Duration = Duration::from_millis(1);
/// How long to wait for that at most.
const IDLE_WITHIN: Duration = Duration::from_secs(2);

/// A process of ours, killed when this is dropped, or when this process or the thread that started it ends.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts a command. Call it on the main thread: the process ends with the thread that started it.
    ///
    /// # Errors
    /// When there is no such program.
    pub fn start(command: &mut Command) -> Result<Self, Error> {
        // A group of its own: Ctrl-C comes to us, and we stop it in good order.
        command.process_group(0).stdin(Stdio::null());
        // SAFETY: prctl is async-signal-safe and touches no memory.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let started = command.spawn();
        let program = || format!("start {}", command.get_program().display());
        Ok(Self(started.map_err(|error| Error::io(program(), error))?))
    }

    /// The child.
    pub const fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder of ours, removed when this is dropped.
#[derive(Debug)]
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Result<Self, Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("moonshard-load-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).map_err(|error| Error::io(format!("make {}", path.display()), error))?;
        Ok(Self(path))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running server on a port of 127.0.0.1.
#[derive(Debug)]
pub struct Server {
    // Before its folder, which it may still write to.
    process: Process,
    dir: TempDir,
    port: u16,
}

impl Server {
    /// Starts the server that `make` describes for a port and a folder of its own, and waits until it answers.
    ///
    /// # Errors
    /// When it ends, or does not answer in time; with the end of its log.
    pub fn start(make: impl Fn(u16, &Path) -> Command) -> Result<Self, Error> {
        let mut tried = 0;
        loop {
            tried += 1;
            match Self::start_once(&make) {
                Err(Error::Program(_)) if tried < PORTS_TRIED => {}
                result => return result,
            }
        }
    }

    fn start_once(make: impl Fn(u16, &Path) -> Command) -> Result<Self, Error> {
        let dir = TempDir::new()?;
        let port = free_port().map_err(|error| Error::io("find a free port", error))?;
        let mut command = make(port, &dir.0);
        let log = File::create(dir.0.join("log")).and_then(|log| Ok((log.try_clone()?, log)));
        let (out, err) = log.map_err(|error| Error::io("write a server's log", error))?;
        let process = Process::start(command.current_dir(&dir.0).stdout(out).stderr(err))?;
        let mut server = Self { process, dir, port };
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            stop::check()?;
            if let Ok(Some(status)) = server.process.child().try_wait() {
                return Err(server.failure(&command, &format!("ended at once ({status})")));
            }
            if Client::connect(port).and_then(|mut client| client.text(&[b"PING"])).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(server.failure(&command, "does not answer"))
    }

    fn failure(&self, command: &Command, what: &str) -> Error {
        const LINES_SHOWN: usize = 5;
        let log = fs::read(self.dir.0.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n");
        Error::Program(format!("{} {what}: {tail}", command.get_program().display()))
    }

    /// The process' number.
    pub fn id(&mut self) -> u32 {
        self.process.child().id()
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// CPU time that all its threads have used, those included that have ended: what `utime` and `stime` of
    /// `/proc/PID/stat` add up to, but to the nanosecond and not to a hundredth of a second.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn cpu(&mut self) -> Result<Duration, Error> {
        let pid = self.process.child().id() as libc::pid_t;
        let mut clock: libc::clockid_t = 0;
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: both pointers are to locals of the right types.
        let read = unsafe {
            libc::clock_getcpuclockid(pid, &raw mut clock) == 0
                && libc::clock_gettime(clock, &raw mut time) == 0
        };
        if !read {
            return Err(Error::io("read a server's CPU time", std::io::Error::last_os_error()));
        }
        Ok(Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32))
    }

    /// Bytes of memory that are resident.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn resident_bytes(&mut self) -> Result<u64, Error> {
        let path = format!("/proc/{}/status", self.process.child().id());
        let status = fs::read_to_string(&path).map_err(|error| Error::io(format!("read {path}"), error))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| Error::Program(format!("{path} has no VmRSS")))
    }

    /// Bytes of memory that are resident, in it and in its child, as far as they are not those of both: what a snapshot
    /// takes while it is written.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn resident_bytes_with_child(&mut self) -> Result<u64, Error> {
        let pid = self.process.child().id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        // A child may have ended by now.
        let own = children.split_whitespace().filter_map(|child| {
            let rollup = fs::read_to_string(format!("/proc/{child}/smaps_rollup")).ok()?;
            let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        });
        let own: u64 = own.sum();
        Ok(self.resident_bytes()? + own * 1024)
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.0.join(name)
    }

    /// Waits until it has nothing more to do, such as freeing what was deleted, for two seconds at most.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn settle(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + IDLE_WITHIN;
        loop {
            stop::check()?;
            let before = self.cpu()?;
            std::thread::sleep(IDLE_TIME);
            if self.cpu()? - before < IDLE_CPU || Instant::now() > deadline {
                return Ok(());
            }
        }
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_at_once_is_told_with_its_log_and_leaves_nothing() {
        let mut dir = PathBuf::new();
        let dir_seen = std::cell::RefCell::new(&mut dir);
        let failed = Server::start(|_, folder| {
            **dir_seen.borrow_mut() = folder.to_owned();
            let mut command = Command::new("sh");
            command.args(["-c", "echo no good; exit 3"]);
            command
        });
        let text = failed.unwrap_err().to_string();
        assert!(text.contains("no good") && text.contains("exit status: 3"), "{text}");
        assert!(dir.is_absolute() && !dir.exists());
    }
}
