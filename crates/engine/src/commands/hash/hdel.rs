//! HDEL.

use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HDEL: Command = Command {
    handler: Handler::Shard(hdel),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("field", ArgKind::String).multiple()],
        group: "hash",
        since: "2.0.0",
        summary: "Delete one or more hash fields",
        complexity: "O(N) where N is the number of fields to be removed.",
        history: &[("2.4.0", "Accepts multiple `field` arguments.")],
        ..Meta::new("hdel", Arity::AtLeast(3), Flags::WRITE.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

fn hdel(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let Some(hash) = cx.keys.write_as::<Hash>(key)? else {
        cx.reply.int(0);
        return DONE;
    };
    let removed = args.from(2).iter().filter(|field| hash.remove(field)).count();
    let drained = hash.is_empty();
    if removed > 0 {
        cx.keys.shrunk(EventClass::HASH, "hdel", key, drained);
    }
    cx.reply.count(removed);
    DONE
}
