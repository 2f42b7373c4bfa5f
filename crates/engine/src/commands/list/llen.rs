//! LLEN.

use crate::commands::prelude::*;
use moonshard_store::List;

pub(super) const LLEN: Command = Command {
    handler: Handler::Shard(llen),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "list",
        since: "1.0.0",
        summary: "Get the length of a list",
        complexity: "O(1)",
        ..Meta::new("llen", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::LIST)
    },
}
.checked();

fn llen(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let list = cx.keys.read_as::<List>(args.raw(1))?;
    cx.reply.count(list.map_or(0, List::len));
    DONE
}
