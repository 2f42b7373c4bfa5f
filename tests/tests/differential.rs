//! Random streams of commands to Moonshard and Redis: every reply must be the same.
//!
//! `MOONSHARD_STREAM` sets the number of commands of each test (20,000 without it), `MOONSHARD_SEED` repeats a run,
//! and commands whose names start with a word of `MOONSHARD_WITHOUT` (`z,eval`) are left out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::corpus::{self, NotYet};
use moonshard_tests::random::{self, Generator};
use moonshard_tests::server::Server;

/// Short streams begin anew from an empty keyspace, so that a difference is found with few commands before it.
const STREAM: usize = 2_000;

fn differential(shards: usize, one_slot: bool, protocol: u8) {
    let seed = random::seed();
    let (ours, theirs) = (Server::moonshard(shards, &[]), Server::redis(&[]));
    let not_yet = NotYet::load(&corpus::folder().join("NOT_YET"));
    let without = std::env::var("MOONSHARD_WITHOUT").unwrap_or_default();
    let without: Vec<&[u8]> = without.split(',').filter(|w| !w.is_empty()).map(str::as_bytes).collect();
    let streams = random::env_or("MOONSHARD_STREAM", 20_000).div_ceil(STREAM);
    for i in 0..streams {
        let seed = seed.wrapping_add(i as u64);
        let mut steps = Generator::new(seed, one_slot).stream(STREAM);
        steps.retain(|step| {
            !not_yet.covers(&step.command) && !without.iter().any(|w| step.command[0].starts_with(w))
        });
        if let Some((index, mismatch)) = random::run(&ours, &theirs, protocol, &steps) {
            let shrunk = random::shrink(steps, |steps| random::run(&ours, &theirs, protocol, steps));
            panic!(
                "MOONSHARD_SEED={seed} repeats it: differs at command {index}:\n{mismatch}\n\
                 the shortest stream found that fails:\n{shrunk}"
            );
        }
    }
}

#[test]
fn keys_everywhere_on_sixteen_shards() {
    differential(16, false, 2);
}

#[test]
fn keys_everywhere_on_two_shards_in_resp3() {
    differential(2, false, 3);
}

#[test]
fn one_slot_and_scripts() {
    differential(16, true, 2);
}

#[test]
fn one_slot_and_scripts_in_resp3() {
    differential(16, true, 3);
}

#[test]
fn keys_everywhere_on_one_shard() {
    differential(1, false, 2);
}
