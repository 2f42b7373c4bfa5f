//! LRANGE.

use crate::commands::prelude::*;
use moonshard_store::List;

pub(super) const LRANGE: Command = Command {
    handler: Handler::Shard(lrange),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("start", ArgKind::Int), Arg::new("stop", ArgKind::Int)],
        group: "list", since: "1.0.0",
        summary: "Get a range of elements from a list",
        complexity: "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD or TAIL) for large lists; and N is the number of elements in the specified range.",
        ..Meta::new("lrange", Arity::Exact(4), Flags::READONLY, Acl::LIST)
    },
}
.checked();

fn lrange(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (start, stop) = (args.int(2)?, args.int(3)?);
    let Some(list) = cx.keys.read_as::<List>(args.raw(1))? else {
        cx.reply.array(0);
        return DONE;
    };
    let range = list.range(start, stop);
    cx.reply.array(range.len());
    range.for_each(|element| bulk_element(cx.reply, element));
    DONE
}
