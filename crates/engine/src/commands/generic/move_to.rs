//! MOVE.

use crate::commands::prelude::*;
use crate::database_index;

pub(super) const MOVE: Command = Command {
    handler: Handler::Shard(move_to),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("db", ArgKind::Int)],
        group: "generic",
        since: "1.0.0",
        summary: "Move a key to another database",
        complexity: "O(1)",
        ..Meta::new("move", Arity::Exact(3), Flags::WRITE.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

/// What MOVE and COPY say when there is nothing to do.
pub(super) const SAME_OBJECT: Error = Error::fixed("ERR source and destination objects are the same");

fn move_to(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, from_db) = (args.raw(1), cx.keys.db());
    if cx.settings.cluster {
        return Err(Error::fixed("ERR MOVE is not allowed in cluster mode"));
    }
    let db = database_index(args, 2, cx.settings.databases)?;
    if db == from_db {
        return Err(SAME_OBJECT);
    }
    let free = cx.keys.peek(key).is_some() && {
        cx.keys.select(db);
        cx.keys.peek(key).is_none()
    };
    cx.keys.select(from_db);
    if free && let Some(entry) = cx.keys.take(key) {
        cx.keys.select(db);
        cx.keys.insert(entry);
        cx.keys.select(from_db);
        cx.keys.changed(EventClass::GENERIC, "move_from", key);
        cx.keys.select(db);
        cx.keys.changed(EventClass::GENERIC, "move_to", key);
        cx.keys.select(from_db);
    }
    cx.reply.int(free.into());
    DONE
}
