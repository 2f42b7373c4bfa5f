//! Random streams for as long as one likes, against redis-server and against Moonshard itself:
//!
//!     cargo run -p moonshard-tests --bin stream -- [--seconds N] [--seed S] [--shards N]
//!
//! Ends with the first failure, and prints its seed and the shortest failing stream that it can make.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use moonshard_tests::options::Options;
use moonshard_tests::random;
use moonshard_tests::stream::{self, Setup};

fn main() -> ExitCode {
    let options = Options::read(&["seconds", "seed", "shards"], &[]);
    let seconds = options.number("seconds").unwrap_or(60);
    let shards = options.number("shards").unwrap_or(16) as usize;
    let first = options.number("seed").unwrap_or_else(random::seed);
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
