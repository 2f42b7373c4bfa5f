//! HMGET.

use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HMGET: Command = Command {
    handler: Handler::Shard(hmget),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("field", ArgKind::String).multiple()],
        group: "hash",
        since: "2.0.0",
        summary: "Get the values of all the given hash fields",
        complexity: "O(N) where N is the number of fields being requested.",
        ..Meta::new("hmget", Arity::AtLeast(3), Flags::READONLY.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

fn hmget(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let hash = cx.keys.read_as::<Hash>(args.raw(1))?;
    let fields = args.from(2);
    cx.reply.array(fields.len());
    for field in fields {
        match hash.and_then(|hash| hash.get(field)) {
            Some(value) => bulk_element(cx.reply, value),
            None => cx.reply.null(),
        }
    }
    DONE
}
