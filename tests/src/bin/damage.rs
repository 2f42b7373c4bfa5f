//! Files of a log and snapshots, as redis-server writes them, changed at random, for as long as one likes:
//!
//!     cargo run -p moonshard-tests --bin damage -- [--seconds N] [--seed S]
//!
//! `moonshard check` and a server at its start get every one of them. Each has to end with a verdict, in time and with
//! little memory. The file that first made one of them fail is kept.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use moonshard_tests::damage::{Rounds, Sample};
use moonshard_tests::options::Options;
use moonshard_tests::random::{self, Rng};

/// Rounds after which there are new files to change.
const ROUNDS_A_SAMPLE: usize = 500;
/// Values in the files.
const VALUES: usize = 12;

fn main() -> ExitCode {
    let options = Options::read(&["seconds", "seed"], &[]);
    let seconds = options.number("seconds").unwrap_or(60);
    let mut rng = Rng::new(options.number("seed").unwrap_or_else(random::seed));
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut rounds = Rounds::default();
    while Instant::now() < deadline {
        let sample = Sample::make(&mut rng, VALUES);
        for _ in 0..ROUNDS_A_SAMPLE {
            if Instant::now() >= deadline {
                break;
            }
            if let Err(failure) = rounds.next(&mut rng, &sample) {
                println!("{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{rounds}");
    ExitCode::SUCCESS
}
