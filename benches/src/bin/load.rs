//! The load comparison: `load --help` tells how to run it.

use std::process::ExitCode;

fn main() -> ExitCode {
    moonshard_benches::load::main(std::env::args().skip(1))
}
