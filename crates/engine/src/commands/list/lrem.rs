//! LREM.

use crate::commands::prelude::*;
use moonshard_store::List;

pub(super) const LREM: Command = Command {
    handler: Handler::Shard(lrem),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("count", ArgKind::Int),
            Arg::new("element", ArgKind::String),
        ],
        group: "list",
        since: "1.0.0",
        summary: "Remove elements from a list",
        complexity: "O(N+M) where N is the length of the list and M is the number of elements removed.",
        ..Meta::new("lrem", Arity::Exact(4), Flags::WRITE, Acl::LIST)
    },
}
.checked();

fn lrem(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, count) = (args.raw(1), args.int(2)?);
    let Some(list) = cx.keys.write_as::<List>(key)? else {
        cx.reply.int(0);
        return DONE;
    };
    let removed = list.remove(count, args.raw(3), cx.settings.list);
    let drained = list.is_empty();
    if removed > 0 {
        cx.keys.shrunk(EventClass::LIST, "lrem", key, drained);
    }
    cx.reply.count(removed);
    DONE
}
