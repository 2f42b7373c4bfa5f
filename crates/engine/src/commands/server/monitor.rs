//! MONITOR.

use crate::commands::prelude::*;

pub(super) const MONITOR: Command = Command {
    handler: Handler::Session(SessionCommand::Monitor),
    meta: Meta {
        group: "server",
        since: "1.0.0",
        summary: "Listen for all requests received by the server in real time",
        ..Meta::new(
            "monitor",
            Arity::Exact(1),
            Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();
