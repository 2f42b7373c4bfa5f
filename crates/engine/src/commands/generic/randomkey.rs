//! RANDOMKEY.

use crate::commands::prelude::*;

pub(super) const RANDOMKEY: Command = Command {
    handler: Handler::Shard(randomkey),
    meta: Meta {
        route: Route::All,
        group: "generic",
        since: "1.0.0",
        summary: "Return a random key from the keyspace",
        complexity: "O(1)",
        tips: &["request_policy:all_shards", "nondeterministic_output"],
        ..Meta::new("randomkey", Arity::Exact(1), Flags::READONLY, Acl::KEYSPACE)
    },
}
.checked();

fn randomkey(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    if !cx.keys.random_key(cx.rng, |key| cx.reply.bulk(key)) {
        cx.reply.null();
    }
    DONE
}
