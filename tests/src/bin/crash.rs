//! Crashes for as long as one likes:
//!
//!     cargo run -p moonshard-tests --bin crash -- [always|everysec|no|snapshots ...] [--rounds N] [--seed S] [--shards N]
//!
//! Servers are killed in the middle of their work and started again, twenty times each, and what they have must be what
//! their settings promise. Ends with the first failure, and prints its seed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::ExitCode;

use moonshard_tests::crash::{self, Plan, Promise};
use moonshard_tests::options::Options;
use moonshard_tests::random;

/// Crashes of one server's data.
const ROUNDS_AT_ONCE: usize = 20;

fn main() -> ExitCode {
    let promises = [
        ("always", Promise::Always),
        ("everysec", Promise::EverySecond),
        ("no", Promise::NoSync),
        ("snapshots", Promise::Snapshots),
    ];
    let options = Options::read(&["rounds", "seed", "shards"], &promises.map(|(name, _)| name));
    let is_meant = |name: &str| options.words.is_empty() || options.words.iter().any(|word| word == name);
    let rounds_of_each = options.number("rounds").unwrap_or(200) as usize;
    let shards = options.number("shards").unwrap_or(16) as usize;
    let mut seed = options.number("seed").unwrap_or_else(random::seed);
    for (_, promise) in promises.into_iter().filter(|(name, _)| is_meant(name)) {
        let mut left = rounds_of_each;
        while left > 0 {
            let rounds = left.min(ROUNDS_AT_ONCE);
            match crash::run(&Plan { promise, seed, rounds, shards, workers: 4, cut: 0 }) {
                Ok(report) => println!("{promise:?}, seed {seed}: {report}"),
                Err(why) => {
                    println!("{why}");
                    return ExitCode::FAILURE;
                }
            }
            left -= rounds;
            seed = seed.wrapping_add(1);
        }
    }
    ExitCode::SUCCESS
}
