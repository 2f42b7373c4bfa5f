//! ROLE.

use crate::commands::prelude::*;

pub(super) const ROLE: Command = Command {
    handler: Handler::Server(ServerCommand::Role),
    meta: Meta {
        group: "server",
        since: "2.8.12",
        summary: "Return the role of the instance in the context of replication",
        complexity: "O(1)",
        ..Meta::new(
            "role",
            Arity::Exact(1),
            Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::FAST),
            Acl::ADMIN.union(Acl::DANGEROUS),
        )
    },
}
.checked();
