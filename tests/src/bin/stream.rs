//! Random streams for as long as one likes, against redis-server and against Moonshard itself:
//!
//!     cargo run -p moonshard-tests --bin stream -- [--seconds N] [--seed S] [--shards N]
//!
//! Ends with the first failure, and prints its seed and the shortest failing stream that it can make.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use moonshard_tests::random;
use moonshard_tests::stream::{self, Setup};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut seconds, mut seed, mut shards) = (60, None, 16);
    while let Some(arg) = args.next() {
        let mut number =
            || args.next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{arg} wants a number"));
        match arg.as_str() {
            "--seconds" => seconds = number(),
            "--seed" => seed = Some(number()),
            "--shards" => shards = number() as usize,
            _ => panic!("no option {arg}: --seconds N, --seed S, --shards N"),
        }
    }
    let first = seed.unwrap_or_else(random::seed);
    println!("from seed {first}, for {seconds} seconds");
    let setups: Vec<Setup> = [(false, 2), (true, 2), (true, 3)]
        .map(|(one_slot, protocol)| Setup::start(shards, one_slot, protocol))
        .into();
    let for_ways = stream::server_for_ways(shards);
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut seed = first;
    while Instant::now() < deadline {
        let outcome = setups.iter().try_for_each(|setup| setup.compare(seed));
        if let Err(failure) = outcome.and_then(|()| stream::ways(&for_ways, seed)) {
            println!("{failure}");
            return ExitCode::FAILURE;
        }
        seed = seed.wrapping_add(1);
    }
    println!("{} streams of {} commands in each way", seed.wrapping_sub(first), stream::LEN);
    ExitCode::SUCCESS
}
