//! FUNCTION: the libraries of functions, and the function that runs.

use crate::commands::prelude::*;

pub(super) const FUNCTION: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "scripting",
        since: "7.0.0",
        summary: "A container for function commands",
        complexity: "Depends on subcommand.",
        subcommands: &[&DELETE, &DUMP, &FLUSH, &HELP, &KILL, &LIST, &LOAD, &RESTORE, &STATS],
        ..Meta::new("function", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

const DELETE: Command = Command {
    handler: Handler::Server(ServerCommand::FunctionDelete),
    meta: Meta {
        args: &[Arg::new("library-name", ArgKind::String)],
        group: "scripting",
        since: "7.0.0",
        summary: "Delete a function by name",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Meta::new("delete", Arity::Exact(3), Flags::NOSCRIPT.union(Flags::WRITE), Acl::SCRIPTING)
    },
}
.checked();

const DUMP: Command = Command {
    handler: Handler::Server(ServerCommand::FunctionDump),
    meta: Meta {
        group: "scripting",
        since: "7.0.0",
        summary: "Dump all functions into a serialized binary payload",
        complexity: "O(N) where N is the number of functions",
        ..Meta::new("dump", Arity::Exact(2), Flags::NOSCRIPT, Acl::SCRIPTING)
    },
}
.checked();

const FLUSH: Command = Command {
    handler: Handler::Server(ServerCommand::FunctionFlush),
    meta: Meta {
        args: &[Arg::new("async", ArgKind::OneOf(&[Arg::word("async", "ASYNC"), Arg::word("sync", "SYNC")]))
            .optional()],
        group: "scripting",
        since: "7.0.0",
        summary: "Deleting all functions",
        complexity: "O(N) where N is the number of functions deleted",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Meta::new("flush", Arity::AtLeast(2), Flags::NOSCRIPT.union(Flags::WRITE), Acl::SCRIPTING)
    },
}
.checked();

const HELP: Command = Command {
    handler: Handler::Server(ServerCommand::FunctionHelp),
    meta: Meta {
        group: "scripting",
        since: "7.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::SCRIPTING)
    },
}
.checked();

const KILL: Command = Command {
    handler: Handler::Server(ServerCommand::FunctionKill),
    meta: Meta {
        group: "scripting",
        since: "7.0.0",
        summary: "Kill the function currently in execution.",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..Meta::new("kill", Arity::Exact(2), Flags::NOSCRIPT.union(Flags::ALLOW_BUSY), Acl::SCRIPTING)
    },
}
.checked();

const LIST: Command = Command {
    handler: Handler::Server(ServerCommand::FunctionList),
    meta: Meta {
        args: &[
            Arg::new("library-name-pattern", ArgKind::String).token("LIBRARYNAME").optional(),
            Arg::word("withcode", "WITHCODE").optional(),
        ],
        group: "scripting",
        since: "7.0.0",
        summary: "List information about all the functions",
        complexity: "O(N) where N is the number of functions",
        tips: &["nondeterministic_output_order"],
        ..Meta::new("list", Arity::AtLeast(2), Flags::NOSCRIPT, Acl::SCRIPTING)
    },
}
.checked();

const LOAD: Command = Command {
    handler: Handler::Server(ServerCommand::FunctionLoad),
    meta: Meta {
        args: &[Arg::word("replace", "REPLACE").optional(), Arg::new("function-code", ArgKind::String)],
        group: "scripting",
        since: "7.0.0",
        summary: "Create a function with the given arguments (name, code, description)",
        complexity: "O(1) (considering compilation time is redundant)",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Meta::new(
            "load",
            Arity::AtLeast(3),
            Flags::NOSCRIPT.union(Flags::WRITE).union(Flags::DENYOOM),
            Acl::SCRIPTING,
        )
    },
}
.checked();

const RESTORE: Command = Command {
    handler: Handler::Server(ServerCommand::FunctionRestore),
    meta: Meta {
        args: &[
            Arg::new("serialized-value", ArgKind::String),
            Arg::new(
                "policy",
                ArgKind::OneOf(&[
                    Arg::word("flush", "FLUSH"),
                    Arg::word("append", "APPEND"),
                    Arg::word("replace", "REPLACE"),
                ]),
            )
            .optional(),
        ],
        group: "scripting",
        since: "7.0.0",
        summary: "Restore all the functions on the given payload",
        complexity: "O(N) where N is the number of functions on the payload",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Meta::new(
            "restore",
            Arity::AtLeast(3),
            Flags::NOSCRIPT.union(Flags::WRITE).union(Flags::DENYOOM),
            Acl::SCRIPTING,
        )
    },
}
.checked();

const STATS: Command = Command {
    handler: Handler::Server(ServerCommand::FunctionStats),
    meta: Meta {
        group: "scripting",
        since: "7.0.0",
        summary: "Return information about the function currently running (name, description, duration)",
        complexity: "O(1)",
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Meta::new("stats", Arity::Exact(2), Flags::NOSCRIPT.union(Flags::ALLOW_BUSY), Acl::SCRIPTING)
    },
}
.checked();
