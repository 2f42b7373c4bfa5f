//! MODULE. There are no modules: none is listed, and none can be loaded.

use crate::commands::prelude::*;

pub(super) const MODULE: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "server",
        since: "4.0.0",
        summary: "A container for module commands",
        complexity: "Depends on subcommand.",
        subcommands: &[&MODULE_HELP, &MODULE_LIST, &MODULE_LOAD, &MODULE_LOADEX, &MODULE_UNLOAD],
        ..Meta::new("module", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

const MODULE_LIST: Command = Command {
    handler: Handler::Shard(module_list),
    meta: Meta {
        group: "server",
        since: "4.0.0",
        summary: "List all modules loaded by the server",
        complexity: "O(N) where N is the number of loaded modules.",
        tips: &["nondeterministic_output_order"],
        ..Meta::new("list", Arity::Exact(2), Flags::ADMIN.union(Flags::NOSCRIPT), Acl::empty())
    },
}
.checked();

const MODULE_LOAD: Command = Command {
    handler: Handler::Server(ServerCommand::ModuleLoad),
    meta: Meta {
        args: &[Arg::new("path", ArgKind::String), Arg::new("arg", ArgKind::String).optional().multiple()],
        group: "server",
        since: "4.0.0",
        summary: "Load a module",
        complexity: "O(1)",
        ..Meta::new(
            "load",
            Arity::AtLeast(3),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::NOSCRIPT).union(Flags::PROTECTED),
            Acl::empty(),
        )
    },
}
.checked();

const MODULE_LOADEX: Command = Command {
    handler: Handler::Server(ServerCommand::ModuleLoad),
    meta: Meta {
        args: &[
            Arg::new("path", ArgKind::String),
            Arg::new(
                "configs",
                ArgKind::Block(&[Arg::new("name", ArgKind::String), Arg::new("value", ArgKind::String)]),
            )
            .token("CONFIG")
            .optional()
            .multiple()
            .multiple_token(),
            Arg::new("args", ArgKind::Block(&[Arg::new("arg", ArgKind::String)]))
                .token("ARGS")
                .optional()
                .multiple(),
        ],
        group: "server",
        since: "7.0.0",
        summary: "Load a module with extended parameters",
        complexity: "O(1)",
        ..Meta::new(
            "loadex",
            Arity::AtLeast(3),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::NOSCRIPT).union(Flags::PROTECTED),
            Acl::empty(),
        )
    },
}
.checked();

const MODULE_UNLOAD: Command = Command {
    handler: Handler::Server(ServerCommand::ModuleUnload),
    meta: Meta {
        args: &[Arg::new("name", ArgKind::String)],
        group: "server",
        since: "4.0.0",
        summary: "Unload a module",
        complexity: "O(1)",
        ..Meta::new(
            "unload",
            Arity::Exact(3),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::NOSCRIPT).union(Flags::PROTECTED),
            Acl::empty(),
        )
    },
}
.checked();

const MODULE_HELP: Command = Command {
    handler: Handler::Shard(module_help),
    meta: Meta {
        group: "server",
        since: "5.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::empty())
    },
}
.checked();

fn module_list(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.array(0);
    DONE
}

fn module_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.lines(&[
        "MODULE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "LIST",
        "    Return a list of loaded modules.",
        "LOAD <path> [<arg> ...]",
        "    Load a module library from <path>, passing to it any optional arguments.",
        "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
        "    Load a module library from <path>, while passing it module configurations and optional arguments.",
        "UNLOAD <name>",
        "    Unload a module.",
        "HELP",
        "    Prints this help.",
    ]);
    DONE
}
