//! LTRIM.

use crate::commands::prelude::*;
use moonshard_store::List;

pub(super) const LTRIM: Command = Command {
    handler: Handler::Shard(ltrim),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("start", ArgKind::Int),
            Arg::new("stop", ArgKind::Int),
        ],
        group: "list",
        since: "1.0.0",
        summary: "Trim a list to the specified range",
        complexity: "O(N) where N is the number of elements to be removed by the operation.",
        ..Meta::new("ltrim", Arity::Exact(4), Flags::WRITE, Acl::LIST)
    },
}
.checked();

fn ltrim(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, start, stop) = (args.raw(1), args.int(2)?, args.int(3)?);
    if let Some(list) = cx.keys.write_as::<List>(key)? {
        let before = list.len();
        list.trim(start, stop, cx.settings.list);
        let (drained, is_same) = (list.is_empty(), list.len() == before);
        // Told even when nothing was cut off, as Redis does.
        cx.keys.shrunk(EventClass::LIST, "ltrim", key, drained);
        if is_same {
            cx.keys.replay_nothing();
        }
    }
    cx.reply.ok();
    DONE
}
