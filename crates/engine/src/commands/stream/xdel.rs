//! XDEL.

use super::id;
use crate::commands::prelude::*;
use moonshard_store::Stream;

pub(super) const XDEL: Command = Command {
    handler: Handler::Shard(xdel),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("id", ArgKind::String).multiple()],
        group: "stream", since: "5.0.0",
        summary: "Removes the specified entries from the stream. Returns the number of items actually deleted, that may be different from the number of IDs passed in case certain IDs do not exist.",
        complexity: "O(1) for each single item to delete in the stream, regardless of the stream size.",
        ..Meta::new("xdel", Arity::AtLeast(3), Flags::WRITE.union(Flags::FAST), Acl::STREAM)
    },
}
.checked();

fn xdel(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let Some(stream) = cx.keys.write_as::<Stream>(key)? else {
        cx.reply.int(0);
        return DONE;
    };
    let ids = args.from(2).iter().map(|text| id::strict(text, 0)).collect::<Result<Vec<_>, _>>()?;
    let deleted = stream.delete(&ids);
    if deleted > 0 {
        cx.keys.changed(EventClass::STREAM, "xdel", key);
    }
    cx.reply.count(deleted);
    DONE
}
