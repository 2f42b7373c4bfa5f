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

fn time(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    let micros = cx.keys.now_micros();
    cx.reply.array(2);
    cx.reply.bulk_int((micros / 1_000_000) as i64);
    cx.reply.bulk_int((micros % 1_000_000) as i64);
    DONE
}
