//! The rounds: each row against each server in turn, never two at the same time.

use super::client::{Client, VALUE_LEN};
use super::data::Data;
use super::error::Error;
use super::options::Options;
use super::process::Server;
use super::programs::Programs;
use super::redis_benchmark::{self, Run, What};
use super::report::Report;
use super::rows::{Command, Load, On, ROWS, Row};
use super::scripts::{Call, Script};
use super::stop;
use super::subscribers::Subscribers;
use std::time::{Duration, Instant};

/// Keys that the servers hold, and among which requests choose.
const KEYS: u64 = 1_000_000;
/// The time of a round; what does not fit in as many as were asked for is left out of the later ones.
const ROUND_WITHIN: Duration = Duration::from_secs(150);
const QUICK_WITHIN: Duration = Duration::from_secs(40);

/// One measurement of a server.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// CPU time of the server a request, in microseconds.
    pub cpu_us: f64,
    /// Requests a second.
    pub per_second: f64,
}

/// A row against one configuration of Moonshard.
#[derive(Debug)]
pub struct Case {
    /// The row.
    pub row: &'static Row,
    /// Moonshard's I/O threads; `None` for its own choice.
    pub io_threads: Option<u32>,
    /// A sample a round.
    pub redis: Vec<Sample>,
    /// A sample a round.
    pub moonshard: Vec<Sample>,
    /// A sample a round, where the row is shown against the bound.
    pub bound: Vec<Sample>,
    /// Why it could not be measured any more.
    pub error: Option<Error>,
}

/// A server, and what it holds.
struct Subject {
    server: Server,
    /// Names of the data that was put there to stay.
    holds: Vec<&'static str>,
}

impl Subject {
    const fn new(server: Server) -> Self {
        Self { server, holds: Vec::new() }
    }
}

/// A configuration of Moonshard, and the bound of the same.
struct Fleet {
    io_threads: Option<u32>,
    moonshard: Subject,
    bound: Option<Subject>,
}

/// Which of the servers.
#[derive(Clone, Copy)]
enum Turn {
    Redis,
    Moonshard,
    Bound,
}

/// Measures all rows that are wanted, into the report.
///
/// # Errors
/// When servers cannot be started, or on Ctrl-C. What fails in a row is kept there.
pub fn measure(options: &Options, programs: &Programs, report: &mut Report) -> Result<(), Error> {
    let mut cases = cases(options);
    if cases.is_empty() {
        return Ok(());
    }
    eprintln!("starting and filling the servers");
    let keys = options.scaled(KEYS);
    let mut redis = Subject::new(programs.start_redis()?);
    if cases.iter().any(|case| case.row.needs_keys()) {
        fill(&redis.server, keys)?;
    }
    let mut fleets = fleets(&cases, programs, keys)?;
    let within = if options.quick { QUICK_WITHIN } else { ROUND_WITHIN * options.rounds as u32 };
    let deadline = Instant::now() + within;
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        for case in cases.iter_mut().filter(|case| case.error.is_none()) {
            stop::check()?;
            if round > 0 && Instant::now() > deadline {
                report.out_of_time = true;
                continue;
            }
            let Some(fleet) = fleets.iter_mut().find(|fleet| fleet.io_threads == case.io_threads) else {
                continue;
            };
            // What drifts during a round favours nobody if the order alternates.
            let mut turns = [Turn::Redis, Turn::Moonshard, Turn::Bound];
            if round % 2 == 1 {
                turns.reverse();
            }
            match take_turns(turns, case, &mut redis, fleet, options) {
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                outcome => case.error = outcome.err(),
            }
        }
    }
    report.cases = cases;
    Ok(())
}

/// All rows that are wanted, each for every configuration that it is to be run with.
fn cases(options: &Options) -> Vec<Case> {
    let rows = ROWS.iter().filter(|row| options.wants(&row.name, row.group));
    let case = |row, io_threads| Case {
        row,
        io_threads,
        redis: Vec::new(),
        moonshard: Vec::new(),
        bound: Vec::new(),
        error: None,
    };
    rows.flat_map(|row| {
        let fixed = row.io_threads.map(Some);
        let own = if fixed.is_none() { &options.io_threads[..] } else { &[] };
        fixed.into_iter().chain(own.iter().copied()).map(move |io_threads| case(row, io_threads))
    })
    .collect()
}

/// Starts and fills what the cases need.
fn fleets(cases: &[Case], programs: &Programs, keys: u64) -> Result<Vec<Fleet>, Error> {
    let mut fleets: Vec<Fleet> = Vec::new();
    for case in cases {
        if fleets.iter().any(|fleet| fleet.io_threads == case.io_threads) {
            continue;
        }
        let io_threads = case.io_threads;
        let own = || cases.iter().filter(|case| case.io_threads == io_threads);
        let moonshard = programs.start_moonshard(io_threads)?;
        if own().any(|case| case.row.needs_keys()) {
            fill(&moonshard, keys)?;
        }
        let against_bound = own().any(|case| case.row.against_bound);
        let bound = against_bound.then(|| programs.start_bound(io_threads)).transpose()?;
        let (moonshard, bound) = (Subject::new(moonshard), bound.map(Subject::new));
        fleets.push(Fleet { io_threads, moonshard, bound });
    }
    Ok(fleets)
}

