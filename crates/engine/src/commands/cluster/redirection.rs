//! ASKING, READONLY, READWRITE: what a client says about the redirections it follows.

use crate::commands::prelude::*;

pub(super) const ASKING: Command = Command {
    handler: Handler::Session(SessionCommand::Asking),
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "Sent by cluster clients after an -ASK redirect",
        complexity: "O(1)",
        ..Meta::new("asking", Arity::Exact(1), Flags::FAST, Acl::CONNECTION)
    },
}
.checked();

pub(super) const READONLY: Command = Command {
    handler: Handler::Session(SessionCommand::Readonly),
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "Enables read queries for a connection to a cluster replica node",
        complexity: "O(1)",
        ..Meta::new(
            "readonly",
            Arity::Exact(1),
            Flags::FAST.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();

pub(super) const READWRITE: Command = Command {
    handler: Handler::Session(SessionCommand::Readwrite),
    meta: Meta {
        group: "cluster",
        since: "3.0.0",
        summary: "Disables read queries for a connection to a cluster replica node",
        complexity: "O(1)",
        ..Meta::new(
            "readwrite",
            Arity::Exact(1),
            Flags::FAST.union(Flags::LOADING).union(Flags::STALE),
            Acl::CONNECTION,
        )
    },
}
.checked();
