//! SCRIPT: the scripts that the server knows, and the one that runs.

use crate::commands::prelude::*;

pub(super) const SCRIPT: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "scripting",
        since: "2.6.0",
        summary: "A container for Lua scripts management commands",
        complexity: "Depends on subcommand.",
        subcommands: &[
            &DEBUG, &EXISTS, &EXPLAIN, &FLUSH, &HELP, &KILL, &LIST, &LOAD, &PROFILE, &SHOW, &STATS,
        ],
        ..Meta::new("script", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

const DEBUG: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptDebug),
    meta: Meta {
        args: &[Arg::new(
            "mode",
            ArgKind::OneOf(&[Arg::word("yes", "YES"), Arg::word("sync", "SYNC"), Arg::word("no", "NO")]),
        )],
        group: "scripting",
        since: "3.2.0",
        summary: "Set the debug mode for executed scripts.",
        complexity: "O(1)",
        ..Meta::new("debug", Arity::Exact(3), Flags::NOSCRIPT, Acl::SCRIPTING)
    },
}
.checked();

const EXISTS: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptExists),
    meta: Meta {
        args: &[Arg::new("sha1", ArgKind::String).multiple()],
        group: "scripting", since: "2.6.0",
        summary: "Check existence of scripts in the script cache.",
        complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        ..Meta::new("exists", Arity::AtLeast(3), Flags::NOSCRIPT, Acl::SCRIPTING)
    },
}
.checked();

const EXPLAIN: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptExplain),
    meta: Meta {
        args: &[
            Arg::new("script", ArgKind::String),
            Arg::new("numkeys", ArgKind::Int),
            Arg::new("key", ArgKind::String).optional().multiple(),
            Arg::new("arg", ArgKind::String).optional().multiple(),
        ],
        group: "scripting",
        since: "0.1.0",
        summary: "Tell what is known of a script and of a call of it, without running it.",
        complexity: "O(N) with N being the length in bytes of the script body, and of the keys",
        ..Meta::new("explain", Arity::AtLeast(4), Flags::NOSCRIPT, Acl::SCRIPTING)
    },
}
.checked();

const FLUSH: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptFlush),
    meta: Meta {
        args: &[Arg::new("async", ArgKind::OneOf(&[Arg::word("async", "ASYNC"), Arg::word("sync", "SYNC")]))
            .optional()
            .since("6.2.0")],
        group: "scripting",
        since: "2.6.0",
        summary: "Remove all the scripts from the script cache.",
        complexity: "O(N) with N being the number of scripts in cache",
        history: &[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Meta::new("flush", Arity::AtLeast(2), Flags::NOSCRIPT, Acl::SCRIPTING)
    },
}
.checked();

const HELP: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptHelp),
    meta: Meta {
        group: "scripting",
        since: "5.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::SCRIPTING)
    },
}
.checked();

const KILL: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptKill),
    meta: Meta {
        group: "scripting",
        since: "2.6.0",
        summary: "Kill the script currently in execution.",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        ..Meta::new("kill", Arity::AtLeast(2), Flags::NOSCRIPT.union(Flags::ALLOW_BUSY), Acl::SCRIPTING)
    },
}
.checked();

const LIST: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptList),
    meta: Meta {
        group: "scripting",
        since: "0.1.0",
        summary: "List the scripts in the script cache.",
        complexity: "O(N log(N)) with N being the number of scripts in cache",
        tips: &["nondeterministic_output"],
        ..Meta::new("list", Arity::Exact(2), Flags::NOSCRIPT, Acl::SCRIPTING)
    },
}
.checked();

const LOAD: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptLoad),
    meta: Meta {
        args: &[Arg::new("script", ArgKind::String)],
        group: "scripting",
        since: "2.6.0",
        summary: "Load the specified Lua script into the script cache.",
        complexity: "O(N) with N being the length in bytes of the script body.",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Meta::new("load", Arity::Exact(3), Flags::NOSCRIPT.union(Flags::STALE), Acl::SCRIPTING)
    },
}
.checked();

const PROFILE: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptProfile),
    meta: Meta {
        args: &[
            Arg::new(
                "action",
                ArgKind::OneOf(&[
                    Arg::word("start", "START"),
                    Arg::word("stop", "STOP"),
                    Arg::word("get", "GET"),
                ]),
            ),
            Arg::new("script", ArgKind::String).optional().multiple(),
            Arg::word("folded", "FOLDED").optional(),
        ],
        group: "scripting",
        since: "0.1.0",
        summary: "Take profiles of scripts and functions: the time that each of their lines takes.",
        complexity: "O(N) with N being the number of lines and stacks of lines that were seen",
        tips: &["nondeterministic_output"],
        ..Meta::new("profile", Arity::AtLeast(3), Flags::NOSCRIPT, Acl::SCRIPTING)
    },
}
.checked();

const SHOW: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptShow),
    meta: Meta {
        args: &[Arg::new("sha1", ArgKind::String)],
        group: "scripting",
        since: "0.1.0",
        summary: "Show the text of a script in the script cache.",
        complexity: "O(1)",
        ..Meta::new("show", Arity::Exact(3), Flags::NOSCRIPT, Acl::SCRIPTING)
    },
}
.checked();

const STATS: Command = Command {
    handler: Handler::Server(ServerCommand::ScriptStats),
    meta: Meta {
        args: &[Arg::new("script", ArgKind::String).optional()],
        group: "scripting",
        since: "0.1.0",
        summary: "Show what was counted of a script or function, or of all of them.",
        complexity: "O(N log(N)) with N being the number of scripts and functions that were run, on each shard",
        tips: &["nondeterministic_output"],
        ..Meta::new("stats", Arity::AtLeast(2), Flags::NOSCRIPT, Acl::SCRIPTING)
    },
}
.checked();
