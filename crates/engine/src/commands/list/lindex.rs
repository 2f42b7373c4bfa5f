//! LINDEX.

use super::index::absolute;
use crate::commands::prelude::*;
use moonshard_store::List;

pub(super) const LINDEX: Command = Command {
    handler: Handler::Shard(lindex),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("index", ArgKind::Int)],
        group: "list", since: "1.0.0",
        summary: "Get an element from a list by its index",
        complexity: "O(N) where N is the number of elements to traverse to get to the element at index. This makes asking for the first or the last element of the list O(1).",
        ..Meta::new("lindex", Arity::Exact(3), Flags::READONLY, Acl::LIST)
    },
}
.checked();

fn lindex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    // The index is only looked at when there is a list.
    let Some(list) = cx.keys.read_as::<List>(args.raw(1))? else {
        cx.reply.null();
        return DONE;
    };
    match absolute(args.int(2)?, list.len()).and_then(|index| list.get(index)) {
        Some(element) => bulk_element(cx.reply, element),
        None => cx.reply.null(),
    }
    DONE
}
