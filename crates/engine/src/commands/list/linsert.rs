//! LINSERT.

use crate::commands::prelude::*;
use moonshard_store::List;

pub(super) const LINSERT: Command = Command {
    handler: Handler::Shard(linsert),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("where", ArgKind::OneOf(&[Arg::word("before", "BEFORE"), Arg::word("after", "AFTER")])), Arg::new("pivot", ArgKind::String), Arg::new("element", ArgKind::String)],
        group: "list", since: "2.2.0",
        summary: "Insert an element before or after another element in a list",
        complexity: "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere on the right end (tail) is O(N).",
        ..Meta::new("linsert", Arity::Exact(5), Flags::WRITE.union(Flags::DENYOOM), Acl::LIST)
    },
}
.checked();

fn linsert(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, pivot, element) = (args.raw(1), args.raw(3), args.raw(4));
    let before = args.is(2, "BEFORE");
    if !before && !args.is(2, "AFTER") {
        return Err(Error::SYNTAX);
    }
    let Some(list) = cx.keys.write_as::<List>(key)? else {
        cx.reply.int(0);
        return DONE;
    };
    let limits = cx.settings.list;
    let inserted = if before {
        list.insert_before(pivot, element, limits)
    } else {
        list.insert_after(pivot, element, limits)
    };
    let len = list.len();
    if !inserted {
        cx.reply.int(-1);
        return DONE;
    }
    cx.keys.changed(EventClass::LIST, "linsert", key);
    cx.reply.count(len);
    DONE
}
