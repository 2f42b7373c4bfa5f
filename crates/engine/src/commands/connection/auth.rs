//! AUTH.

use crate::commands::prelude::*;

pub(super) const AUTH: Command = Command {
    handler: Handler::Session(SessionCommand::Auth),
    meta: Meta {
        args: &[
            Arg::new("username", ArgKind::String).optional().since("6.0.0"),
            Arg::new("password", ArgKind::String),
        ],
        group: "connection",
        since: "1.0.0",
        summary: "Authenticate to the server",
        complexity: "O(N) where N is the number of passwords defined for the user",
        history: &[("6.0.0", "Added ACL style (username and password).")],
        ..Meta::new(
            "auth",
            Arity::AtLeast(2),
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
