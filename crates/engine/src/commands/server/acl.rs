//! ACL: users and what they may do.

use crate::command::{AclCommand, CommandTable};
use crate::commands::prelude::*;

pub(super) const ACL: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "server",
        since: "6.0.0",
        summary: "A container for Access List Control commands ",
        complexity: "Depends on subcommand.",
        subcommands: &[
            &ACL_CAT,
            &ACL_DELUSER,
            &ACL_DRYRUN,
            &ACL_GENPASS,
            &ACL_GETUSER,
            &ACL_HELP,
            &ACL_LIST,
            &ACL_LOAD,
            &ACL_LOG,
            &ACL_SAVE,
            &ACL_SETUSER,
            &ACL_USERS,
            &ACL_WHOAMI,
        ],
        ..Meta::new("acl", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

const ACL_CAT: Command = Command {
    handler: Handler::Shard(acl_cat),
    meta: Meta {
        args: &[Arg::new("categoryname", ArgKind::String).optional()],
        group: "server",
        since: "6.0.0",
        summary: "List the ACL categories or the commands inside a category",
        complexity: "O(1) since the categories and commands are a fixed set.",
        ..Meta::new(
            "cat",
            Arity::AtLeast(2),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const ACL_DELUSER: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::DelUser)),
    meta: Meta {
        args: &[Arg::new("username", ArgKind::String).multiple()],
        group: "server",
        since: "6.0.0",
        summary: "Remove the specified ACL users and the associated rules",
        complexity: "O(1) amortized time considering the typical user.",
        ..Meta::new(
            "deluser",
            Arity::AtLeast(3),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const ACL_DRYRUN: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::DryRun)),
    meta: Meta {
        args: &[
            Arg::new("username", ArgKind::String),
            Arg::new("command", ArgKind::String),
            Arg::new("arg", ArgKind::String).optional().multiple(),
        ],
        group: "server",
        since: "7.0.0",
        summary: "Returns whether the user can execute the given command without executing the command.",
        complexity: "O(1).",
        ..Meta::new(
            "dryrun",
            Arity::AtLeast(4),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const ACL_GENPASS: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::GenPass)),
    meta: Meta {
        args: &[Arg::new("bits", ArgKind::Int).optional()],
        group: "server",
        since: "6.0.0",
        summary: "Generate a pseudorandom secure password to use for ACL users",
        complexity: "O(1)",
        ..Meta::new(
            "genpass",
            Arity::AtLeast(2),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const ACL_GETUSER: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::GetUser)),
    meta: Meta {
        args: &[Arg::new("username", ArgKind::String)],
        group: "server", since: "6.0.0",
        summary: "Get the rules for a specific ACL user",
        complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
        history: &[("6.2.0", "Added Pub/Sub channel patterns."), ("7.0.0", "Added selectors and changed the format of key and channel patterns from a list to their rule representation.")],
        ..Meta::new("getuser", Arity::Exact(3), Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE), Acl::empty())
    },
}
.checked();

const ACL_HELP: Command = Command {
    handler: Handler::Shard(acl_help),
    meta: Meta {
        group: "server",
        since: "6.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::empty())
    },
}
.checked();

