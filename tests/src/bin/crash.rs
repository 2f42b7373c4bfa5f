//! Crashes for as long as one likes:
//!
//!     cargo run -p moonshard-tests --bin crash -- [always|everysec|no|snapshots ...] [--rounds N] [--seed S] [--shards N]
//!
//! Servers are killed in the middle of their work and started again, twenty times each, and what they have must be what
//! their settings promise. Ends with the first failure, and prints its seed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::ExitCode;

use moonshard_tests::crash::{self, Plan, Promise};
use moonshard_tests::random;

/// Crashes of one server's data.
const ROUNDS_AT_ONCE: usize = 20;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut rounds, mut seed, mut shards, mut promises) = (200, None, 16, Vec::new());
    while let Some(arg) = args.next() {
        let mut number =
            || args.next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{arg} wants a number"));
        match arg.as_str() {
            "always" => promises.push(Promise::Always),
            "everysec" => promises.push(Promise::EverySecond),
            "no" => promises.push(Promise::NoSync),
            "snapshots" => promises.push(Promise::Snapshots),
            "--rounds" => rounds = number() as usize,
            "--seed" => seed = Some(number()),
            "--shards" => shards = number() as usize,
            _ => panic!("no option {arg}: always, everysec, no, snapshots, --rounds N, --seed S, --shards N"),
        }
    }
    if promises.is_empty() {
        promises = vec![Promise::Always, Promise::EverySecond, Promise::NoSync, Promise::Snapshots];
    }
    let mut seed: u64 = seed.unwrap_or_else(random::seed);
    for promise in promises {
        let mut left = rounds;
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
