//! COMMAND: what the commands are, told from their declarations.

use super::{docs, getkeys, info, list};
use crate::command::CommandTable;
use crate::commands::prelude::*;

pub(super) const COMMAND: Command = Command {
    handler: Handler::Shard(info::command),
    meta: Meta {
        group: "server",
        since: "2.8.13",
        summary: "Get array of Redis command details",
        complexity: "O(N) where N is the total number of Redis commands",
        tips: &["nondeterministic_output_order"],
        subcommands: &[
            &COMMAND_COUNT,
            &COMMAND_DOCS,
            &COMMAND_GETKEYS,
            &COMMAND_GETKEYSANDFLAGS,
            &COMMAND_HELP,
            &COMMAND_INFO,
            &COMMAND_LIST,
        ],
        ..Meta::new("command", Arity::AtLeast(1), Flags::LOADING.union(Flags::STALE), Acl::CONNECTION)
    },
}
.checked();

const COMMAND_COUNT: Command = Command {
    handler: Handler::Shard(count),
    meta: Meta {
        group: "server",
        since: "2.8.13",
        summary: "Get total number of Redis commands",
        complexity: "O(1)",
        ..Meta::new("count", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::CONNECTION)
    },
}
.checked();

const COMMAND_DOCS: Command = Command {
    handler: Handler::Shard(docs::command_docs),
    meta: Meta {
        args: &[Arg::new("command-name", ArgKind::String).optional().multiple()],
        group: "server",
        since: "7.0.0",
        summary: "Get array of specific Redis command documentation",
        complexity: "O(N) where N is the number of commands to look up",
        tips: &["nondeterministic_output_order"],
        ..Meta::new("docs", Arity::AtLeast(2), Flags::LOADING.union(Flags::STALE), Acl::CONNECTION)
    },
}
.checked();

const COMMAND_GETKEYS: Command = Command {
    handler: Handler::Shard(getkeys::command_getkeys),
    meta: Meta {
        group: "server",
        since: "2.8.13",
        summary: "Extract keys given a full Redis command",
        complexity: "O(N) where N is the number of arguments to the command",
        ..Meta::new("getkeys", Arity::AtLeast(4), Flags::LOADING.union(Flags::STALE), Acl::CONNECTION)
    },
}
.checked();

const COMMAND_GETKEYSANDFLAGS: Command = Command {
    handler: Handler::Shard(getkeys::command_getkeysandflags),
    meta: Meta {
        group: "server",
        since: "7.0.0",
        summary: "Extract keys and access flags given a full Redis command",
        complexity: "O(N) where N is the number of arguments to the command",
        ..Meta::new("getkeysandflags", Arity::AtLeast(4), Flags::LOADING.union(Flags::STALE), Acl::CONNECTION)
    },
}
.checked();

const COMMAND_HELP: Command = Command {
    handler: Handler::Shard(help),
    meta: Meta {
        group: "server",
        since: "5.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::CONNECTION)
    },
}
.checked();

const COMMAND_INFO: Command = Command {
    handler: Handler::Shard(info::command_info),
    meta: Meta {
        args: &[Arg::new("command-name", ArgKind::String).optional().multiple()],
        group: "server",
        since: "2.8.13",
        summary: "Get array of specific Redis command details, or all when no argument is given.",
        complexity: "O(N) where N is the number of commands to look up",
        history: &[("7.0.0", "Allowed to be called with no argument to get info on all commands.")],
        tips: &["nondeterministic_output_order"],
        ..Meta::new("info", Arity::AtLeast(2), Flags::LOADING.union(Flags::STALE), Acl::CONNECTION)
    },
}
.checked();

const COMMAND_LIST: Command = Command {
    handler: Handler::Shard(list::command_list),
    meta: Meta {
        args: &[Arg::new(
            "filterby",
            ArgKind::OneOf(&[
                Arg::new("module-name", ArgKind::String).token("MODULE"),
                Arg::new("category", ArgKind::String).token("ACLCAT"),
                Arg::new("pattern", ArgKind::Pattern).token("PATTERN"),
            ]),
        )
        .token("FILTERBY")
        .optional()],
        group: "server",
        since: "7.0.0",
        summary: "Get an array of Redis command names",
        complexity: "O(N) where N is the total number of Redis commands",
        tips: &["nondeterministic_output_order"],
        ..Meta::new("list", Arity::AtLeast(2), Flags::LOADING.union(Flags::STALE), Acl::CONNECTION)
    },
}
.checked();

fn count(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.count(CommandTable::get().commands().count());
    DONE
}

fn help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    const LINES: &[&str] = &[
        "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "(no subcommand)",
        "    Return details about all Redis commands.",
        "COUNT",
        "    Return the total number of commands in this Redis server.",
        "LIST",
        "    Return a list of all commands in this Redis server.",
        "INFO [<command-name> ...]",
        "    Return details about multiple Redis commands.",
        "    If no command names are given, documentation details for all",
        "    commands are returned.",
        "DOCS [<command-name> ...]",
        "    Return documentation details about multiple Redis commands.",
        "    If no command names are given, documentation details for all",
        "    commands are returned.",
        "GETKEYS <full-command>",
        "    Return the keys from a full Redis command.",
        "GETKEYSANDFLAGS <full-command>",
        "    Return the keys and the access flags from a full Redis command.",
        "HELP",
        "    Prints this help.",
    ];
    cx.reply.array(LINES.len());
    LINES.iter().for_each(|line| cx.reply.status(line));
    DONE
}
