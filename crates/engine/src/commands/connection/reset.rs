//! RESET.

use crate::commands::prelude::*;

pub(super) const RESET: Command = Command {
    handler: Handler::Session(SessionCommand::Reset),
    meta: Meta {
        group: "connection",
        since: "6.2.0",
        summary: "Reset the connection",
        complexity: "O(1)",
        ..Meta::new(
            "reset",
            Arity::Exact(1),
            Flags::NOSCRIPT
                .union(Flags::LOADING)
                .union(Flags::STALE)
                .union(Flags::FAST)
                .union(Flags::NO_AUTH)
                .union(Flags::ALLOW_BUSY),
            Acl::CONNECTION,
        )
    },
}
.checked();
