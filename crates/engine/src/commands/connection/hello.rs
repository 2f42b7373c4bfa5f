//! HELLO.

use crate::commands::prelude::*;

pub(super) const HELLO: Command = Command {
    handler: Handler::Session(SessionCommand::Hello),
    meta: Meta {
        args: &[Arg::new("arguments", ArgKind::Block(&[Arg::new("protover", ArgKind::Int), Arg::new("username_password", ArgKind::Block(&[Arg::new("username", ArgKind::String), Arg::new("password", ArgKind::String)])).token("AUTH").optional(), Arg::new("clientname", ArgKind::String).token("SETNAME").optional()])).optional()],
        group: "connection", since: "6.0.0",
        summary: "Handshake with Redis",
        complexity: "O(1)",
        history: &[("6.2.0", "`protover` made optional; when called without arguments the command reports the current connection's context.")],
        ..Meta::new("hello", Arity::AtLeast(1), Flags::NOSCRIPT.union(Flags::LOADING).union(Flags::STALE).union(Flags::FAST).union(Flags::NO_AUTH).union(Flags::ALLOW_BUSY), Acl::CONNECTION)
    },
}
.checked();
