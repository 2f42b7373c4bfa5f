//! CLIENT.

use crate::commands::prelude::*;

pub(super) const CLIENT: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "connection",
        since: "2.4.0",
        summary: "A container for client connection commands",
        complexity: "Depends on subcommand.",
        subcommands: &[
            &CLIENT_CACHING,
            &CLIENT_GETNAME,
            &CLIENT_GETREDIR,
            &CLIENT_HELP,
            &CLIENT_ID,
            &CLIENT_INFO,
            &CLIENT_KILL,
            &CLIENT_LIST,
            &CLIENT_NO_EVICT,
            &CLIENT_NO_TOUCH,
            &CLIENT_PAUSE,
            &CLIENT_REPLY,
            &CLIENT_SETINFO,
            &CLIENT_SETNAME,
            &CLIENT_TRACKING,
            &CLIENT_TRACKINGINFO,
            &CLIENT_UNBLOCK,
            &CLIENT_UNPAUSE,
        ],
        ..Meta::new("client", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const CLIENT_CACHING: Command = Command {
    handler: Handler::Session(SessionCommand::ClientCaching),
    meta: Meta {
        args: &[Arg::new("mode", ArgKind::OneOf(&[Arg::word("yes", "YES"), Arg::word("no", "NO")]))],
        group: "connection",
        since: "6.0.0",
        summary: "Instruct the server about tracking or not keys in the next request",
        complexity: "O(1)",
        ..Meta::new(
            "caching",
            Arity::Exact(3),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_GETNAME: Command = Command {
    handler: Handler::Session(SessionCommand::ClientGetName),
    meta: Meta {
        group: "connection",
        since: "2.6.9",
        summary: "Get the current connection name",
        complexity: "O(1)",
        ..Meta::new(
            "getname",
            Arity::Exact(2),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_GETREDIR: Command = Command {
    handler: Handler::Session(SessionCommand::ClientGetRedir),
    meta: Meta {
        group: "connection",
        since: "6.0.0",
        summary: "Get tracking notifications redirection client ID if any",
        complexity: "O(1)",
        ..Meta::new(
            "getredir",
            Arity::Exact(2),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_ID: Command = Command {
    handler: Handler::Session(SessionCommand::ClientId),
    meta: Meta {
        group: "connection",
        since: "5.0.0",
        summary: "Returns the client ID for the current connection",
        complexity: "O(1)",
        ..Meta::new(
            "id",
            Arity::Exact(2),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_INFO: Command = Command {
    handler: Handler::Session(SessionCommand::ClientInfo),
    meta: Meta {
        group: "connection",
        since: "6.2.0",
        summary: "Returns information about the current client connection.",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new(
            "info",
            Arity::Exact(2),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_KILL: Command = Command {
    handler: Handler::Session(SessionCommand::ClientKill),
    meta: Meta {
        args: &[Arg::new(
            "filter",
            ArgKind::OneOf(&[
                Arg::new("ip:port", ArgKind::String).deprecated("2.8.12"),
                Arg::new(
                    "new-format",
                    ArgKind::OneOf(&[
                        Arg::new("client-id", ArgKind::Int).token("ID").optional().since("2.8.12"),
                        Arg::new(
                            "normal_master_slave_pubsub",
                            ArgKind::OneOf(&[
                                Arg::word("normal", "NORMAL"),
                                Arg::word("master", "MASTER").since("3.2.0"),
                                Arg::word("slave", "SLAVE"),
                                Arg::word("replica", "REPLICA").since("5.0.0"),
                                Arg::word("pubsub", "PUBSUB"),
                            ]),
                        )
                        .token("TYPE")
                        .optional()
                        .since("2.8.12"),
                        Arg::new("username", ArgKind::String).token("USER").optional(),
                        Arg::new("ip:port", ArgKind::String).token("ADDR").optional(),
                        Arg::new("ip:port", ArgKind::String).token("LADDR").optional().since("6.2.0"),
                        Arg::new("yes/no", ArgKind::String).token("SKIPME").optional(),
                    ]),
                )
                .multiple(),
            ]),
        )],
        group: "connection",
        since: "2.4.0",
        summary: "Kill the connection of a client",
        complexity: "O(N) where N is the number of client connections",
        history: &[
            ("2.8.12", "Added new filter format."),
            ("2.8.12", "`ID` option."),
            ("3.2.0", "Added `master` type in for `TYPE` option."),
            (
                "5.0.0",
                "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward compatibility.",
            ),
            ("6.2.0", "`LADDR` option."),
        ],
        ..Meta::new(
            "kill",
            Arity::AtLeast(3),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_LIST: Command = Command {
    handler: Handler::Session(SessionCommand::ClientList),
    meta: Meta {
        args: &[
            Arg::new(
                "normal_master_replica_pubsub",
                ArgKind::OneOf(&[
                    Arg::word("normal", "NORMAL"),
                    Arg::word("master", "MASTER"),
                    Arg::word("replica", "REPLICA"),
                    Arg::word("pubsub", "PUBSUB"),
                ]),
            )
            .token("TYPE")
            .optional()
            .since("5.0.0"),
            Arg::new("id", ArgKind::Block(&[Arg::new("client-id", ArgKind::Int).multiple()]))
                .token("ID")
                .optional()
                .since("6.2.0"),
        ],
        group: "connection",
        since: "2.4.0",
        summary: "Get the list of client connections",
        complexity: "O(N) where N is the number of client connections",
        history: &[
            ("2.8.12", "Added unique client `id` field."),
            ("5.0.0", "Added optional `TYPE` filter."),
            ("6.0.0", "Added `user` field."),
            (
                "6.2.0",
                "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.",
            ),
            ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
            ("7.0.3", "Added `ssub` field."),
        ],
        tips: &["nondeterministic_output"],
        ..Meta::new(
            "list",
            Arity::AtLeast(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_NO_EVICT: Command = Command {
    handler: Handler::Session(SessionCommand::ClientNoEvict),
    meta: Meta {
        args: &[Arg::new("enabled", ArgKind::OneOf(&[Arg::word("on", "ON"), Arg::word("off", "OFF")]))],
        group: "connection",
        since: "7.0.0",
        summary: "Set client eviction mode for the current connection",
        complexity: "O(1)",
        ..Meta::new(
            "no-evict",
            Arity::Exact(3),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_PAUSE: Command = Command {
    handler: Handler::Session(SessionCommand::ClientPause),
    meta: Meta {
        args: &[
            Arg::new("timeout", ArgKind::Int),
            Arg::new("mode", ArgKind::OneOf(&[Arg::word("write", "WRITE"), Arg::word("all", "ALL")]))
                .optional()
                .since("6.2.0"),
        ],
        group: "connection",
        since: "2.9.50",
        summary: "Stop processing commands from clients for some time",
        complexity: "O(1)",
        history: &[("6.2.0", "`CLIENT PAUSE WRITE` mode added along with the `mode` option.")],
        ..Meta::new(
            "pause",
            Arity::AtLeast(3),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_REPLY: Command = Command {
    handler: Handler::Session(SessionCommand::ClientReply),
    meta: Meta {
        args: &[Arg::new(
            "on_off_skip",
            ArgKind::OneOf(&[Arg::word("on", "ON"), Arg::word("off", "OFF"), Arg::word("skip", "SKIP")]),
        )],
        group: "connection",
        since: "3.2.0",
        summary: "Instruct the server whether to reply to commands",
        complexity: "O(1)",
        ..Meta::new(
            "reply",
            Arity::Exact(3),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_SETNAME: Command = Command {
    handler: Handler::Session(SessionCommand::ClientSetName),
    meta: Meta {
        args: &[Arg::new("connection-name", ArgKind::String)],
        group: "connection",
        since: "2.6.9",
        summary: "Set the current connection name",
        complexity: "O(1)",
        ..Meta::new(
            "setname",
            Arity::Exact(3),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_TRACKING: Command = Command {
    handler: Handler::Session(SessionCommand::ClientTracking),
    meta: Meta {
        args: &[
            Arg::new("status", ArgKind::OneOf(&[Arg::word("on", "ON"), Arg::word("off", "OFF")])),
            Arg::new("client-id", ArgKind::Int).token("REDIRECT").optional(),
            Arg::new("prefix", ArgKind::String).token("PREFIX").optional().multiple().multiple_token(),
            Arg::word("bcast", "BCAST").optional(),
            Arg::word("optin", "OPTIN").optional(),
            Arg::word("optout", "OPTOUT").optional(),
            Arg::word("noloop", "NOLOOP").optional(),
        ],
        group: "connection",
        since: "6.0.0",
        summary: "Enable or disable server assisted client side caching support",
        complexity: "O(1). Some options may introduce additional complexity.",
        ..Meta::new(
            "tracking",
            Arity::AtLeast(3),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_TRACKINGINFO: Command = Command {
    handler: Handler::Session(SessionCommand::ClientTrackingInfo),
    meta: Meta {
        group: "connection",
        since: "6.2.0",
        summary: "Return information about server assisted client side caching for the current connection",
        complexity: "O(1)",
        ..Meta::new(
            "trackinginfo",
            Arity::Exact(2),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_UNBLOCK: Command = Command {
    handler: Handler::Session(SessionCommand::ClientUnblock),
    meta: Meta {
        args: &[
            Arg::new("client-id", ArgKind::Int),
            Arg::new(
                "timeout_error",
                ArgKind::OneOf(&[Arg::word("timeout", "TIMEOUT"), Arg::word("error", "ERROR")]),
            )
            .optional(),
        ],
        group: "connection",
        since: "5.0.0",
        summary: "Unblock a client blocked in a blocking command from a different connection",
        complexity: "O(log N) where N is the number of client connections",
        ..Meta::new(
            "unblock",
            Arity::AtLeast(3),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_UNPAUSE: Command = Command {
    handler: Handler::Session(SessionCommand::ClientUnpause),
    meta: Meta {
        group: "connection",
        since: "6.2.0",
        summary: "Resume processing of clients that were paused",
        complexity: "O(N) Where N is the number of paused clients",
        ..Meta::new(
            "unpause",
            Arity::Exact(2),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_HELP: Command = Command {
    handler: Handler::Shard(client_help),
    meta: Meta {
        group: "connection",
        since: "5.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::CONNECTION)
    },
}
.checked();

pub(super) const CLIENT_NO_TOUCH: Command = Command {
    handler: Handler::Session(SessionCommand::ClientNoTouch),
    meta: Meta {
        args: &[Arg::new("enabled", ArgKind::OneOf(&[Arg::word("on", "ON"), Arg::word("off", "OFF")]))],
        group: "connection",
        since: "7.2.0",
        summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys",
        complexity: "O(1)",
        ..Meta::new(
            "no-touch",
            Arity::Exact(3),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const CLIENT_SETINFO: Command = Command {
    handler: Handler::Session(SessionCommand::ClientSetInfo),
    meta: Meta {
        args: &[Arg::new(
            "attr",
            ArgKind::OneOf(&[
                Arg::new("libname", ArgKind::String).token("LIB-NAME"),
                Arg::new("libver", ArgKind::String).token("LIB-VER"),
            ]),
        )],
        group: "connection",
        since: "7.2.0",
        summary: "Sets information specific to the client or connection",
        complexity: "O(1)",
        ..Meta::new(
            "setinfo",
            Arity::Exact(4),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

fn client_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.lines(&[
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CACHING (YES|NO)",
        "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
        "GETREDIR",
        "    Return the client ID we are redirecting to when tracking is enabled.",
        "GETNAME",
        "    Return the name of the current connection.",
        "ID",
        "    Return the ID of the current connection.",
        "INFO",
        "    Return information about the current client connection.",
        "KILL <ip:port>",
        "    Kill connection made from <ip:port>.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Kill connections. Options are:",
        "    * ADDR (<ip:port>|<unixsocket>:0)",
        "      Kill connections made from the specified address",
        "    * LADDR (<ip:port>|<unixsocket>:0)",
        "      Kill connections made to specified local address",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Kill connections by type.",
        "    * USER <username>",
        "      Kill connections authenticated by <username>.",
        "    * SKIPME (YES|NO)",
        "      Skip killing current connection (default: yes).",
        "LIST [options ...]",
        "    Return information about client connections. Options:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Return clients of specified type.",
        "UNPAUSE",
        "    Stop the current client pause, resuming traffic.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Suspend all, or just write, clients for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Control the replies sent to the current connection.",
        "SETNAME <name>",
        "    Assign the name <name> to the current connection.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "    Unblock the specified blocked client.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
        "         [OPTIN] [OPTOUT] [NOLOOP]",
        "    Control server assisted client side caching.",
        "TRACKINGINFO",
        "    Report tracking status for the current connection.",
        "NO-EVICT (ON|OFF)",
        "    Protect current client connection from eviction.",
        "HELP",
        "    Prints this help.",
    ]);
    DONE
}
