//! XLEN.

use crate::commands::prelude::*;
use moonshard_store::Stream;

pub(super) const XLEN: Command = Command {
    handler: Handler::Shard(xlen),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "stream",
        since: "5.0.0",
        summary: "Return the number of entries in a stream",
        complexity: "O(1)",
        ..Meta::new("xlen", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::STREAM)
    },
}
.checked();

fn xlen(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let len = cx.keys.read_as::<Stream>(args.raw(1))?.map_or(0, Stream::len);
    cx.reply.count(len);
    DONE
}
