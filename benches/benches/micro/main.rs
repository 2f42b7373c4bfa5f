//! Benches of single parts: what a request costs at each step of its way.

mod commands;
mod engine;
mod journal;
mod keyspace;
mod lock;
mod look_up;
mod parsing;
mod scripts;

use criterion::Criterion;
use std::time::Duration;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    parsing::benches(&mut criterion);
    look_up::benches(&mut criterion);
    keyspace::benches(&mut criterion);
    commands::benches(&mut criterion);
    scripts::benches(&mut criterion);
    lock::benches(&mut criterion);
    journal::benches(&mut criterion);
    criterion.final_summary();
}
