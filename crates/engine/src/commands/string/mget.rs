//! MGET.

use crate::commands::prelude::*;

pub(super) const MGET: Command = Command {
    handler: Handler::Shard(mget),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple()],
        group: "string",
        since: "1.0.0",
        summary: "Get the values of all the given keys",
        complexity: "O(N) where N is the number of keys to retrieve.",
        tips: &["request_policy:multi_shard"],
        ..Meta::new("mget", Arity::AtLeast(2), Flags::READONLY.union(Flags::FAST), Acl::STRING)
    },
}
.checked();

fn mget(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = args.from(1);
    cx.reply.array(keys.len());
    for key in keys {
        match cx.keys.read(key).and_then(|entry| entry.string()) {
            Some(value) => cx.reply.bulk(value),
            None => cx.reply.null(),
        }
    }
    DONE
}
