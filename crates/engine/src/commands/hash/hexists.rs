//! HEXISTS.

use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HEXISTS: Command = Command {
    handler: Handler::Shard(hexists),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("field", ArgKind::String)],
        group: "hash",
        since: "2.0.0",
        summary: "Determine if a hash field exists",
        complexity: "O(1)",
        ..Meta::new("hexists", Arity::Exact(3), Flags::READONLY.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

fn hexists(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let hash = cx.keys.read_as::<Hash>(args.raw(1))?;
    cx.reply.int(i64::from(hash.is_some_and(|hash| hash.contains(args.raw(2)))));
    DONE
}
