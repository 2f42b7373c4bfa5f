//! Runs files of Redis' test suite against Moonshard, all of them unless some are named:
//!
//!     cargo run -p moonshard-tests --bin tcl -- [--shards N] [--stall SECONDS] [--verbose] [unit/scan ...]
//!
//! With `MOONSHARD_BIN=redis-server` it runs against Redis itself, and the numbers are those for `tests/tcl/reference`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use moonshard_tests::corpus::{self, NotYet};
use moonshard_tests::tcl::{self, Exceptions, Reference};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut files, mut shards, mut stall) = (Vec::new(), 16, tcl::STALL);
    let mut verbose = false;
    while let Some(arg) = args.next() {
        let mut number =
            || args.next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{arg} wants a number"));
        match arg.as_str() {
            "--shards" => shards = number(),
            "--stall" => stall = Duration::from_secs(number() as u64),
            "--verbose" => verbose = true,
            _ if arg.starts_with('-') => {
                panic!("no option {arg}: --shards N, --stall SECONDS, --verbose, names of files")
            }
            _ => files.push(arg),
        }
    }
    let (exceptions, reference) = (Exceptions::load(), Reference::load());
    let not_yet = NotYet::load(&corpus::folder().join("NOT_YET"));
    if files.is_empty() {
        files = reference.files.iter().map(|(file, _)| file.clone()).collect();
    }
    let suite = tcl::suite().unwrap_or_else(|e| panic!("{e}"));
    println!("{:<24} {:>8} {:>8} {:>8} {:>8}", "file", "tests", "passed", "wrong", "seconds");
    let (mut tests, mut passed, mut wrong) = (0, 0, 0);
    for file in &files {
        let start = Instant::now();
        let run = tcl::run(&suite, file, shards, &exceptions, stall);
        let complaints = tcl::complaints(&run, &exceptions, &not_yet, reference.count(file));
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{file:<24} {:>8} {:>8} {:>8} {seconds:>8.1}",
            run.tests.len(),
            run.passed(),
            complaints.len()
        );
        for complaint in &complaints {
            for line in complaint.to_string().lines().take(if verbose { usize::MAX } else { 4 }) {
                println!("  {line:.200}");
            }
        }
        tests += run.tests.len();
        passed += run.passed();
        wrong += complaints.len();
    }
    println!("{:<24} {tests:>8} {passed:>8} {wrong:>8}", format!("{} files", files.len()));
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
