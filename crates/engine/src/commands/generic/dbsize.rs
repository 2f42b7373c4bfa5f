//! DBSIZE.

use crate::commands::prelude::*;

pub(super) const DBSIZE: Command = Command {
    handler: Handler::Shard(dbsize),
    meta: Meta {
        route: Route::All,
        group: "server",
        since: "1.0.0",
        summary: "Return the number of keys in the selected database",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        ..Meta::new("dbsize", Arity::Exact(1), Flags::READONLY.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

fn dbsize(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.count(cx.keys.len());
    DONE
}
