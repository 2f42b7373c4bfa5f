//! ECHO.

use crate::commands::prelude::*;

pub(super) const ECHO: Command = Command {
    handler: Handler::Shard(echo),
    meta: Meta {
        args: &[Arg::new("message", ArgKind::String)],
        group: "connection",
        since: "1.0.0",
        summary: "Echo the given string",
        complexity: "O(1)",
        ..Meta::new(
            "echo",
            Arity::Exact(2),
            Flags::LOADING.union(Flags::STALE).union(Flags::FAST),
            Acl::CONNECTION,
        )
    },
}
.checked();

fn echo(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    cx.reply.bulk(args.raw(1));
    DONE
}
