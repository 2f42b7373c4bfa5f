//! WAIT and WAITAOF.

use crate::commands::prelude::*;

pub(super) const WAIT: Command = Command {
    handler: Handler::Server(ServerCommand::Wait),
    meta: Meta {
        args: &[Arg::new("numreplicas", ArgKind::Int), Arg::new("timeout", ArgKind::Int)],
        group: "generic", since: "3.0.0",
        summary: "Wait for the synchronous replication of all the write commands sent in the context of the current connection",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..Meta::new("wait", Arity::Exact(3), Flags::NOSCRIPT, Acl::CONNECTION)
    },
}
.checked();

pub(super) const WAITAOF: Command = Command {
    handler: Handler::Server(ServerCommand::WaitAof),
    meta: Meta {
        args: &[
            Arg::new("numlocal", ArgKind::Int),
            Arg::new("numreplicas", ArgKind::Int),
            Arg::new("timeout", ArgKind::Int),
        ],
        group: "generic",
        since: "7.2.0",
        summary: "Blocks until all of the preceding write commands sent by the connection are written to the \
                  append-only file of the master and/or replicas.",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        ..Meta::new("waitaof", Arity::Exact(4), Flags::NOSCRIPT, Acl::CONNECTION)
    },
}
.checked();
