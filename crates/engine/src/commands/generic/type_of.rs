//! TYPE.

use crate::commands::prelude::*;
use crate::keyspace::Shard;

pub(super) const TYPE: Command = Command {
    handler: Handler::Shard(type_of),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic",
        since: "1.0.0",
        summary: "Determine the type stored at key",
        complexity: "O(1)",
        ..Meta::new("type", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

fn type_of(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let name = cx.keys.look(args.raw(1)).map_or("none", Shard::type_name);
    cx.reply.status(name);
    DONE
}
