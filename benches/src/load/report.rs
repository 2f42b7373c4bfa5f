//! The figures as tables.

use super::error::Error;
use super::latency::{Latency, P999_MAX_US, Quantiles};
use super::memory::Memory;
use super::options::Options;
use super::parallel::{Parallel, SPEEDUP_MIN};
use super::persistence::Outcome;
use super::rounds::{Case, Sample};
use super::statistics::{median, spread};
use std::fmt;

/// All that was measured.
#[derive(Debug)]
pub struct Report {
    /// The rows of redis-benchmark.
    pub cases: Vec<Case>,
    /// Latencies beside an endless script, by Moonshard's I/O threads.
    pub latency: Vec<(Option<u32>, Result<Latency, Error>)>,
    /// Scripts of different shards, by Moonshard's I/O threads.
    pub parallel: Vec<(Option<u32>, Result<Parallel, Error>)>,
    /// Memory.
    pub memory: Vec<Memory>,
    /// Snapshots and the log.
    pub persistence: Vec<Outcome>,
    /// Whether the time was over before all rounds were done.
    pub out_of_time: bool,
    pub(super) quick: bool,
}

/// Medians of a case.
pub(super) struct Figures {
    redis: Sample,
    moonshard: Sample,
    bound: Option<Sample>,
    /// Moonshard's multiples of redis-server: the medians of each round's ratio.
    pub(super) cpu_ratio: f64,
    pub(super) throughput_ratio: f64,
    /// The greater of both servers' spreads of CPU time; of one round nothing is known.
    pub(super) noise: Option<f64>,
}

impl Case {
    /// What is shown of it; `None` when it was not measured.
    pub(super) fn figures(&self) -> Option<Figures> {
        if self.redis.is_empty() || self.moonshard.is_empty() {
            return None;
        }
        let pairs = || self.moonshard.iter().zip(&self.redis);
        Some(Figures {
            redis: medians(&self.redis),
            moonshard: medians(&self.moonshard),
            bound: (!self.bound.is_empty()).then(|| medians(&self.bound)),
            cpu_ratio: median(pairs().map(|(m, r)| m.cpu_us / r.cpu_us)),
            throughput_ratio: median(pairs().map(|(m, r)| m.per_second / r.per_second)),
            noise: (pairs().len() > 1).then(|| {
                let spread = |samples: &[Sample]| spread(samples.iter().map(|sample| sample.cpu_us));
                spread(&self.redis).max(spread(&self.moonshard))
            }),
        })
    }

    /// Whether it was measured and reached its bounds.
    pub(super) fn passes(&self) -> bool {
        self.error.is_none()
            && self.figures().is_some_and(|figures| {
                let throughput_min = self.row.throughput_min.unwrap_or(0.0);
                figures.cpu_ratio <= self.row.cpu_max && figures.throughput_ratio >= throughput_min
            })
    }
}

/// The median of each figure.
pub(super) fn medians(samples: &[Sample]) -> Sample {
    Sample {
        cpu_us: median(samples.iter().map(|sample| sample.cpu_us)),
        per_second: median(samples.iter().map(|sample| sample.per_second)),
    }
}

impl Report {
    /// An empty report.
    pub const fn new(options: &Options) -> Self {
        Self {
            cases: Vec::new(),
            latency: Vec::new(),
            parallel: Vec::new(),
            memory: Vec::new(),
            persistence: Vec::new(),
            out_of_time: false,
            quick: options.quick,
        }
    }

    /// Whether all was measured and reached its bound.
    pub fn all_reached(&self) -> bool {
        let latency =
            |(_, latency): &(_, Result<Latency, Error>)| latency.as_ref().is_ok_and(Latency::passes);
        self.cases.iter().all(Case::passes)
            && self.latency.iter().all(latency)
            && self.parallel.iter().all(|(_, parallel)| parallel.as_ref().is_ok_and(Parallel::passes))
            && self.memory.iter().all(Memory::passes)
            && self.persistence.iter().all(Outcome::passes)
    }

