//! SLOWLOG.

use crate::commands::prelude::*;

pub(super) const SLOWLOG: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "server",
        since: "2.2.12",
        summary: "A container for slow log commands",
        complexity: "Depends on subcommand.",
        subcommands: &[&SLOWLOG_GET, &SLOWLOG_HELP, &SLOWLOG_LEN, &SLOWLOG_RESET],
        ..Meta::new("slowlog", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const SLOWLOG_GET: Command = Command {
    handler: Handler::Server(ServerCommand::SlowlogGet),
    meta: Meta {
        args: &[Arg::new("count", ArgKind::Int).optional()],
        group: "server",
        since: "2.2.12",
        summary: "Get the slow log's entries",
        complexity: "O(N) where N is the number of entries returned",
        history: &[("4.0.0", "Added client IP address, port and name to the reply.")],
        tips: &["request_policy:all_nodes", "nondeterministic_output"],
        ..Meta::new(
            "get",
            Arity::AtLeast(2),
            Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const SLOWLOG_LEN: Command = Command {
    handler: Handler::Server(ServerCommand::SlowlogLen),
    meta: Meta {
        group: "server",
        since: "2.2.12",
        summary: "Get the slow log's length",
        complexity: "O(1)",
        tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
        ..Meta::new(
            "len",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const SLOWLOG_RESET: Command = Command {
    handler: Handler::Server(ServerCommand::SlowlogReset),
    meta: Meta {
        group: "server",
        since: "2.2.12",
        summary: "Clear all entries from the slow log",
        complexity: "O(N) where N is the number of entries in the slowlog",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Meta::new(
            "reset",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const SLOWLOG_HELP: Command = Command {
    handler: Handler::Shard(slowlog_help),
    meta: Meta {
        group: "server",
        since: "6.2.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::empty())
    },
}
.checked();

fn slowlog_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.lines(&[
        "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET [<count>]",
        "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
        "    Entries are made of:",
        "    id, timestamp, time in microseconds, arguments array, client IP and port,",
        "    client name",
        "LEN",
        "    Return the length of the slowlog.",
        "RESET",
        "    Reset the slowlog.",
        "HELP",
        "    Prints this help.",
    ]);
    DONE
}
