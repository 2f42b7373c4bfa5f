//! SCARD.

use crate::commands::prelude::*;
use moonshard_store::Set;

pub(super) const SCARD: Command = Command {
    handler: Handler::Shard(scard),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "set",
        since: "1.0.0",
        summary: "Get the number of members in a set",
        complexity: "O(1)",
        ..Meta::new("scard", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::SET)
    },
}
.checked();

fn scard(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let set = cx.keys.read_as::<Set>(args.raw(1))?;
    cx.reply.count(set.map_or(0, Set::len));
    DONE
}
