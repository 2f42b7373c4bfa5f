//! KEYS.

use crate::commands::prelude::*;
use crate::glob;

pub(super) const KEYS: Command = Command {
    handler: Handler::Shard(keys),
    meta: Meta {
        route: Route::All,
        args: &[Arg::new("pattern", ArgKind::Pattern)],
        group: "generic", since: "1.0.0",
        summary: "Find all keys matching the given pattern",
        complexity: "O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.",
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        ..Meta::new("keys", Arity::Exact(2), Flags::READONLY, Acl::KEYSPACE.union(Acl::DANGEROUS))
    },
}
.checked();

fn keys(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let pattern = args.raw(1);
    let all = pattern == b"*";
    let open = cx.reply.open_array();
    let mut found = 0;
    cx.keys.each_entry(|entry| {
        if all || glob::matches(pattern, entry.key(), false) {
            cx.reply.bulk(entry.key());
            found += 1;
        }
    });
    cx.reply.close(open, found);
    DONE
}
