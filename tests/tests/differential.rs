//! Random streams of commands, alone, in transactions and in scripts, to Moonshard and Redis: every reply must be the
//! same. And on Moonshard alone: the same commands leave the same keys in whichever way they run.
//!
//! `MOONSHARD_STREAM` sets the number of commands of each test (20,000 without it), `MOONSHARD_SEED` repeats a run,
//! and commands whose names start with a word of `MOONSHARD_WITHOUT` (`z,eval`) are left out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use moonshard_tests::random;
use moonshard_tests::stream::{self, Setup};

fn differential(shards: usize, one_slot: bool, protocol: u8) {
    let seed = random::seed();
    let streams = random::env_or("MOONSHARD_STREAM", 20_000).div_ceil(stream::LEN);
    let setup = Setup::start(shards, one_slot, protocol);
    for i in 0..streams {
        if let Err(failure) = setup.compare(seed.wrapping_add(i as u64)) {
            panic!("{failure}");
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

#[test]
fn the_same_keyspace_in_every_way() {
    let seed = random::seed();
    let streams = random::env_or("MOONSHARD_STREAM", 20_000).div_ceil(stream::LEN);
    let server = stream::server_for_ways(16);
    for i in 0..streams {
        if let Err(failure) = stream::ways(&server, seed.wrapping_add(i as u64)) {
            panic!("{failure}");
        }
    }
}
