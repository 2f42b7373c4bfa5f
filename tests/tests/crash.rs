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

#[test]
fn always_keeps_what_was_answered() {
    survives(Promise::Always, 16);
}

#[test]
fn every_second_keeps_what_was_answered() {
    survives(Promise::EverySecond, 16);
}

#[test]
fn without_sync_what_was_answered_is_kept() {
    survives(Promise::NoSync, 5);
}

/// That the other tests can fail.
#[test]
fn what_is_cut_off_is_noticed() {
    let plan = Plan {
        promise: Promise::Always,
        seed: random::seed(),
        rounds: 3,
        shards: 16,
        workers: 3,
        cut: 3_000,
    };
    let outcome = crash::run(&plan);
    assert!(outcome.is_err(), "nobody noticed: {outcome:?}");
}
