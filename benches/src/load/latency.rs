//! What clients of other shards feel while one shard runs an endless script.

use super::client::{Answer, Client, unexpected};
use super::error::Error;
use super::options::Options;
use super::programs::Programs;
use super::stop;
use hdrhistogram::Histogram;
use moonshard_engine::slot::{shard_of_slot, slot};
use std::time::{Duration, Instant};

/// Highest p99.9 in microseconds that passes.
pub const P999_MAX_US: u64 = 5000;

const CONNECTIONS: usize = 10;
const DURATION: Duration = Duration::from_secs(5);
const QUICK_DURATION: Duration = Duration::from_secs(1);
/// Keys that each connection asks for in turn.
const KEYS: usize = 100;
/// A client that waits sends nothing, so a pause would be counted once for each and not for each request that it held
/// up: a connection is taken to ask once in this time.
const INTERVAL_US: u64 = 1000;
/// Latencies beyond this are counted as this.
const HIGHEST_US: u64 = 60_000_000;
const DIGITS: u8 = 3;

const SCRIPT: &[u8] = b"while true do end";
const SCRIPT_KEY: &str = "endless";
/// A script that has not ended after this runs.
const RUNS_AFTER: Duration = Duration::from_millis(100);

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Quantiles {
    /// Requests that were answered.
    pub requests: u64,
    /// Half of them took no longer.
    pub p50_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// 999 of 1,000 took no longer.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// Latencies of the same clients without and with the script.
#[derive(Clone, Copy, Debug)]
pub struct Latency {
    /// While no script runs.
    pub idle: Quantiles,
    /// While the script runs.
    pub busy: Quantiles,
}

impl Latency {
    /// Whether the bound is reached.
    pub const fn passes(&self) -> bool {
        self.busy.p999_us < P999_MAX_US
    }
}

/// Measures a fresh server.
///
/// # Errors
/// When it does not start, the script ends by itself, or it cannot be killed.
pub fn measure(options: &Options, programs: &Programs, io_threads: Option<u32>) -> Result<Latency, Error> {
    eprintln!("latency on other shards");
    let server = programs.start_moonshard(io_threads)?;
    let mut control = Client::connect(server.port())?;
    let shards = control.setting("shards")?;
    let shards = shards.parse().ok().filter(|&shards| shards > 1);
    let shards = shards.ok_or_else(|| Error::Program("it takes two shards or more".into()))?;
    let script_shard = shard_of_slot(slot(SCRIPT_KEY.as_bytes()), shards);
    let keys: Vec<String> = (0..)
        .map(|number| format!("key:{number}"))
        .filter(|key| shard_of_slot(slot(key.as_bytes()), shards) != script_shard)
        .take(KEYS)
        .collect();
    for key in &keys {
        control.text(&[b"SET", key.as_bytes(), &[b'x'; super::client::VALUE_LEN]])?;
    }
    let duration = if options.quick { QUICK_DURATION } else { DURATION };
    let idle = load(server.port(), &keys, duration)?;
    let mut script = Client::connect(server.port())?;
    script.send(&[b"EVAL", SCRIPT, b"1", SCRIPT_KEY.as_bytes()])?;
    if script.is_answered_within(RUNS_AFTER)? {
        return Err(unexpected(&[b"EVAL", SCRIPT], &script.answer()?));
    }
    let busy = load(server.port(), &keys, duration)?;
    // It ran all the time if it is there to be killed.
    control.text(&[b"SCRIPT", b"KILL"])?;
    match script.answer()? {
        Answer::Error(_) => Ok(Latency { idle, busy }),
        other => Err(unexpected(&[b"EVAL", SCRIPT], &other)),
    }
}

/// GETs from all connections at the same time.
///
/// # Errors
/// When one is not answered.
pub fn load(port: u16, keys: &[String], duration: Duration) -> Result<Quantiles, Error> {
    let until = Instant::now() + duration;
    let histograms: Vec<Result<Histogram<u64>, Error>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..CONNECTIONS).map(|_| scope.spawn(move || one_connection(port, keys, until))).collect();
        let ended = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        ended
            .map(|result| result.unwrap_or_else(|_| Err(Error::Program("a client panicked".into()))))
            .collect()
    });
    let mut all = histogram()?;
    for histogram in histograms {
        all.add(histogram?).map_err(|error| Error::Program(error.to_string()))?;
    }
    Ok(Quantiles {
        requests: all.len(),
        p50_us: all.value_at_quantile(0.5),
        p99_us: all.value_at_quantile(0.99),
        p999_us: all.value_at_quantile(0.999),
        max_us: all.max(),
    })
}

fn histogram() -> Result<Histogram<u64>, Error> {
    Histogram::new_with_bounds(1, HIGHEST_US, DIGITS).map_err(|error| Error::Program(error.to_string()))
}

fn one_connection(port: u16, keys: &[String], until: Instant) -> Result<Histogram<u64>, Error> {
    let mut histogram = histogram()?;
    let mut client = Client::connect(port)?;
    let mut started = Instant::now();
    for key in keys.iter().cycle() {
        if started >= until {
            break;
        }
        stop::check()?;
        client.text(&[b"GET", key.as_bytes()])?;
        let ended = Instant::now();
        let micros = (ended - started).as_micros() as u64;
        let recorded = histogram.record_correct(micros.clamp(1, HIGHEST_US), INTERVAL_US);
        recorded.map_err(|error| Error::Program(error.to_string()))?;
        started = ended;
    }
    Ok(histogram)
}
