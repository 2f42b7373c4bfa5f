//! Fuzzes the bridge between scripts and the engine: `fuzz_bridge [seconds [seed]]`. Without a number of seconds it
//! runs until it is stopped; each minute has a seed of its own, which is printed. `MOONSHARD_SHOW=1` prints each script
//! before it runs, for those that end the process.

#[path = "../tests/fuzz/mod.rs"]
mod fuzz;
#[path = "../tests/world/mod.rs"]
mod world;

use std::time::{Duration, Instant};

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>().ok());
    let seconds = args.next().flatten().unwrap_or(u64::MAX / 2);
    let mut seed = args.next().flatten().unwrap_or_else(|| u64::from(std::process::id()) << 16 | 1);
    let started = Instant::now();
    while started.elapsed().as_secs() < seconds {
        let time = Duration::from_secs((seconds - started.elapsed().as_secs()).min(60));
        println!("seed {seed}");
        let thread = std::thread::Builder::new().stack_size(moonshard_scripting::THREAD_STACK_BYTES);
        match thread.spawn(move || fuzz::run(seed, time, 1)).map(std::thread::JoinHandle::join) {
            Ok(Ok(scripts)) => println!("{scripts} scripts"),
            // The panic has said what was wrong.
            _ => std::process::exit(1),
        }
        seed = seed.wrapping_add(1 << 16);
    }
}
