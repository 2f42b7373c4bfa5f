//! The figures as JSON: medians, and every sample.

use super::error::Error;
use super::latency::Latency;
use super::memory::Memory;
use super::parallel::Parallel;
use super::persistence::Outcome;
use super::report::{Report, medians};
use super::rounds::{Case, Sample};
use super::rows::{Group, OTHER_SHARDS, PARALLEL};
use std::fmt::Write as _;

// Writing to a String, which is all that is done here, does not fail.

impl Report {
    /// The figures as JSON.
    pub fn json(&self) -> String {
        let latency = self.latency.iter().map(|(io_threads, latency)| of_latency(*io_threads, latency));
        let cases = self.cases.iter().map(of_case);
        let (memory, persistence) =
            (self.memory.iter().map(of_memory), self.persistence.iter().map(of_persistence));
        let parallel = self.parallel.iter().map(|(io_threads, parallel)| of_parallel(*io_threads, parallel));
        let rows: Vec<String> =
            cases.chain(latency).chain(parallel).chain(memory).chain(persistence).collect();
        let (quick, rows) = (self.quick, rows.join(",\n"));
        format!("{{\"quick\":{quick},\"rows\":[\n{rows}\n]}}\n")
    }
}

fn of_case(case: &Case) -> String {
    let mut row = head(&case.row.name, case.row.group, case.io_threads, case.passes());
    let _ = write!(row, r#","pipeline":{},"cpu_ratio_max":{}"#, case.row.pipeline, case.row.cpu_max);
    if let Some(min) = case.row.throughput_min {
        let _ = write!(row, r#","throughput_ratio_min":{min}"#);
    }
    if let Some(figures) = case.figures() {
        let _ = write!(
            row,
            r#","cpu_ratio":{:.4},"throughput_ratio":{:.4}"#,
            figures.cpu_ratio, figures.throughput_ratio
        );
        if let Some(noise) = figures.noise {
            let _ = write!(row, r#","noise":{noise:.4}"#);
        }
    }
    for (name, samples) in [("redis", &case.redis), ("moonshard", &case.moonshard), ("bound", &case.bound)] {
        if !samples.is_empty() {
            let _ = write!(row, r#","{name}":{}"#, of_samples(samples));
        }
    }
    closed(row, case.error.as_ref())
}

fn of_latency(io_threads: Option<u32>, latency: &Result<Latency, Error>) -> String {
    let mut row = head(OTHER_SHARDS, Group::Base, io_threads, latency.as_ref().is_ok_and(Latency::passes));
    if let Ok(latency) = latency {
        for (name, q) in [("idle", latency.idle), ("busy", latency.busy)] {
            let _ = write!(
                row,
                r#","{name}":{{"requests":{},"p50_us":{},"p99_us":{},"p999_us":{},"max_us":{}}}"#,
                q.requests, q.p50_us, q.p99_us, q.p999_us, q.max_us
            );
        }
    }
    closed(row, latency.as_ref().err())
}

fn of_parallel(io_threads: Option<u32>, parallel: &Result<Parallel, Error>) -> String {
    let passes = parallel.as_ref().is_ok_and(Parallel::passes);
    let mut row = head(PARALLEL, Group::Scripts, io_threads, passes);
    if let Ok(parallel) = parallel {
        let _ = write!(
            row,
            r#","in_turn_ms":{:.2},"together_ms":{:.2}"#,
            parallel.in_turn.as_secs_f64() * 1e3,
            parallel.together.as_secs_f64() * 1e3
        );
    }
    closed(row, parallel.as_ref().err())
}

fn of_memory(memory: &Memory) -> String {
    let mut row = head(memory.row.name, Group::Memory, memory.io_threads, memory.passes());
    let _ = write!(
        row,
        r#","keys":{},"ratio_max":{},"redis_bytes":{}"#,
        memory.count, memory.row.ratio_max, memory.redis_bytes
    );
    if let Ok(bytes) = memory.moonshard_bytes {
        let _ = write!(row, r#","moonshard_bytes":{bytes}"#);
    }
    closed(row, memory.moonshard_bytes.as_ref().err())
}

fn of_persistence(outcome: &Outcome) -> String {
    let mut row = head(outcome.row.name, Group::Persistence, outcome.io_threads, outcome.passes());
    let list = |of: fn(&(f64, f64)) -> f64| {
        let texts: Vec<String> = outcome.samples.iter().map(|pair| format!("{:.4}", of(pair))).collect();
        texts.join(",")
    };
    let _ = write!(
        row,
        r#","unit":"{}","redis":[{}],"moonshard":[{}]"#,
        outcome.row.unit,
        list(|pair| pair.0),
        list(|pair| pair.1)
    );
    closed(row, outcome.error.as_ref())
}

/// An object that is still open, with what every row has.
fn head(name: &str, group: Group, io_threads: Option<u32>, passes: bool) -> String {
    let io_threads = io_threads.map_or_else(|| "null".to_owned(), |count| count.to_string());
    let group = group.name();
    format!(r#"{{"name":"{name}","group":"{group}","io_threads":{io_threads},"pass":{passes}"#)
}

fn closed(mut row: String, error: Option<&Error>) -> String {
    if let Some(error) = error {
        let _ = write!(row, r#","error":{}"#, quoted(&error.to_string()));
    }
    row.push('}');
    row
}

fn of_samples(samples: &[Sample]) -> String {
    let middle = medians(samples);
    let list = |of: fn(&Sample) -> f64| {
        let texts: Vec<String> = samples.iter().map(|sample| format!("{:.4}", of(sample))).collect();
        texts.join(",")
    };
    format!(
        r#"{{"cpu_us":{:.4},"per_second":{:.1},"cpu_us_samples":[{}],"per_second_samples":[{}]}}"#,
        middle.cpu_us,
        middle.per_second,
        list(|sample| sample.cpu_us),
        list(|sample| sample.per_second),
    )
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted() {
        assert_eq!(quoted("a \"b\"\n\\"), r#""a \"b\"\u000a\\""#);
    }

    #[test]
    fn a_row_that_failed_says_why() {
        let row = of_latency(Some(2), &Err(Error::Program("gone".into())));
        assert_eq!(
            row,
            r#"{"name":"other-shards","group":"base","io_threads":2,"pass":false,"error":"gone"}"#
        );
    }
}