    fn write_rows(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<30} {:>3} {:>4} | {:^16} | {:^16} | {:^13} | {:>5} | {:^16} |",
            "", "", "", "redis-server", "Moonshard", "ratio", "", "bound"
        )?;
        writeln!(
            f,
            "{:<30} {:>3} {:>4} | {:>7} {:>8} | {:>7} {:>8} | {:>6} {:>6} | {:>5} | {:>7} {:>8} |",
            "row", "P", "io", "CPU us", "k/s", "CPU us", "k/s", "CPU", "k/s", "noise", "CPU", "k/s"
        )?;
        let mut group = None;
        for case in &self.cases {
            let row = case.row;
            if group.replace(row.group) != Some(row.group) {
                writeln!(f, "-- {}", row.group.name())?;
            }
            write!(f, "{:<30} {:>3} {:>4} | ", row.label, row.pipeline, threads(case.io_threads))?;
            match (&case.error, case.figures()) {
                (Some(error), _) => writeln!(f, "FAIL: {error}")?,
                (None, None) => writeln!(f, "FAIL: not measured")?,
                (None, Some(figures)) => {
                    let throughput = row.throughput_min.map(|min| format!(">= {min:.2}"));
                    writeln!(
                        f,
                        "{:>7.2} {:>8.1} | {:>7.2} {:>8.1} | {:>6.2} {:>6.2} | {:>5} | {:>7} {:>8} | {}",
                        figures.redis.cpu_us,
                        figures.redis.per_second / 1e3,
                        figures.moonshard.cpu_us,
                        figures.moonshard.per_second / 1e3,
                        figures.cpu_ratio,
                        figures.throughput_ratio,
                        figures.noise.map_or("-".into(), |noise| format!("{:.0}%", noise * 100.0)),
                        format!("<= {:.2}", row.cpu_max),
                        throughput.unwrap_or_default(),
                        verdict(case.passes()),
                    )?;
                }
            }
        }
        Ok(())
    }

    /// Moonshard beside the server that only parses.
    fn write_bound(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = false;
        for case in &self.cases {
            let Some(figures) = case.figures() else { continue };
            let Some(bound) = figures.bound else { continue };
            if !head {
                head = true;
                writeln!(
                    f,
                    "\n{:<30} {:>3} {:>4} | {:^16} | {:^16} | {:>6}",
                    "parse and +OK only", "", "", "the least", "Moonshard", "ratio"
                )?;
            }
            writeln!(
                f,
                "{:<30} {:>3} {:>4} | {:>7.2} {:>8.1} | {:>7.2} {:>8.1} | {:>6.2}",
                case.row.label,
                case.row.pipeline,
                threads(case.io_threads),
                bound.cpu_us,
                bound.per_second / 1e3,
                figures.moonshard.cpu_us,
                figures.moonshard.per_second / 1e3,
                figures.moonshard.cpu_us / bound.cpu_us,
            )?;
        }
        Ok(())
    }

    fn write_latency(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.latency.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nGETs on other shards, P=1, 10 connections (milliseconds)")?;
        writeln!(f, "{:<30} {:>8} | {:>8} {:>8} {:>8} {:>8}", "", "io", "p50", "p99", "p99.9", "max")?;
        for (io_threads, latency) in &self.latency {
            let line = |what: &str, q: &Quantiles| {
                let ms = [q.p50_us, q.p99_us, q.p999_us, q.max_us].map(|us| us as f64 / 1e3);
                let [p50, p99, p999, max] = ms;
                let io = threads(*io_threads);
                format!("{what:<30} {io:>8} | {p50:>8.2} {p99:>8.2} {p999:>8.2} {max:>8.2} |")
            };
            match latency {
                Ok(latency) => {
                    writeln!(f, "{}", line("no script", &latency.idle))?;
                    let bound = format!("p99.9 < {:.2}", P999_MAX_US as f64 / 1e3);
                    let verdict = verdict(latency.passes());
                    writeln!(f, "{} {bound} {verdict}", line("beside an endless script", &latency.busy))?;
                }
                Err(error) => writeln!(f, "{:<30} {:>8} | FAIL: {error}", "", threads(*io_threads))?,
            }
        }
        Ok(())
    }

    fn write_parallel(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.parallel.is_empty() {
            return Ok(());
        }
        writeln!(f, "\nCPU-bound scripts on four keys of different shards (milliseconds)")?;
        writeln!(f, "{:<30} {:>8} | {:>9} {:>9} {:>9} |", "", "io", "in turn", "together", "speedup")?;
        for (io_threads, parallel) in &self.parallel {
            match parallel {
                Ok(parallel) => writeln!(
                    f,
                    "{:<30} {:>8} | {:>9.1} {:>9.1} {:>9.2} | >= {SPEEDUP_MIN:.2} {}",
                    "scripts of four shards",
                    threads(*io_threads),
                    parallel.in_turn.as_secs_f64() * 1e3,
                    parallel.together.as_secs_f64() * 1e3,
                    parallel.speedup(),
                    verdict(parallel.passes()),
                )?,
                Err(error) => writeln!(f, "{:<30} {:>8} | FAIL: {error}", "", threads(*io_threads))?,
            }
        }
        Ok(())
    }

    fn write_memory(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.memory.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:<30} {:>4} | {:^16} | {:^16} | {:>6} |",
            "resident memory", "", "redis-server", "Moonshard", ""
        )?;
        writeln!(
            f,
            "{:<30} {:>4} | {:>7} {:>8} | {:>7} {:>8} | {:>6} | bound",
            "", "io", "MiB", "B each", "MiB", "B each", "ratio"
        )?;
        for memory in &self.memory {
            let (mib, each) = (
                |bytes: u64| bytes as f64 / f64::from(1 << 20),
                |bytes: u64| bytes as f64 / memory.count as f64,
            );
            let redis = memory.redis_bytes;
            let millions = memory.count as f64 / 1e6;
            let label = format!("{millions} M {}", memory.row.label);
            write!(
                f,
                "{label:<30} {:>4} | {:>7.1} {:>8.1} | ",
                threads(memory.io_threads),
                mib(redis),
                each(redis)
            )?;
            match &memory.moonshard_bytes {
                Ok(bytes) => writeln!(
                    f,
                    "{:>7.1} {:>8.1} | {:>6.2} | <= {:.2} {}",
                    mib(*bytes),
                    each(*bytes),
                    memory.ratio().unwrap_or_default(),
                    memory.row.ratio_max,
                    verdict(memory.passes()),
                )?,
                Err(error) => writeln!(f, "FAIL: {error}")?,
            }
        }
        Ok(())
    }

    fn write_persistence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.persistence.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:<42} {:>4} | {:>12} | {:>9} | {:>6} |",
            "snapshots and the log", "io", "redis-server", "Moonshard", "ratio"
        )?;
        for outcome in &self.persistence {
            let label = format!("{} ({})", outcome.row.label, outcome.row.unit);
            write!(f, "{label:<42} {:>4} | ", threads(outcome.io_threads))?;
            match (&outcome.error, outcome.medians(), outcome.ratio()) {
                (None, Some((redis, moonshard)), Some(ratio)) => {
                    let (bound, verdict) = (outcome.row.bound(), verdict(outcome.passes()));
                    writeln!(f, "{redis:>12.2} | {moonshard:>9.2} | {ratio:>6.2} | {bound} {verdict}")?;
                }
                (Some(error), ..) => writeln!(f, "FAIL: {error}")?,
                _ => writeln!(f, "FAIL: not measured")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.cases.is_empty() {
            self.write_rows(f)?;
            self.write_bound(f)?;
        }
        self.write_latency(f)?;
        self.write_parallel(f)?;
        self.write_memory(f)?;
        self.write_persistence(f)?;
        if self.out_of_time {
            writeln!(f, "\nThe time was over before all rounds were done: medians are of fewer.")?;
        }
        if self.quick {
            writeln!(f, "\nA quick run: it shows that everything works, its figures mean little.")?;
        }
        Ok(())
    }
}

fn threads(io_threads: Option<u32>) -> String {
    io_threads.map_or_else(|| "auto".to_owned(), |count| count.to_string())
}

const fn verdict(passes: bool) -> &'static str {
    if passes { "pass" } else { "FAIL" }
}
