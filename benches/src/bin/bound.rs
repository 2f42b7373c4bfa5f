//! The bound: `bound PORT [IO-THREADS]` parses requests, answers each with `+OK`, and does nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let port = args.next().and_then(|port| port.parse().ok());
    let threads = args.next().map_or(Some(0), |threads| threads.parse().ok());
    let (Some(port), Some(threads), None) = (port, threads, args.next()) else {
        eprintln!("usage: bound PORT [IO-THREADS]");
        return ExitCode::from(2);
    };
    match moonshard_benches::bound::serve(port, threads) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bound: {error}");
            ExitCode::FAILURE
        }
    }
}
