//! QUIT.

use crate::commands::prelude::*;

pub(super) const QUIT: Command = Command {
    handler: Handler::Session(SessionCommand::Quit),
    meta: Meta {
        group: "connection",
        since: "1.0.0",
        summary: "Close the connection",
        complexity: "O(1)",
        ..Meta::new(
            "quit",
            Arity::AtLeast(1),
            Flags::ALLOW_BUSY
                .union(Flags::NOSCRIPT)
                .union(Flags::LOADING)
                .union(Flags::STALE)
                .union(Flags::FAST)
                .union(Flags::NO_AUTH),
            Acl::CONNECTION,
        )
    },
}
.checked();
