//! SELECT.

use crate::commands::prelude::*;

pub(super) const SELECT: Command = Command {
    handler: Handler::Session(SessionCommand::Select),
    meta: Meta {
        args: &[Arg::new("index", ArgKind::Int)],
        group: "connection",
        since: "1.0.0",
        summary: "Change the selected database for the current connection",
        complexity: "O(1)",
        ..Meta::new(
            "select",
            Arity::Exact(2),
            Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
            Acl::CONNECTION,
        )
    },
}
.checked();
