//! HSETNX.

use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HSETNX: Command = Command {
    handler: Handler::Shard(hsetnx),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("field", ArgKind::String),
            Arg::new("value", ArgKind::String),
        ],
        group: "hash",
        since: "2.0.0",
        summary: "Set the value of a hash field, only if the field does not exist",
        complexity: "O(1)",
        ..Meta::new(
            "hsetnx",
            Arity::Exact(4),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::HASH,
        )
    },
}
.checked();

fn hsetnx(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, field) = (args.raw(1), args.raw(2));
    let hash = cx.keys.create_as::<Hash>(key)?;
    if hash.contains(field) {
        cx.reply.int(0);
        return DONE;
    }
    hash.set(field, args.raw(3), cx.settings.hash, cx.settings.seed);
    cx.keys.changed(EventClass::HASH, "hset", key);
    cx.reply.int(1);
    DONE
}