const ACL_LIST: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::List)),
    meta: Meta {
        group: "server",
        since: "6.0.0",
        summary: "List the current ACL rules in ACL config file format",
        complexity: "O(N). Where N is the number of configured users.",
        ..Meta::new(
            "list",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const ACL_LOAD: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::Load)),
    meta: Meta {
        group: "server",
        since: "6.0.0",
        summary: "Reload the ACLs from the configured ACL file",
        complexity: "O(N). Where N is the number of configured users.",
        ..Meta::new(
            "load",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const ACL_LOG: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::Log)),
    meta: Meta {
        args: &[Arg::new(
            "operation",
            ArgKind::OneOf(&[Arg::new("count", ArgKind::Int), Arg::word("reset", "RESET")]),
        )
        .optional()],
        group: "server",
        since: "6.0.0",
        summary: "List latest events denied because of ACLs in place",
        complexity: "O(N) with N being the number of entries shown.",
        ..Meta::new(
            "log",
            Arity::AtLeast(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const ACL_SAVE: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::Save)),
    meta: Meta {
        group: "server",
        since: "6.0.0",
        summary: "Save the current ACL rules in the configured ACL file",
        complexity: "O(N). Where N is the number of configured users.",
        ..Meta::new(
            "save",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const ACL_SETUSER: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::SetUser)),
    meta: Meta {
        args: &[
            Arg::new("username", ArgKind::String),
            Arg::new("rule", ArgKind::String).optional().multiple(),
        ],
        group: "server",
        since: "6.0.0",
        summary: "Modify or create the rules for a specific ACL user",
        complexity: "O(N). Where N is the number of rules provided.",
        history: &[
            ("6.2.0", "Added Pub/Sub channel patterns."),
            ("7.0.0", "Added selectors and key based permissions."),
        ],
        ..Meta::new(
            "setuser",
            Arity::AtLeast(3),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const ACL_USERS: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::Users)),
    meta: Meta {
        group: "server",
        since: "6.0.0",
        summary: "List the username of all the configured ACL rules",
        complexity: "O(N). Where N is the number of configured users.",
        ..Meta::new(
            "users",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

const ACL_WHOAMI: Command = Command {
    handler: Handler::Server(ServerCommand::Acl(AclCommand::WhoAmI)),
    meta: Meta {
        group: "server",
        since: "6.0.0",
        summary: "Return the name of the user associated to the current connection",
        complexity: "O(1)",
        ..Meta::new(
            "whoami",
            Arity::Exact(2),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

/// The categories, or the commands of one.
fn acl_cat(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    match args.len() {
        2 => {
            cx.reply.array(Acl::NAMES.len());
            Acl::NAMES.iter().for_each(|(_, name)| cx.reply.bulk(name.as_bytes()));
        }
        3 => {
            let category = Acl::by_name(args.raw(2)).ok_or_else(|| unknown_category(args.raw(2)))?;
            let entries = CommandTable::get().entries().iter();
            let found: Vec<_> = entries.filter(|entry| entry.command.is_in(category)).collect();
            cx.reply.array(found.len());
            found.iter().for_each(|entry| cx.reply.bulk(entry.full_name.as_bytes()));
        }
        _ => return Err(Error::subcommand_syntax(args)),
    }
    DONE
}

fn unknown_category(name: &[u8]) -> Error {
    const SHOWN_MAX: usize = 128;
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    Error::bytes([b"ERR Unknown category '", &name[..name.len().min(SHOWN_MAX)], b"'"].concat())
}

fn acl_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.lines(&[
        "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CAT [<category>]",
        "    List all commands that belong to <category>, or all command categories",
        "    when no category is specified.",
        "DELUSER <username> [<username> ...]",
        "    Delete a list of users.",
        "DRYRUN <username> <command> [<arg> ...]",
        "    Returns whether the user can execute the given command without executing the command.",
        "GETUSER <username>",
        "    Get the user's details.",
        "GENPASS [<bits>]",
        "    Generate a secure 256-bit user password. The optional `bits` argument can",
        "    be used to specify a different size.",
        "LIST",
        "    Show users details in config file format.",
        "LOAD",
        "    Reload users from the ACL file.",
        "LOG [<count> | RESET]",
        "    Show the ACL log entries.",
        "SAVE",
        "    Save the current config to the ACL file.",
        "SETUSER <username> <attribute> [<attribute> ...]",
        "    Create or modify a user with the specified attributes.",
        "USERS",
        "    List all the registered usernames.",
        "WHOAMI",
        "    Return the current connection username.",
        "HELP",
        "    Prints this help.",
    ]);
    DONE
}
