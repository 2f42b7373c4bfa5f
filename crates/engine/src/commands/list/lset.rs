//! LSET.

use super::index::absolute;
use crate::commands::prelude::*;
use moonshard_store::List;

pub(super) const LSET: Command = Command {
    handler: Handler::Shard(lset),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("index", ArgKind::Int), Arg::new("element", ArgKind::String)],
        group: "list", since: "1.0.0",
        summary: "Set the value of an element in a list by its index",
        complexity: "O(N) where N is the length of the list. Setting either the first or the last element of the list is O(1).",
        ..Meta::new("lset", Arity::Exact(4), Flags::WRITE.union(Flags::DENYOOM), Acl::LIST)
    },
}
.checked();

fn lset(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let list = cx.keys.write_as::<List>(key)?.ok_or(Error::NO_SUCH_KEY)?;
    let index = absolute(args.int(2)?, list.len()).ok_or(Error::INDEX_OUT_OF_RANGE)?;
    list.set(index, args.raw(3), cx.settings.list);
    cx.keys.changed(EventClass::LIST, "lset", key);
    cx.reply.ok();
    DONE
}
