//! HSTRLEN.

use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HSTRLEN: Command = Command {
    handler: Handler::Shard(hstrlen),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("field", ArgKind::String)],
        group: "hash",
        since: "3.2.0",
        summary: "Get the length of the value of a hash field",
        complexity: "O(1)",
        ..Meta::new("hstrlen", Arity::Exact(3), Flags::READONLY.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

fn hstrlen(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let hash = cx.keys.read_as::<Hash>(args.raw(1))?;
    cx.reply.count(hash.and_then(|hash| hash.value_len(args.raw(2))).unwrap_or(0));
    DONE
}
