//! Directives whose value has a form of its own.

use std::path::PathBuf;

use moonshard_protocol::split_args::quote;

use super::directive::{Refusal, Taken};
use super::error::reason;
use super::number::{format_double, format_memory, lenient, memory};

/// A value with its own way to be read, shown and written to the file.
pub(super) trait Compound {
    /// Takes new arguments. `again` says that the file being read has set this directive before.
    fn take(&mut self, args: &[&[u8]], again: bool) -> Taken;
    /// The value as CONFIG GET answers it.
    fn format(&self) -> String;
    /// The lines that set this value in a file.
    fn lines(&self, name: &str, default: &Self) -> Lines;
}

/// Lines for the file; those that are not forced only replace lines that are there already.
#[derive(Debug, Default)]
pub struct Lines(pub(super) Vec<(Vec<u8>, bool)>);

impl Lines {
    pub(super) fn one(line: impl Into<Vec<u8>>, forced: bool) -> Self {
        Self(vec![(line.into(), forced)])
    }
}

const WRONG_COUNT: &str = "wrong number of arguments";

/// The working directory, absolute. The server enters it at start and when CONFIG SET changes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkDir(pub PathBuf);

impl WorkDir {
    pub(super) fn current() -> Self {
        Self(std::env::current_dir().unwrap_or_default())
    }
}

impl Compound for WorkDir {
    fn take(&mut self, args: &[&[u8]], _again: bool) -> Taken {
        let [path] = args else { return Err(WRONG_COUNT.into()) };
        if path.is_empty() {
            return Err("No such file or directory".into());
        }
        let path = self.0.join(path_from(path));
        let path = path.canonicalize().map_err(|error| reason(&error))?;
        if !path.is_dir() {
            return Err("Not a directory".into());
        }
        self.0 = path;
        Ok(())
    }

    fn format(&self) -> String {
        self.0.to_string_lossy().into_owned()
    }

    fn lines(&self, name: &str, _default: &Self) -> Lines {
        let mut line = format!("{name} ").into_bytes();
        quote(self.format().as_bytes(), &mut line);
        Lines::one(line, true)
    }
}

/// Bytes from a client or a file as a path.
pub(super) fn path_from(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// After `seconds` with at least `changes` writes the data is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// At least 1.
    pub seconds: i64,
    /// Number of writes.
    pub changes: i32,
}

/// The save points, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavePoints(pub Vec<SavePoint>);

impl SavePoints {
    pub(super) fn redis() -> Self {
        let points = [(3600, 1), (300, 100), (60, 10_000)];
        Self(points.map(|(seconds, changes)| SavePoint { seconds, changes }).into())
    }
}

impl Compound for SavePoints {
    fn take(&mut self, args: &[&[u8]], again: bool) -> Taken {
        // A single empty argument clears what earlier lines of the file have set, too.
        let clear = matches!(args, [b""]);
        let args = if clear { &[] } else { args };
        let invalid = || Refusal::from("Invalid save parameters");
        if !args.chunks_exact(2).remainder().is_empty() {
            return Err(invalid());
        }
        let mut points = Vec::with_capacity(args.len() / 2);
        for pair in args.chunks_exact(2) {
            let seconds = lenient(pair[0], 10).filter(|&seconds| seconds >= 1).ok_or_else(invalid)?;
            let changes = lenient(pair[1], 10).filter(|&changes| changes >= 0).ok_or_else(invalid)?;
            points.push(SavePoint { seconds, changes: changes as i32 });
        }
        if clear || !again {
            self.0.clear();
        }
        self.0.extend(points);
        Ok(())
    }

    fn format(&self) -> String {
        joined(self.0.iter().map(|point| format!("{} {}", point.seconds, point.changes)))
    }

    fn lines(&self, name: &str, _default: &Self) -> Lines {
        if self.0.is_empty() {
            return Lines::one(format!("{name} \"\""), true);
        }
        let line = |point: &SavePoint| format!("{name} {} {}", point.seconds, point.changes).into_bytes();
        Lines(self.0.iter().map(|point| (line(point), true)).collect())
    }
}

/// Limits of one class of clients for replies not yet sent; 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputBufferLimit {
    /// Bytes at which the client is disconnected at once.
    pub hard_bytes: u64,
    /// Bytes which it may exceed for a while.
    pub soft_bytes: u64,
    /// Seconds for which it may.
    pub soft_seconds: i32,
}

/// The limits of all classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputBufferLimits {
    /// Ordinary clients.
    pub normal: OutputBufferLimit,
    /// Replicas.
    pub replica: OutputBufferLimit,
    /// Clients with subscriptions.
    pub pubsub: OutputBufferLimit,
}

impl OutputBufferLimits {
    pub(super) fn redis() -> Self {
        let limit = |hard_mb: u64, soft_mb: u64, soft_seconds| OutputBufferLimit {
            hard_bytes: hard_mb << 20,
            soft_bytes: soft_mb << 20,
            soft_seconds,
        };
        Self { normal: limit(0, 0, 0), replica: limit(256, 64, 60), pubsub: limit(32, 8, 60) }
    }

    fn class(&mut self, name: &[u8]) -> Option<&mut OutputBufferLimit> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Some(&mut self.normal),
            b"slave" | b"replica" => Some(&mut self.replica),
            b"pubsub" => Some(&mut self.pubsub),
            _ => None,
        }
    }
}

