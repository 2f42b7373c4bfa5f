//! STRLEN.

use crate::commands::prelude::*;

pub(super) const STRLEN: Command = Command {
    handler: Handler::Shard(strlen),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "string",
        since: "2.2.0",
        summary: "Get the length of the value stored in a key",
        complexity: "O(1)",
        ..Meta::new("strlen", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::STRING)
    },
}
.checked();

fn strlen(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    cx.reply.count(cx.keys.read_str(args.raw(1))?.unwrap_or_default().len());
    DONE
}
