//! CONFIG.

use crate::commands::prelude::*;

pub(super) const CONFIG: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "server",
        since: "2.0.0",
        summary: "A container for server configuration commands",
        complexity: "Depends on subcommand.",
        subcommands: &[&CONFIG_GET, &CONFIG_HELP, &CONFIG_RESETSTAT, &CONFIG_REWRITE, &CONFIG_SET],
        ..Meta::new("config", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const CONFIG_GET: Command = Command {
    handler: Handler::Server(ServerCommand::ConfigGet),
    meta: Meta {
        args: &[Arg::new("parameter", ArgKind::Block(&[Arg::new("parameter", ArgKind::String)])).multiple()],
        group: "server",
        since: "2.0.0",
        summary: "Get the values of configuration parameters",
        complexity: "O(N) when N is the number of configuration parameters provided",
        history: &[("7.0.0", "Added the ability to pass multiple pattern parameters in one call")],
        ..Meta::new(
            "get",
            Arity::AtLeast(3),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const CONFIG_RESETSTAT: Command = Command {
    handler: Handler::Server(ServerCommand::ConfigResetStat),
    meta: Meta {
        group: "server",
        since: "2.0.0",
        summary: "Reset the stats returned by INFO",
        complexity: "O(1)",
        ..Meta::new(
            "resetstat",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const CONFIG_REWRITE: Command = Command {
    handler: Handler::Server(ServerCommand::ConfigRewrite),
    meta: Meta {
        group: "server",
        since: "2.8.0",
        summary: "Rewrite the configuration file with the in memory configuration",
        complexity: "O(1)",
        ..Meta::new(
            "rewrite",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const CONFIG_SET: Command = Command {
    handler: Handler::Server(ServerCommand::ConfigSet),
    meta: Meta {
        args: &[Arg::new(
            "parameter_value",
            ArgKind::Block(&[Arg::new("parameter", ArgKind::String), Arg::new("value", ArgKind::String)]),
        )
        .multiple()],
        group: "server",
        since: "2.0.0",
        summary: "Set configuration parameters to the given values",
        complexity: "O(N) when N is the number of configuration parameters provided",
        history: &[("7.0.0", "Added the ability to set multiple parameters in one call.")],
        tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
        ..Meta::new(
            "set",
            Arity::AtLeast(4),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const CONFIG_HELP: Command = Command {
    handler: Handler::Shard(config_help),
    meta: Meta {
        group: "server",
        since: "5.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::empty())
    },
}
.checked();

fn config_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.lines(&[
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern>",
        "    Return parameters matching the glob-like <pattern> and their values.",
        "SET <directive> <value>",
        "    Set the configuration <directive> to <value>.",
        "RESETSTAT",
        "    Reset statistics reported by the INFO command.",
        "REWRITE",
        "    Rewrite the configuration file.",
        "HELP",
        "    Prints this help.",
    ]);
    DONE
}
