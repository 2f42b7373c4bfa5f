//! SHUTDOWN.

use crate::commands::prelude::*;

pub(super) const SHUTDOWN: Command = Command {
    handler: Handler::Server(ServerCommand::Shutdown),
    meta: Meta {
        args: &[Arg::new("nosave_save", ArgKind::OneOf(&[Arg::word("nosave", "NOSAVE"), Arg::word("save", "SAVE")])).optional(), Arg::word("now", "NOW").optional().since("7.0.0"), Arg::word("force", "FORCE").optional().since("7.0.0"), Arg::word("abort", "ABORT").optional().since("7.0.0")],
        group: "server", since: "1.0.0",
        summary: "Synchronously save the dataset to disk and then shut down the server",
        complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
        history: &[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")],
        ..Meta::new("shutdown", Arity::AtLeast(1), Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE).union(Flags::NO_MULTI).union(Flags::ALLOW_BUSY), Acl::empty())
    },
}
.checked();
