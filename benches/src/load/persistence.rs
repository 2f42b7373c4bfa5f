//! What is kept on disk: how long a snapshot takes, what it costs meanwhile, how long it takes to load, and what the log
//! costs.

use super::client::{Client, VALUE_LEN};
use super::error::Error;
use super::latency;
use super::options::Options;
use super::process::{Process, Server};
use super::programs::{Keeping, Programs};
use super::redis_benchmark::{self, Run, What};
use super::rows::Group;
use super::statistics::median;
use super::stop;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A value in which there is nothing to compress, and another.
const VALUE: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
const NEXT_VALUE: &str = "_-ZYXWVUTSRQPONMLKJIHGFEDCBAzyxwvutsrqponmlkjihgfedcba9876543210";
/// Keys of the snapshots.
const KEYS: u64 = 2_000_000;
/// Keys that are written while there is a log, and requests of a round.
const LOGGED_KEYS: u64 = 1_000_000;
const EVERYSEC_REQUESTS: u64 = 1_000_000;
const ALWAYS_REQUESTS: u64 = 50_000;
/// How long SETs go on before memory is looked at, and how long GETs are measured beside snapshots.
const SETS_BEFORE: Duration = Duration::from_secs(1);
const GETS_DURATION: Duration = Duration::from_secs(3);
/// Keys that GETs ask for.
const GET_KEYS: u64 = 1000;
/// How often to look at a snapshot and at memory.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a snapshot may take.
const SAVED_WITHIN: Duration = Duration::from_secs(120);

/// What is measured, and what Moonshard is to reach.
#[derive(Debug)]
pub struct Row {
    /// Its name, for `--only`.
    pub name: &'static str,
    /// What a reader calls it.
    pub label: &'static str,
    /// What the figures are.
    pub unit: &'static str,
    /// The bounds of Moonshard's figure: as a multiple of redis-server's, and alone. Rates are bounded from below.
    ratio: Option<f64>,
    most: Option<f64>,
    what: Measured,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measured {
    SaveTime,
    SaveMemory,
    SaveLatency,
    LoadTime,
    LogCpu,
    LogThroughput,
}

/// All of it, in the order in which it is measured.
pub static ROWS: [Row; 6] = [
    Row {
        name: "bgsave-time",
        label: "BGSAVE, 2 M keys",
        unit: "s",
        ratio: Some(0.8),
        most: None,
        what: Measured::SaveTime,
    },
    Row {
        name: "bgsave-latency",
        label: "GET during BGSAVE, p99.9",
        unit: "ms",
        ratio: Some(1.0),
        most: Some(5.0),
        what: Measured::SaveLatency,
    },
    Row {
        name: "bgsave-memory",
        label: "memory during BGSAVE and SETs",
        unit: "of before",
        ratio: None,
        most: Some(1.25),
        what: Measured::SaveMemory,
    },
    Row {
        name: "load-time",
        label: "start with 2 M keys",
        unit: "s",
        ratio: None,
        most: None,
        what: Measured::LoadTime,
    },
    Row {
        name: "log-everysec",
        label: "SET P=16, everysec: CPU",
        unit: "us",
        ratio: Some(0.75),
        most: None,
        what: Measured::LogCpu,
    },
    Row {
        name: "log-always",
        label: "SET P=1, always",
        unit: "k/s",
        ratio: Some(1.0),
        most: None,
        what: Measured::LogThroughput,
    },
];

impl Row {
    /// What is to be reached, for readers.
    pub fn bound(&self) -> String {
        let sign = if self.what == Measured::LogThroughput { ">=" } else { "<=" };
        let ratio = self.ratio.map(|ratio| format!("{sign} {ratio:.2} of redis-server"));
        let most = self.most.map(|most| format!("<= {most:.2} {}", self.unit));
        let both: Vec<String> = [ratio, most].into_iter().flatten().collect();
        both.join(", ")
    }

    fn is_of_snapshots(&self) -> bool {
        !matches!(self.what, Measured::LogCpu | Measured::LogThroughput)
    }
}

/// A row against one configuration of Moonshard.
#[derive(Debug)]
pub struct Outcome {
    /// What was measured.
    pub row: &'static Row,
    /// Moonshard's I/O threads; `None` for its own choice.
    pub io_threads: Option<u32>,
    /// For each round redis-server's figure and Moonshard's.
    pub samples: Vec<(f64, f64)>,
    /// Why it could not be measured any more.
    pub error: Option<Error>,
}

impl Outcome {
    /// The medians of both figures; `None` when nothing was measured.
    pub fn medians(&self) -> Option<(f64, f64)> {
        let of = |pick: fn(&(f64, f64)) -> f64| median(self.samples.iter().map(pick));
        (!self.samples.is_empty()).then(|| (of(|pair| pair.0), of(|pair| pair.1)))
    }

