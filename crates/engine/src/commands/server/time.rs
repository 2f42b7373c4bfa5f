//! TIME.

use crate::commands::prelude::*;

pub(super) const TIME: Command = Command {
    handler: Handler::Shard(time),
    meta: Meta {
        group: "server",
        since: "2.6.0",
        summary: "Return the current server time",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new(
            "time",
            Arity::Exact(1),
            Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
            Acl::empty(),
        )
    },
}
.checked();
