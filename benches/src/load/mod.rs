//! The load comparison: redis-server and Moonshard under the same load in turn, row by row, and what is to be reached.

pub(crate) mod client;
mod data;
pub(crate) mod error;
mod json;
mod latency;
mod memory;
mod options;
mod parallel;
mod persistence;
pub(crate) mod process;
mod programs;
pub(crate) mod redis_benchmark;
mod report;
mod rounds;
mod rows;
mod scripts;
mod statistics;
pub(crate) mod stop;
mod subscribers;

use error::Error;
use options::{Invocation, Options};
use programs::Programs;
use report::Report;
use rows::Group;
use std::process::ExitCode;

/// Exit status when something was not measured or missed its bound.
const MISSED: u8 = 1;
/// Exit status of a wrong command line, and when servers cannot be started at all.
const NOT_RUN: u8 = 2;
/// Exit status after Ctrl-C, as shells have it.
const INTERRUPTED: u8 = 130;

/// Runs the comparison as the arguments, without the program's name, say.
pub fn main(args: impl Iterator<Item = String>) -> ExitCode {
    let options = match Invocation::parse(args) {
        Ok(Invocation::Run(options)) => options,
        Ok(Invocation::Help) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Invocation::List) => {
            rows::names().for_each(|(name, group)| println!("{name} ({})", group.name()));
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("load: {error}");
            return ExitCode::from(NOT_RUN);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(MISSED),
        Err(Error::Interrupted) => {
            eprintln!("load: interrupted");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::from(NOT_RUN)
        }
    }
}

/// Measures all that was asked for and prints it; tells whether every bound was reached.
fn run(options: &Options) -> Result<bool, Error> {
    stop::install();
    let programs = Programs::find(options)?;
    let mut report = Report::new(options);
    rounds::measure(options, &programs, &mut report)?;
    for &io_threads in &options.io_threads {
        if options.wants(rows::OTHER_SHARDS, Group::Base) {
            report.latency.push((io_threads, kept(latency::measure(options, &programs, io_threads))?));
        }
    }
    for &io_threads in &options.io_threads {
        if options.wants(rows::PARALLEL, Group::Scripts) {
            report.parallel.push((io_threads, kept(parallel::measure(options, &programs, io_threads))?));
        }
    }
    for row in memory::ROWS.iter().filter(|row| options.wants(row.name, Group::Memory)) {
        report.memory.extend(memory::measure(options, &programs, row)?);
    }
    for &io_threads in &options.io_threads {
        report.persistence.extend(persistence::measure(options, &programs, io_threads)?);
    }
    print!("{report}");
    if let Some(path) = &options.json {
        std::fs::write(path, report.json()).map_err(|e| Error::io(format!("write {}", path.display()), e))?;
    }
    Ok(report.all_reached())
}

/// What failed is shown in its row; only an interruption ends the whole run.
fn kept<T>(result: Result<T, Error>) -> Result<Result<T, Error>, Error> {
    match result {
        Err(Error::Interrupted) => Err(Error::Interrupted),
        other => Ok(other),
    }
}
