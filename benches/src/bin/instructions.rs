//! Instructions a request, of several builds: `instructions --help` tells how to run it.

use std::process::ExitCode;

fn main() -> ExitCode {
    moonshard_benches::instructions::main(std::env::args().skip(1))
}
