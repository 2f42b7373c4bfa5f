//! The real server as a child process, and as much of a client as CONFIG needs.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::{Folder, Pairs};

/// How long the server may take until it answers. It only keeps a test from hanging.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Below the range from which the kernel takes ports for outgoing connections, one of which could take a server's or,
/// where nobody listens yet, be connected with itself. Beside the range of the integration tests.
const PORTS: std::ops::Range<u16> = 10_000..12_000;

/// The program, if it is installed in the version that is the specification.
fn program() -> Option<&'static str> {
    let output = Command::new("redis-server").arg("--version").output().ok()?;
    if String::from_utf8_lossy(&output.stdout).contains("v=7.0.15") {
        return Some("redis-server");
    }
    eprintln!("no redis-server 7.0.15 here: not compared with it");
    None
}

/// Runs the server where it must refuse to start.
pub(super) fn refusal(folder: &Path, args: &[&str]) -> Option<Output> {
    let output = Command::new(program()?).current_dir(folder).args(args).stdin(Stdio::null()).output();
    Some(output.unwrap())
}

/// A running server, killed on drop.
pub(super) struct Oracle {
    child: Child,
    stream: BufReader<TcpStream>,
    pub(super) port: u16,
    pub(super) folder: Folder,
    _port_lock: File,
}

impl Oracle {
    /// Starts it in a folder of its own; `None` where it is not installed.
    pub(super) fn start(folder: Folder, args: &[&str]) -> Option<Self> {
        let (port, port_lock) = free_port();
        let port_text = port.to_string();
        let mut child = Command::new(program()?)
            .args(args)
            .args(["--port", &port_text])
            .current_dir(&folder.0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + READY_WITHIN;
        let stream = loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                break stream;
            }
            assert!(child.try_wait().unwrap().is_none(), "redis-server {args:?} ended at once");
            assert!(Instant::now() < deadline, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(2));
        };
        stream.set_read_timeout(Some(READY_WITHIN)).unwrap();
        Some(Self { child, stream: BufReader::new(stream), port, folder, _port_lock: port_lock })
    }

    /// Gives the password, before anything else.
    pub(super) fn authenticate(&mut self, password: &str) {
        self.send(&[b"AUTH", password.as_bytes()]);
        assert_eq!(self.line(), b"+OK");
    }

    /// CONFIG SET's answer without its first byte.
    pub(super) fn set(&mut self, pairs: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut args: Vec<&[u8]> = vec![b"CONFIG", b"SET"];
        args.extend(pairs.iter().flat_map(|(name, value)| [*name, *value]));
        self.send(&args);
        self.line()[1..].to_vec()
    }

    pub(super) fn rewrite(&mut self) -> Vec<u8> {
        self.send(&[b"CONFIG", b"REWRITE"]);
        self.line()[1..].to_vec()
    }

    pub(super) fn get(&mut self, patterns: &[&[u8]]) -> Pairs {
        let mut args: Vec<&[u8]> = vec![b"CONFIG", b"GET"];
        args.extend(patterns);
        self.send(&args);
        let count = self.number(b'*');
        let texts: Vec<Vec<u8>> = (0..count).map(|_| self.bulk()).collect();
        let pairs = texts.chunks_exact(2);
        pairs.map(|pair| (String::from_utf8(pair[0].clone()).unwrap(), pair[1].clone())).collect()
    }

    fn send(&mut self, args: &[&[u8]]) {
        let mut request = format!("*{}\r\n", args.len()).into_bytes();
        for arg in args {
            request.extend(format!("${}\r\n", arg.len()).as_bytes());
            request.extend(*arg);
            request.extend(b"\r\n");
        }
        self.stream.get_mut().write_all(&request).unwrap();
    }

    fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        assert!(line.ends_with(b"\r\n"), "the server closed the connection");
        line.truncate(line.len() - 2);
        line
    }

    fn number(&mut self, kind: u8) -> usize {
        let line = self.line();
        assert_eq!(line[0], kind, "{}", String::from_utf8_lossy(&line));
        String::from_utf8_lossy(&line[1..]).parse().unwrap()
    }

    fn bulk(&mut self) -> Vec<u8> {
        let mut text = vec![0; self.number(b'$') + 2];
        self.stream.read_exact(&mut text).unwrap();
        text.truncate(text.len() - 2);
        text
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that no other test has: each is guarded by a locked file for as long as its server lives.
fn free_port() -> (u16, File) {
    let locks = std::env::temp_dir().join("moonshard-test-ports");
    std::fs::create_dir_all(&locks).unwrap();
    let span = u32::from(PORTS.end - PORTS.start);
    let first = std::process::id().wrapping_mul(61) % span;
    for step in 0..span {
        let port = PORTS.start + ((first + step) % span) as u16;
        let Ok(file) = File::create(locks.join(port.to_string())) else { continue };
        // SAFETY: flock takes a descriptor that `file` keeps open.
        let locked = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0;
        if locked && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return (port, file);
        }
    }
    panic!("no free port between {} and {}", PORTS.start, PORTS.end);
}