impl Compound for OutputBufferLimits {
    fn take(&mut self, args: &[&[u8]], _again: bool) -> Taken {
        if !args.chunks_exact(4).remainder().is_empty() {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        }
        let mut limits = *self;
        for group in args.chunks_exact(4) {
            let Some(class) = limits.class(group[0]) else {
                return Err("Invalid client class specified in buffer limit configuration.".into());
            };
            // Redis keeps the seconds in a C int, so they wrap before their sign is looked at.
            let seconds = lenient(group[3], 10).map(|seconds| seconds as i32).filter(|&seconds| seconds >= 0);
            let (Some(hard_bytes), Some(soft_bytes), Some(soft_seconds)) =
                (memory(group[1]), memory(group[2]), seconds)
            else {
                return Err(
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration.".into()
                );
            };
            *class = OutputBufferLimit { hard_bytes, soft_bytes, soft_seconds };
        }
        *self = limits;
        Ok(())
    }

    fn format(&self) -> String {
        let classes = [("normal", self.normal), ("slave", self.replica), ("pubsub", self.pubsub)];
        joined(classes.iter().map(|(name, limit)| {
            format!("{name} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
        }))
    }

    fn lines(&self, name: &str, default: &Self) -> Lines {
        let classes = [
            ("normal", self.normal, default.normal),
            ("replica", self.replica, default.replica),
            ("pubsub", self.pubsub, default.pubsub),
        ];
        let line = |(class, limit, default): (&str, OutputBufferLimit, OutputBufferLimit)| {
            // Redis writes them as signed numbers.
            let hard = format_memory(i128::from(limit.hard_bytes as i64));
            let soft = format_memory(i128::from(limit.soft_bytes as i64));
            (format!("{name} {class} {hard} {soft} {}", limit.soft_seconds).into_bytes(), limit != default)
        };
        Lines(classes.map(line).into())
    }
}

/// Out-of-memory scores of a primary, a replica and a background process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OomScores(pub [i32; 3]);

impl Compound for OomScores {
    fn take(&mut self, args: &[&[u8]], _again: bool) -> Taken {
        let &[primary, replica, background] = args else { return Err(WRONG_COUNT.into()) };
        let mut scores = [0; 3];
        for (score, text) in scores.iter_mut().zip([primary, replica, background]) {
            let value = lenient(text, 10).filter(|value| (-2000..=2000).contains(value));
            let Some(value) = value else {
                return Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into());
            };
            *score = value as i32;
        }
        self.0 = scores;
        Ok(())
    }

    fn format(&self) -> String {
        joined(self.0.iter().map(i32::to_string))
    }

    fn lines(&self, name: &str, default: &Self) -> Lines {
        Lines::one(format!("{name} {}", self.format()), self != default)
    }
}

/// Addresses to listen on; `*` is any. A leading `-` says that it is no error when the address is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddresses(pub Vec<String>);

/// As in Redis.
const BIND_ADDRESSES_MAX: usize = 16;

impl BindAddresses {
    /// This host only: who wants to be reached from elsewhere says so. (Redis' own default is every address.)
    pub(super) fn loopback() -> Self {
        Self(vec!["127.0.0.1".to_owned(), "-::1".to_owned()])
    }
}

impl Compound for BindAddresses {
    fn take(&mut self, args: &[&[u8]], _again: bool) -> Taken {
        if args.len() > BIND_ADDRESSES_MAX {
            return Err("Too many bind addresses specified.".into());
        }
        let args = if matches!(args, [b""]) { &[] } else { args };
        self.0 = args.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
        Ok(())
    }

    fn format(&self) -> String {
        self.0.join(" ")
    }

    fn lines(&self, name: &str, default: &Self) -> Lines {
        let addresses = if self.0.is_empty() { "\"\"".to_owned() } else { self.format() };
        Lines::one(format!("{name} {addresses}"), self != default)
    }
}

/// Host and port of the primary, if this server is a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaOf(pub Option<(String, u16)>);

impl Compound for ReplicaOf {
    fn take(&mut self, args: &[&[u8]], _again: bool) -> Taken {
        let &[host, port] = args else { return Err(WRONG_COUNT.into()) };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            self.0 = None;
            return Ok(());
        }
        let port = lenient(port, 10).and_then(|port| u16::try_from(port).ok());
        let Some(port) = port else { return Err("Invalid master port".into()) };
        self.0 = Some((String::from_utf8_lossy(host).into_owned(), port));
        Ok(())
    }

    fn format(&self) -> String {
        self.0.as_ref().map(|(host, port)| format!("{host} {port}")).unwrap_or_default()
    }

    fn lines(&self, name: &str, _default: &Self) -> Lines {
        if self.0.is_none() {
            return Lines::default();
        }
        Lines::one(format!("{name} {}", self.format()), true)
    }
}

/// Percentiles from 0 to 100.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentiles(pub Vec<f64>);

impl Percentiles {
    pub(super) fn redis() -> Self {
        Self(vec![50.0, 99.0, 99.9])
    }
}

impl Compound for Percentiles {
    fn take(&mut self, args: &[&[u8]], _again: bool) -> Taken {
        let args = if matches!(args, [b""]) { &[] } else { args };
        let mut percentiles = Vec::with_capacity(args.len());
        for arg in args {
            let value = std::str::from_utf8(arg).ok().and_then(|text| text.parse::<f64>().ok());
            let Some(value) = value.filter(|value| !value.is_nan()) else {
                return Err("Invalid latency-tracking-info-percentiles parameters".into());
            };
            if !(0.0..=100.0).contains(&value) {
                return Err(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into()
                );
            }
            percentiles.push(value);
        }
        self.0 = percentiles;
        Ok(())
    }

    fn format(&self) -> String {
        joined(self.0.iter().map(|&value| format_double(value)))
    }

    fn lines(&self, name: &str, _default: &Self) -> Lines {
        let text = if self.0.is_empty() { "\"\"".to_owned() } else { self.format() };
        Lines::one(format!("{name} {text}"), true)
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(" ")
}
