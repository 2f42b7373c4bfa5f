//! A few crashes of each setting; `cargo run -p moonshard-tests --bin crash` makes hundreds.
//!
//! `MOONSHARD_SEED` repeats a run, `MOONSHARD_CRASHES` sets how many there are of each (3 without it).
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::crash::{self, Plan, Promise};
use moonshard_tests::random;

fn survives(promise: Promise, shards: usize) {
    let rounds = random::env_or("MOONSHARD_CRASHES", 3);
    let plan = Plan { promise, seed: random::seed(), rounds, shards, workers: 3, cut: 0 };
    match crash::run(&plan) {
        Ok(report) => println!("{report}"),
        Err(why) => panic!("{why}"),
    }
}

#[test]
fn snapshots_are_of_one_moment() {
    survives(Promise::Snapshots, 16);
}
