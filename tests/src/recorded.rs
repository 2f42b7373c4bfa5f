//! What a server has written into its append-only log, read as it grows.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::oracle::show_command;
use crate::resp::{self, Value};
use crate::server::Server;
use crate::waiting::WITHIN;

/// What a server is started with so that its log can be read here: it is commands only, and nothing is rewritten.
pub const ARGS: &[&str] = &[
    "--appendonly",
    "yes",
    "--appendfsync",
    "no",
    "--aof-use-rdb-preamble",
    "no",
    "--auto-aof-rewrite-percentage",
    "0",
];

/// A command of the log with its database, its name first. MULTI and EXEC are commands of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The database.
    pub db: usize,
    /// The arguments.
    pub args: Vec<Vec<u8>>,
    /// The annotation in the line before it.
    pub annotation: Option<String>,
}

impl Recorded {
    /// Whether it is this command, whatever the case of its name.
    pub fn is(&self, name: &str) -> bool {
        self.args[0].eq_ignore_ascii_case(name.as_bytes())
    }
}

impl std::fmt::Display for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(annotation) = &self.annotation {
            write!(f, "({annotation}) ")?;
        }
        write!(f, "{}: {}", self.db, show_command(&self.args))
    }
}

/// Reads the log of a server as it grows.
pub struct Log {
    folder: PathBuf,
    file: PathBuf,
    at: u64,
    /// The database that is selected at the end of what was read.
    db: usize,
}

impl Log {
    /// The log of a server, which has one increment, from now on.
    pub fn of(server: &Server) -> Log {
        let mut log = Log::from_the_start(server);
        log.more();
        log
    }

    /// The log of a server, which has one increment, from its start.
    ///
    /// # Panics
    /// When there is none.
    pub fn from_the_start(server: &Server) -> Log {
        let folder = server.dir().join("appendonlydir");
        let deadline = Instant::now() + WITHIN;
        let file = loop {
            if let Some(file) = last_increment(&folder) {
                break file;
            }
            assert!(Instant::now() < deadline, "no increment in {}", folder.display());
            std::thread::sleep(Duration::from_millis(5));
        };
        Log { folder, file, at: 0, db: 0 }
    }

    /// Where the log's files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The commands that were recorded since the last call, up to one of this name and with this argument, which is
    /// waited for and is not among them.
    ///
    /// # Panics
    /// When it does not come, and when what is there are no commands.
    pub fn until(&mut self, name: &str, argument: &[u8]) -> Vec<Recorded> {
        let deadline = Instant::now() + WITHIN;
        let mut found = Vec::new();
        loop {
            found.append(&mut self.more());
            if let Some(last) = found.last()
                && last.is(name)
                && last.args.get(1).is_some_and(|first| first == argument)
            {
                found.pop();
                return found;
            }
            assert!(Instant::now() < deadline, "{name} {} is not recorded", argument.escape_ascii());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The whole commands that were recorded since the last call.
    ///
    /// # Panics
    /// When what is there are no commands.
    pub fn more(&mut self) -> Vec<Recorded> {
        let mut bytes = Vec::new();
        let mut file = fs::File::open(&self.file).unwrap();
        file.seek(SeekFrom::Start(self.at)).unwrap();
        file.read_to_end(&mut bytes).unwrap();
        let mut commands = Vec::new();
        let (mut rest, mut done, mut annotation) = (&bytes[..], 0, None);
        while !rest.is_empty() {
            if rest[0] == b'#' {
                let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { break };
                annotation = Some(String::from_utf8_lossy(&rest[1..end]).trim_end().to_owned());
                rest = &rest[end + 1..];
                continue;
            }
            let Some((value, len)) = resp::parse(rest).unwrap() else { break };
            rest = &rest[len..];
            done = bytes.len() - rest.len();
            let args = arguments(&value);
            if args[0].eq_ignore_ascii_case(b"select") {
                self.db = String::from_utf8(args[1].clone()).unwrap().parse().unwrap();
            } else {
                commands.push(Recorded { db: self.db, args, annotation: annotation.take() });
            }
        }
        self.at += done as u64;
        commands
    }
}

fn arguments(value: &Value) -> Vec<Vec<u8>> {
    let items = value.items().expect("a command is an array");
    items.iter().map(|item| item.bytes().expect("of strings").to_vec()).collect()
}

fn last_increment(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    files.filter(|path| path.to_string_lossy().ends_with(".incr.aof")).max()
}
