//! INFO.

use crate::commands::prelude::*;

pub(super) const INFO: Command = Command {
    handler: Handler::Server(ServerCommand::Info),
    meta: Meta {
        args: &[Arg::new("section", ArgKind::String).optional().multiple()],
        group: "server",
        since: "1.0.0",
        summary: "Get information and statistics about the server",
        complexity: "O(1)",
        history: &[("7.0.0", "Added support for taking multiple section arguments.")],
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        ..Meta::new("info", Arity::AtLeast(1), Flags::LOADING.union(Flags::STALE), Acl::DANGEROUS)
    },
}
.checked();
