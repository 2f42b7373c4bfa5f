//! Scripts and what redis-server 7.0.15 answers to them, byte for byte.

#![allow(clippy::unwrap_used, reason = "a failure is a panic")]

mod world;

use moonshard_protocol::split_args::split_args;
use moonshard_scripting::ScriptFlags;
use world::World;

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn replies_are_those_of_redis() {
    let mut world = World::default();
    // Redis lets scripts touch what they do not declare.
    world.settings.set_default_flags(ScriptFlags::ALLOW_UNDECLARED_KEYS);
    let mut lines = include_str!("recorded/replies.txt").lines().filter(|line| !line.starts_with('#'));
    let mut failures = Vec::new();
    while let (Some(command), Some(expected)) = (lines.next(), lines.next()) {
        let args = split_args(command.as_bytes()).unwrap();
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let reply = shown(&world.command(&args));
        if reply != expected.trim_start() {
            failures.push(format!("{command}\n  redis: {}\n  ours:  {reply}", expected.trim_start()));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Prints the replies to a file of commands, for comparing by hand: `REPLIES_TO=file cargo test -- replies_to`.
#[test]
fn replies_to() {
    let Ok(path) = std::env::var("REPLIES_TO") else { return };
    let mut world = World::default();
    world.settings.set_default_flags(ScriptFlags::ALLOW_UNDECLARED_KEYS);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let Some(args) = split_args(line.as_bytes()) else { continue };
        if args.is_empty() || line.starts_with('#') {
            continue;
        }
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        println!("{line}\n  {}", shown(&world.command(&args)));
    }
}
