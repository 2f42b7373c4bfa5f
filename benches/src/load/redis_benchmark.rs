//! Runs redis-benchmark.

use super::error::Error;
use super::process::Process;
use super::stop;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CLIENTS: &str = "50";
/// How long one run may take.
const WITHIN: Duration = Duration::from_secs(60);
/// How often to look whether it has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// One run.
#[derive(Debug)]
pub struct Run<'a> {
    /// The server's port.
    pub port: u16,
    /// How many requests.
    pub requests: u64,
    /// Requests that a client sends before it waits.
    pub pipeline: u32,
    /// Bytes of values.
    pub value_len: usize,
    /// How many different keys.
    pub keys: u64,
    /// One of redis-benchmark's own tests, or the words of a command.
    pub what: What<'a>,
}

/// What is sent.
#[derive(Debug)]
pub enum What<'a> {
    /// A test, as `-t` names it.
    Test(&'a str),
    /// A command.
    Command(&'a [&'a str]),
}

/// Requests a second.
///
/// # Errors
/// When it fails, for example because the server answers errors; or takes longer than a minute.
pub fn run(run: &Run<'_>) -> Result<f64, Error> {
    let mut command = Command::new("redis-benchmark");
    command.args(["-h", "127.0.0.1", "-c", CLIENTS, "--csv"]);
    let numbers = [
        ("-p", u64::from(run.port)),
        ("-n", run.requests),
        ("-P", u64::from(run.pipeline)),
        ("-d", run.value_len as u64),
        ("-r", run.keys),
    ];
    for (option, number) in numbers {
        command.args([option, &number.to_string()]);
    }
    match run.what {
        What::Test(test) => command.args(["-t", test]),
        What::Command(words) => command.args(words),
    };
    let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let deadline = Instant::now() + WITHIN;
    let status = loop {
        stop::check()?;
        let ended = process.child().try_wait().map_err(|e| Error::io("wait for redis-benchmark", e))?;
        match ended {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                return Err(Error::Program(format!("redis-benchmark took more than {} s", WITHIN.as_secs())));
            }
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    // Both are a few lines, which the pipes hold.
    let output = text(process.child().stdout.take());
    if status.success()
        && let Some(per_second) = requests_per_second(&output)
    {
        return Ok(per_second);
    }
    let errors = text(process.child().stderr.take());
    let last = errors.lines().last().unwrap_or("no result");
    Err(Error::Program(format!("redis-benchmark: {last}")))
}

fn text(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The result's second column. The first column is the command, in which there may be commas, quotes and line ends, the
/// others are numbers.
fn requests_per_second(csv: &str) -> Option<f64> {
    const NUMBERS: usize = 7;
    let result = csv.lines().last()?;
    let column = result.rsplitn(NUMBERS + 1, ',').nth(NUMBERS - 1)?;
    column.trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read() {
        let csv = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\
                   \"p99_latency_ms\",\"max_latency_ms\"\n\
                   \"eval 'a, b'\",\"336000.00\",\"2.160\",\"0.192\",\"2.711\",\"2.847\",\"2.863\",\"2.863\"\n";
        assert_eq!(requests_per_second(csv), Some(336_000.0));
        assert_eq!(requests_per_second(csv.lines().next().unwrap()), None);
        let lines = csv.replace("a, b", "a,\nb");
        assert_eq!(requests_per_second(&lines), Some(336_000.0));
    }
}
