//! Scripts and what redis-server 7.0.15 answers to them, byte for byte.

mod world;

use moonshard_protocol::split_args::split_args;
use moonshard_scripting::ScriptFlags;
use world::World;

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
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
