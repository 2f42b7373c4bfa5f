//! LASTSAVE.

use crate::commands::prelude::*;

pub(super) const LASTSAVE: Command = Command {
    handler: Handler::Server(ServerCommand::LastSave),
    meta: Meta {
        group: "server",
        since: "1.0.0",
        summary: "Get the UNIX time stamp of the last successful save to disk",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new(
            "lastsave",
            Arity::Exact(1),
            Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
            Acl::ADMIN.union(Acl::DANGEROUS),
        )
    },
}
.checked();
