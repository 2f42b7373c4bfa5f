//! LATENCY.

use crate::commands::prelude::*;

pub(super) const LATENCY: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "server",
        since: "2.8.13",
        summary: "A container for latency diagnostics commands",
        complexity: "Depends on subcommand.",
        subcommands: &[
            &LATENCY_DOCTOR,
            &LATENCY_GRAPH,
            &LATENCY_HELP,
            &LATENCY_HISTOGRAM,
            &LATENCY_HISTORY,
            &LATENCY_LATEST,
            &LATENCY_RESET,
        ],
        ..Meta::new("latency", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const LATENCY_DOCTOR: Command = Command {
    handler: Handler::Server(ServerCommand::LatencyDoctor),
    meta: Meta {
        group: "server",
        since: "2.8.13",
        summary: "Return a human readable latency analysis report.",
        complexity: "O(1)",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..Meta::new(
            "doctor",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const LATENCY_GRAPH: Command = Command {
    handler: Handler::Server(ServerCommand::LatencyGraph),
    meta: Meta {
        args: &[Arg::new("event", ArgKind::String)],
        group: "server",
        since: "2.8.13",
        summary: "Return a latency graph for the event.",
        complexity: "O(1)",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..Meta::new(
            "graph",
            Arity::Exact(3),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const LATENCY_HISTOGRAM: Command = Command {
    handler: Handler::Server(ServerCommand::LatencyHistogram),
    meta: Meta {
        args: &[Arg::new("command", ArgKind::String).optional().multiple()],
        group: "server",
        since: "7.0.0",
        summary: "Return the cumulative distribution of latencies of a subset of commands or all.",
        complexity: "O(N) where N is the number of commands with latency information being retrieved.",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..Meta::new(
            "histogram",
            Arity::AtLeast(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const LATENCY_HISTORY: Command = Command {
    handler: Handler::Server(ServerCommand::LatencyHistory),
    meta: Meta {
        args: &[Arg::new("event", ArgKind::String)],
        group: "server",
        since: "2.8.13",
        summary: "Return timestamp-latency samples for the event.",
        complexity: "O(1)",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..Meta::new(
            "history",
            Arity::Exact(3),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const LATENCY_LATEST: Command = Command {
    handler: Handler::Server(ServerCommand::LatencyLatest),
    meta: Meta {
        group: "server",
        since: "2.8.13",
        summary: "Return the latest latency samples for all events.",
        complexity: "O(1)",
        tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
        ..Meta::new(
            "latest",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const LATENCY_RESET: Command = Command {
    handler: Handler::Server(ServerCommand::LatencyReset),
    meta: Meta {
        args: &[Arg::new("event", ArgKind::String).optional().multiple()],
        group: "server",
        since: "2.8.13",
        summary: "Reset latency data for one or more events.",
        complexity: "O(1)",
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Meta::new(
            "reset",
            Arity::AtLeast(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const LATENCY_HELP: Command = Command {
    handler: Handler::Shard(latency_help),
    meta: Meta {
        group: "server",
        since: "2.8.13",
        summary: "Show helpful text about the different subcommands.",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::empty())
    },
}
.checked();

fn latency_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.lines(&[
        "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    Return a human readable latency analysis report.",
        "GRAPH <event>",
        "    Return an ASCII latency graph for the <event> class.",
        "HISTORY <event>",
        "    Return time-latency samples for the <event> class.",
        "LATEST",
        "    Return the latest latency samples for all events.",
        "RESET [<event> ...]",
        "    Reset latency data of one or more <event> classes.",
        "    (default: reset all data for all event classes)",
        "HISTOGRAM [COMMAND ...]",
        "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
        "    If no commands are specified then all histograms are replied.",
        "HELP",
        "    Prints this help.",
    ]);
    DONE
}