/// The keys of redis-benchmark's own tests.
fn fill(server: &Server, keys: u64) -> Result<(), Error> {
    let mut client = Client::connect(server.port())?;
    let value = "x".repeat(VALUE_LEN);
    client.fill(keys, |number| vec!["SET".into(), format!("key:{number:012}"), value.clone()])?;
    client.fill(keys, |number| vec!["SET".into(), format!("counter:{number:012}"), "0".into()])
}

/// Measures the servers of a case once each.
fn take_turns(
    turns: [Turn; 3],
    case: &mut Case,
    redis: &mut Subject,
    fleet: &mut Fleet,
    options: &Options,
) -> Result<(), Error> {
    for turn in turns {
        let (subject, samples, name) = match (turn, &mut fleet.bound) {
            (Turn::Redis, _) => (&mut *redis, &mut case.redis, "redis-server"),
            (Turn::Moonshard, _) => (&mut fleet.moonshard, &mut case.moonshard, "Moonshard"),
            (Turn::Bound, Some(bound)) if case.row.against_bound => (bound, &mut case.bound, "bound"),
            (Turn::Bound, _) => continue,
        };
        match sample(subject, case.row, options) {
            Ok(sample) => samples.push(sample),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => return Err(Error::Program(format!("{name}: {error}"))),
        }
    }
    Ok(())
}

/// Measures one server.
fn sample(subject: &mut Subject, row: &Row, options: &Options) -> Result<Sample, Error> {
    let requests = options.requests.unwrap_or_else(|| options.scaled(row.requests));
    let mut keys = options.scaled(KEYS);
    let mut sha = String::new();
    let value = "x".repeat(VALUE_LEN);
    let words: Vec<&str>;
    let mut client = Client::connect(subject.server.port())?;
    let mut subscribers = None;
    let what = match row.load {
        Load::Test(test) => What::Test(test),
        Load::Collection(test, _) => What::Test(test),
        Load::Script(script) => {
            if let Some(data) = script.data {
                keep(subject, &mut client, data, requests, options)?;
            }
            keys = keys.min(script.keys);
            words = call(script, &mut client, &mut sha, &value)?;
            What::Command(&words)
        }
        Load::Command(command) => {
            subscribers = prepare(subject, &mut client, command, requests, options)?;
            keys = keys.min(command.keys);
            let given = |&word: &&'static str| if word == "__value__" { &*value } else { word };
            words = command.words.iter().map(given).collect();
            What::Command(&words)
        }
    };
    if let Some(key) = fresh_key(row) {
        client.text(&[b"DEL", key.as_bytes()])?;
    }
    if let Load::Command(Command { on: On::Made(data, _), .. }) = row.load {
        client.fill(options.amount(data.amount, requests), data.request)?;
    }
    let server = &mut subject.server;
    server.settle()?;
    let run = Run { port: server.port(), requests, pipeline: row.pipeline, value_len: VALUE_LEN, keys, what };
    let before = server.cpu()?;
    let per_second = redis_benchmark::run(&run)?;
    if let Some(subscribers) = subscribers {
        subscribers.have_heard(requests)?;
    }
    let cpu = server.cpu()? - before;
    if let Some(key) = fresh_key(row) {
        client.text(&[b"DEL", key.as_bytes()])?;
    }
    Ok(Sample { cpu_us: cpu.as_secs_f64() * 1e6 / requests as f64, per_second })
}

/// Puts data that stays into a server, if it is not there yet.
fn keep(
    subject: &mut Subject,
    client: &mut Client,
    data: &'static Data,
    requests: u64,
    options: &Options,
) -> Result<(), Error> {
    if !subject.holds.contains(&data.name) {
        client.fill(options.amount(data.amount, requests), data.request)?;
        subject.holds.push(data.name);
    }
    Ok(())
}

/// The words of a script's call, which it makes possible. `sha` is room for its SHA1.
fn call<'w>(
    script: &'static Script,
    client: &mut Client,
    sha: &'w mut String,
    value: &'w str,
) -> Result<Vec<&'w str>, Error> {
    let (command, name): (_, &str) = match script.call {
        Call::Sha(text) => {
            *sha = client.text(&[b"SCRIPT", b"LOAD", text.as_bytes()])?;
            ("EVALSHA", sha)
        }
        Call::Text(text) => ("EVAL", text),
        Call::Function(library, function) => {
            client.text(&[b"FUNCTION", b"LOAD", b"REPLACE", library.as_bytes()])?;
            ("FCALL", function)
        }
    };
    let given = |&word: &&'static str| if word == "__value__" { value } else { word };
    Ok([command, name, "1", script.key].into_iter().chain(script.args.iter().map(given)).collect())
}

/// The key that a row's requests grow or empty, and that is deleted before and after.
const fn fresh_key(row: &Row) -> Option<&'static str> {
    match &row.load {
        Load::Collection(_, key) | Load::Command(Command { on: On::Fresh(key) | On::Made(_, key), .. }) => {
            Some(*key)
        }
        _ => None,
    }
}

/// Puts what stays and is not there yet into a server, and makes a command's subscribers.
fn prepare(
    subject: &mut Subject,
    client: &mut Client,
    command: &Command,
    requests: u64,
    options: &Options,
) -> Result<Option<Subscribers>, Error> {
    match &command.on {
        On::Kept(data) => {
            keep(subject, client, data, requests, options)?;
            Ok(None)
        }
        On::Subscribers(count, channel) => Subscribers::new(subject.server.port(), *count, channel).map(Some),
        On::Keys | On::Fresh(_) | On::Made(..) => Ok(None),
    }
}
