//! The binary `moonshard`.

use moonshard_server::{allocator::Counting, check, ping, startup};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let mut args = std::env::args_os().peekable();
    let program = args.next().unwrap_or_default();
    if let Some(code) = check::run_as(&program, args.by_ref()) {
        return code;
    }
    if args.peek().is_some_and(|first| first == "check") {
        return check::run(args.skip(1));
    }
    if args.peek().is_some_and(|first| first == "ping") {
        return ping::run(args.skip(1).map(|arg| arg.to_string_lossy().into_owned()));
    }
    startup::run(args)
}
