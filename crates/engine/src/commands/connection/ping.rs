//! PING.

use crate::commands::prelude::*;

pub(super) const PING: Command = Command {
    handler: Handler::Shard(ping),
    meta: Meta {
        args: &[Arg::new("message", ArgKind::String).optional()],
        group: "connection",
        since: "1.0.0",
        summary: "Ping the server",
        complexity: "O(1)",
        // Whoever asks whether the server serves, such as Redis Sentinel, wants to know this.
        route: Route::Any,
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        ..Meta::new("ping", Arity::AtLeast(1), Flags::FAST, Acl::CONNECTION)
    },
}
.checked();

fn ping(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    match args.len() {
        1 => cx.reply.status("PONG"),
        2 => cx.reply.bulk(args.raw(1)),
        _ => return Err(Error::wrong_arity("ping")),
    }
    DONE
}
