//! HGET.

use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HGET: Command = Command {
    handler: Handler::Shard(hget),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("field", ArgKind::String)],
        group: "hash",
        since: "2.0.0",
        summary: "Get the value of a hash field",
        complexity: "O(1)",
        ..Meta::new("hget", Arity::Exact(3), Flags::READONLY.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

fn hget(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    match cx.keys.read_as::<Hash>(args.raw(1))?.and_then(|hash| hash.get(args.raw(2))) {
        Some(value) => bulk_element(cx.reply, value),
        None => cx.reply.null(),
    }
    DONE
}
