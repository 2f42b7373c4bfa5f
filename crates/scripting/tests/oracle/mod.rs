//! A `redis-server` 7.0.15 of the test's own, and just enough RESP to evaluate scripts on it.

#![allow(clippy::expect_used, reason = "a test stops where its server does not do what it should")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The running server; it ends with this value.
pub struct Oracle {
    server: Child,
    connection: BufReader<UnixStream>,
}

impl Oracle {
    /// Starts a server on a free port; nothing when there is none to start, or it is of another version.
    pub fn start() -> Option<Self> {
        let version = Command::new("redis-server").arg("--version").output().ok()?;
        if !String::from_utf8_lossy(&version.stdout).contains("v=7.0.15") {
            return None;
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // A port that is free now may be taken in a moment; nobody else has this path.
        let name =
            format!("moonshard-oracle-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let socket = std::env::temp_dir().join(name);
        let mut server = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server starts");
        // The log says when it listens; the rest of it is read away, so that the pipe never fills.
        let mut log = BufReader::new(server.stdout.take().expect("a log"));
        let mut line = String::new();
        while !line.contains("ready to accept connections") {
            line.clear();
            let read = log.read_line(&mut line).expect("the log is text");
            assert!(read > 0, "redis-server ended at once");
        }
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        let connection = UnixStream::connect(&socket).expect("a connection");
        std::fs::remove_file(&socket).expect("the socket is a file");
        // A script that hangs the server fails the test, which then ends the server.
        connection.set_read_timeout(Some(std::time::Duration::from_secs(20))).expect("the option is set");
        Some(Self { server, connection: BufReader::new(connection) })
    }

    /// The string that a script without keys returns for these arguments, or its error.
    pub fn eval(&mut self, script: &str, first: &str, args: &[Vec<u8>]) -> String {
        let mut request = format!("*{}\r\n", args.len() + 4).into_bytes();
        let fixed = [b"EVAL".as_slice(), script.as_bytes(), b"0", first.as_bytes()];
        for part in fixed.into_iter().chain(args.iter().map(Vec::as_slice)) {
            request.extend(format!("${}\r\n", part.len()).as_bytes());
            request.extend(part);
            request.extend(b"\r\n");
        }
        self.connection.get_mut().write_all(&request).expect("the request is sent");
        let mut line = String::new();
        self.connection.read_line(&mut line).expect("a reply");
        let Some(len) = line.strip_prefix('$') else { return format!("the server said {line}") };
        let mut bytes = vec![0; len.trim().parse::<usize>().expect("a length") + 2];
        self.connection.read_exact(&mut bytes).expect("a whole reply");
        bytes.truncate(bytes.len() - 2);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
