//! LOLWUT.

use crate::commands::prelude::*;

pub(super) const LOLWUT: Command = Command {
    handler: Handler::Server(ServerCommand::Lolwut),
    meta: Meta {
        args: &[Arg::new("version", ArgKind::Int).token("VERSION").optional()],
        group: "server",
        since: "5.0.0",
        summary: "Display some computer art and the Redis version",
        ..Meta::new("lolwut", Arity::AtLeast(1), Flags::READONLY.union(Flags::FAST), Acl::empty())
    },
}
.checked();
