//! A short run of the fuzzer; `cargo run -p moonshard-scripting --example fuzz_bridge` is as long as one likes.

mod fuzz;
mod world;

use std::time::Duration;

#[test]
fn random_scripts_do_no_harm() {
    let seed = std::env::var("MOONSHARD_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) << 16 | 1);
    println!("MOONSHARD_SEED={seed}");
    let thread = std::thread::Builder::new().stack_size(moonshard_scripting::THREAD_STACK_BYTES);
    let thread = thread.spawn(move || fuzz::run(seed, Duration::from_secs(4), 50));
    match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(scripts)) => println!("{scripts} scripts"),
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => panic!("no thread: {error}"),
    }
}
