//! DEBUG.

use crate::commands::prelude::*;

pub(super) const DEBUG: Command = Command {
    handler: Handler::Server(ServerCommand::Debug),
    meta: Meta {
        group: "server",
        since: "1.0.0",
        summary: "A container for debugging commands",
        complexity: "Depends on subcommand.",
        doc_flags: DocFlags::SYSCMD,
        ..Meta::new(
            "debug",
            Arity::AtLeast(2),
            Flags::ADMIN
                .union(Flags::NOSCRIPT)
                .union(Flags::LOADING)
                .union(Flags::STALE)
                .union(Flags::PROTECTED),
            Acl::empty(),
        )
    },
}
.checked();
