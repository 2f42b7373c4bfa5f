//! MEMORY.

use crate::commands::prelude::*;

pub(super) const MEMORY: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "server",
        since: "4.0.0",
        summary: "A container for memory diagnostics commands",
        complexity: "Depends on subcommand.",
        subcommands: &[
            &MEMORY_DOCTOR,
            &MEMORY_HELP,
            &MEMORY_MALLOC_STATS,
            &MEMORY_PURGE,
            &MEMORY_STATS,
            &MEMORY_USAGE,
        ],
        ..Meta::new("memory", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const MEMORY_DOCTOR: Command = Command {
    handler: Handler::Server(ServerCommand::MemoryDoctor),
    meta: Meta {
        group: "server",
        since: "4.0.0",
        summary: "Outputs memory problems report",
        complexity: "O(1)",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Meta::new("doctor", Arity::Exact(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const MEMORY_MALLOC_STATS: Command = Command {
    handler: Handler::Server(ServerCommand::MemoryMallocStats),
    meta: Meta {
        group: "server",
        since: "4.0.0",
        summary: "Show allocator internal stats",
        complexity: "Depends on how much memory is allocated, could be slow",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Meta::new("malloc-stats", Arity::Exact(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const MEMORY_PURGE: Command = Command {
    handler: Handler::Server(ServerCommand::MemoryPurge),
    meta: Meta {
        group: "server",
        since: "4.0.0",
        summary: "Ask the allocator to release memory",
        complexity: "Depends on how much memory is allocated, could be slow",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Meta::new("purge", Arity::Exact(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const MEMORY_STATS: Command = Command {
    handler: Handler::Server(ServerCommand::MemoryStats),
    meta: Meta {
        group: "server",
        since: "4.0.0",
        summary: "Show memory usage details",
        complexity: "O(1)",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Meta::new("stats", Arity::Exact(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const MEMORY_USAGE: Command = Command {
    handler: Handler::Shard(memory_usage),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RO)],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("count", ArgKind::Int).token("SAMPLES").optional(),
        ],
        group: "server",
        since: "4.0.0",
        summary: "Estimate the memory usage of a key",
        complexity: "O(N) where N is the number of samples.",
        ..Meta::new("usage", Arity::AtLeast(3), Flags::READONLY, Acl::empty())
    },
}
.checked();

pub(super) const MEMORY_HELP: Command = Command {
    handler: Handler::Shard(memory_help),
    meta: Meta {
        group: "server",
        since: "4.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::empty())
    },
}
.checked();

fn memory_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.lines(&[
        "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    Return memory problems reports.",
        "MALLOC-STATS",
        "    Return internal statistics report from the memory allocator.",
        "PURGE",
        "    Attempt to purge dirty pages for reclamation by the allocator.",
        "STATS",
        "    Return information about the memory usage of the server.",
        "USAGE <key> [SAMPLES <count>]",
        "    Return memory in bytes used by <key> and its value. Nested values are",
        "    sampled up to <count> times (default: 5, 0 means sample all).",
        "HELP",
        "    Prints this help.",
    ]);
    DONE
}

fn memory_usage(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let mut at = 3;
    while at < args.len() {
        if !args.is(at, "SAMPLES") || at + 1 == args.len() {
            return Err(Error::SYNTAX);
        }
        // The size is known without sampling; the count is only checked.
        if args.int(at + 1)? < 0 {
            return Err(Error::SYNTAX);
        }
        at += 2;
    }
    match cx.keys.get(args.raw(2)) {
        Some(entry) => cx.reply.count(entry.memory_bytes()),
        None => cx.reply.null(),
    }
    DONE
}