    /// The median of Moonshard's multiples of redis-server's figure.
    pub fn ratio(&self) -> Option<f64> {
        let ratios = self.samples.iter().map(|(redis, moonshard)| moonshard / redis);
        (!self.samples.is_empty()).then(|| median(ratios))
    }

    /// Whether it was measured and the bounds are reached.
    pub fn passes(&self) -> bool {
        let (Some((_, moonshard)), Some(ratio), None) = (self.medians(), self.ratio(), &self.error) else {
            return false;
        };
        let within = |bound: f64| {
            if self.row.what == Measured::LogThroughput { ratio >= bound } else { ratio <= bound }
        };
        self.row.ratio.is_none_or(within) && self.row.most.is_none_or(|most| moonshard <= most)
    }
}

/// Which of the servers, as a thing that is started.
#[derive(Clone, Copy)]
enum Subject {
    Redis,
    Moonshard(Option<u32>),
}

impl Subject {
    fn start(self, programs: &Programs, keeping: &Keeping<'_>) -> Result<Server, Error> {
        match self {
            Self::Redis => programs.start_redis_keeping(keeping),
            Self::Moonshard(io_threads) => programs.start_moonshard_keeping(io_threads, keeping),
        }
    }
}

/// Measures all rows that are wanted, round by round, redis-server and Moonshard in turn.
///
/// # Errors
/// On Ctrl-C. What fails in a row is kept there.
pub fn measure(
    options: &Options,
    programs: &Programs,
    io_threads: Option<u32>,
) -> Result<Vec<Outcome>, Error> {
    let wanted = ROWS.iter().filter(|row| options.wants(row.name, Group::Persistence));
    let mut outcomes: Vec<Outcome> =
        wanted.map(|row| Outcome { row, io_threads, samples: Vec::new(), error: None }).collect();
    for round in 0..options.rounds {
        if !outcomes.is_empty() {
            eprintln!("persistence, round {} of {}", round + 1, options.rounds);
        }
        for snapshots in [true, false] {
            let rows =
                || outcomes.iter().filter(|o| o.row.is_of_snapshots() == snapshots && o.error.is_none());
            let wanted: Vec<&'static Row> = rows().map(|outcome| outcome.row).collect();
            let both = figures(Subject::Redis, &wanted, options, programs).and_then(|redis| {
                Ok((redis, figures(Subject::Moonshard(io_threads), &wanted, options, programs)?))
            });
            let of =
                outcomes.iter_mut().filter(|o| o.row.is_of_snapshots() == snapshots && o.error.is_none());
            match both {
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => {
                    let text = error.to_string();
                    of.for_each(|outcome| outcome.error = Some(Error::Program(text.clone())));
                }
                Ok((redis, moonshard)) => {
                    of.zip(redis.into_iter().zip(moonshard))
                        .for_each(|(outcome, pair)| outcome.samples.push(pair));
                }
            }
        }
    }
    Ok(outcomes)
}

/// One server's figures of these rows, all of snapshots or all of the log.
fn figures(
    subject: Subject,
    rows: &[&Row],
    options: &Options,
    programs: &Programs,
) -> Result<Vec<f64>, Error> {
    let (Some(first), keys) = (rows.first(), options.scaled(KEYS)) else { return Ok(Vec::new()) };
    if !first.is_of_snapshots() {
        return rows.iter().map(|row| logged(subject, row.what, options, programs)).collect();
    }
    let mut server = subject.start(programs, &Keeping::default())?;
    let request = |number| vec!["SET".to_owned(), format!("key:{number:012}"), VALUE.to_owned()];
    Client::connect(server.port())?.fill(keys, request)?;
    server.settle()?;
    let figure = |row: &&Row| match row.what {
        Measured::SaveTime => save_time(&server),
        Measured::SaveLatency => save_latency(&server, keys),
        Measured::SaveMemory => save_memory(&mut server, keys),
        _ => load_time(&server, subject, keys, programs),
    };
    rows.iter().map(figure).collect()
}

/// Begins a snapshot.
fn begin(client: &mut Client) -> Result<(), Error> {
    client.text(&[b"BGSAVE"]).map(drop)
}

/// Whether a snapshot is going on; an error when the last one failed.
fn is_saving(client: &mut Client) -> Result<bool, Error> {
    stop::check()?;
    let info = client.text(&[b"INFO", b"persistence"])?;
    if !info.contains("rdb_last_bgsave_status:ok") {
        return Err(Error::Program("the snapshot failed".into()));
    }
    Ok(info.contains("rdb_bgsave_in_progress:1"))
}

/// Seconds from BGSAVE until the snapshot is there.
fn save_time(server: &Server) -> Result<f64, Error> {
    let mut client = Client::connect(server.port())?;
    let started = Instant::now();
    begin(&mut client)?;
    while is_saving(&mut client)? {
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(started.elapsed().as_secs_f64())
}

/// The p99.9 in milliseconds of GETs while one snapshot is written after the other.
fn save_latency(server: &Server, keys: u64) -> Result<f64, Error> {
    let names: Vec<String> =
        (0..GET_KEYS).map(|at| format!("key:{:012}", at * (keys / GET_KEYS).max(1) % keys)).collect();
    let mut client = Client::connect(server.port())?;
    let port = server.port();
    let quantiles = std::thread::scope(|scope| {
        let load = scope.spawn(|| latency::load(port, &names, GETS_DURATION));
        while !load.is_finished() {
            if is_saving(&mut client)? {
                std::thread::sleep(LOOK_EVERY);
            } else {
                begin(&mut client)?;
            }
        }
        load.join().unwrap_or_else(|_| Err(Error::Program("a client panicked".into())))
    })?;
    wait_until_saved(&mut client)?;
    Ok(quantiles.p999_us as f64 / 1e3)
}

fn wait_until_saved(client: &mut Client) -> Result<(), Error> {
    let deadline = Instant::now() + SAVED_WITHIN;
    while is_saving(client)? {
        if Instant::now() > deadline {
            return Err(Error::Program("the snapshot does not end".into()));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// The most memory that is resident while a snapshot is written and all keys are set again, as a multiple of what it
/// was before the snapshot, with the same load.
fn save_memory(server: &mut Server, keys: u64) -> Result<f64, Error> {
    let mut client = Client::connect(server.port())?;
    let (port, keys) = (server.port().to_string(), keys.to_string());
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", "127.0.0.1", "-p", &port, "-c", "50", "-P", "16", "-r", &keys, "-l", "-q"]);
    command.args(["SET", "key:__rand_int__", NEXT_VALUE]);
    let sets = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    std::thread::sleep(SETS_BEFORE);
    let before = server.resident_bytes()?;
    let mut most = before;
    begin(&mut client)?;
    let deadline = Instant::now() + SAVED_WITHIN;
    while is_saving(&mut client)? {
        most = most.max(server.resident_bytes_with_child()?);
        if Instant::now() > deadline {
            return Err(Error::Program("the snapshot does not end".into()));
        }
    }
    drop(sets);
    Ok(most as f64 / before as f64)
}

/// Seconds until a server answers that finds a snapshot of this one.
fn load_time(server: &Server, subject: Subject, keys: u64, programs: &Programs) -> Result<f64, Error> {
    let mut client = Client::connect(server.port())?;
    begin(&mut client)?;
    wait_until_saved(&mut client)?;
    let snapshot = server.file("dump.rdb");
    let started = Instant::now();
    let loaded = subject.start(programs, &Keeping { snapshot: Some(&snapshot), log: None })?;
    let seconds = started.elapsed().as_secs_f64();
    let found = Client::connect(loaded.port())?.text(&[b"DBSIZE"])?;
    if found == keys.to_string() {
        Ok(seconds)
    } else {
        Err(Error::Program(format!("{found} keys were loaded")))
    }
}

/// SETs of a server that keeps a log: CPU time of a request in microseconds, or thousands of them a second.
fn logged(subject: Subject, what: Measured, options: &Options, programs: &Programs) -> Result<f64, Error> {
    let (log, pipeline, requests) = match what {
        Measured::LogCpu => ("everysec", 16, EVERYSEC_REQUESTS),
        _ => ("always", 1, ALWAYS_REQUESTS),
    };
    let requests = options.requests.unwrap_or_else(|| options.scaled(requests));
    let mut server = subject.start(programs, &Keeping { snapshot: None, log: Some(log) })?;
    let setting = Client::connect(server.port())?.setting("appendonly")?;
    if setting != "yes" {
        return Err(Error::Program("there is no log".into()));
    }
    let (port, keys) = (server.port(), options.scaled(LOGGED_KEYS));
    let run = |requests| {
        let what = What::Test("set");
        redis_benchmark::run(&Run { port, requests, pipeline, value_len: VALUE_LEN, keys, what })
    };
    // The first requests find an empty server.
    run(requests / 2)?;
    server.settle()?;
    let before = server.cpu()?;
    let per_second = run(requests)?;
    let cpu = server.cpu()? - before;
    match what {
        Measured::LogCpu => Ok(cpu.as_secs_f64() * 1e6 / requests as f64),
        _ => Ok(per_second / 1e3),
    }
}
