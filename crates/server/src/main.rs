//! The binary `moonshard`.

use moonshard_server::{allocator::Counting, ping, startup};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1).peekable();
    if args.peek().is_some_and(|first| first == "ping") {
        return ping::run(args.skip(1).map(|arg| arg.to_string_lossy().into_owned()));
    }
    startup::run(args)
}
