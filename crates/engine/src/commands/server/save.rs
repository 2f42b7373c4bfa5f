//! SAVE, BGSAVE and BGREWRITEAOF.

use crate::commands::prelude::*;

pub(super) const SAVE: Command = Command {
    handler: Handler::Server(ServerCommand::Save),
    meta: Meta {
        group: "server",
        since: "1.0.0",
        summary: "Synchronously save the dataset to disk",
        complexity: "O(N) where N is the total number of keys in all databases",
        ..Meta::new(
            "save",
            Arity::Exact(1),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::NOSCRIPT).union(Flags::NO_MULTI),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const BGREWRITEAOF: Command = Command {
    handler: Handler::Server(ServerCommand::BgRewriteAof),
    meta: Meta {
        group: "server",
        since: "1.0.0",
        summary: "Asynchronously rewrite the append-only file",
        complexity: "O(1)",
        ..Meta::new(
            "bgrewriteaof",
            Arity::Exact(1),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::NOSCRIPT),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const BGSAVE: Command = Command {
    handler: Handler::Server(ServerCommand::BgSave),
    meta: Meta {
        args: &[Arg::word("schedule", "SCHEDULE").optional().since("3.2.2")],
        group: "server",
        since: "1.0.0",
        summary: "Asynchronously save the dataset to disk",
        complexity: "O(1)",
        history: &[("3.2.2", "Added the `SCHEDULE` option.")],
        ..Meta::new(
            "bgsave",
            Arity::AtLeast(1),
            Flags::NO_ASYNC_LOADING.union(Flags::ADMIN).union(Flags::NOSCRIPT),
            Acl::empty(),
        )
    },
}
.checked();
