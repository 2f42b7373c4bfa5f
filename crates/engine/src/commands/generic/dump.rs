//! DUMP.

use crate::commands::prelude::*;

pub(super) const DUMP: Command = Command {
    handler: Handler::Shard(dump),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic", since: "2.6.0",
        summary: "Return a serialized version of the value stored at the specified key.",
        complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
        tips: &["nondeterministic_output"],
        ..Meta::new("dump", Arity::Exact(2), Flags::READONLY, Acl::KEYSPACE)
    },
}
.checked();

fn dump(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let compress = cx.settings.compress_dumps;
    match cx.keys.read(args.raw(1)).map(|entry| moonshard_rdb::dump(entry.value(), compress)) {
        Some(payload) => cx.reply.bulk(&payload),
        None => cx.reply.null(),
    }
    DONE
}
