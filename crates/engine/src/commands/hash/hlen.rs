//! HLEN.

use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HLEN: Command = Command {
    handler: Handler::Shard(hlen),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "hash",
        since: "2.0.0",
        summary: "Get the number of fields in a hash",
        complexity: "O(1)",
        ..Meta::new("hlen", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

fn hlen(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let hash = cx.keys.read_as::<Hash>(args.raw(1))?;
    cx.reply.count(hash.map_or(0, Hash::len));
    DONE
}
