//! COPY.

use super::move_to::SAME_OBJECT;
use crate::commands::prelude::*;
use crate::database_index;

pub(super) const COPY: Command = Command {
    handler: Handler::Shard(copy),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS)), KeySpec::one(2, KeyFlags::OW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("source", ArgKind::Key(0)), Arg::new("destination", ArgKind::Key(1)), Arg::new("destination-db", ArgKind::Int).token("DB").optional(), Arg::word("replace", "REPLACE").optional()],
        group: "generic", since: "6.2.0",
        summary: "Copy a key",
        complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        ..Meta::new("copy", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM), Acl::KEYSPACE)
    },
}
.checked();

struct Options {
    db: usize,
    replace: bool,
}

fn parse(args: Args<'_>, mut db: usize, databases: usize) -> Result<Options, Error> {
    let (mut at, mut replace) = (3, false);
    while at < args.len() {
        if args.is(at, "REPLACE") {
            replace = true;
        } else if args.is(at, "DB") && at + 1 < args.len() {
            at += 1;
            db = database_index(args, at, databases)?;
        } else {
            return Err(Error::SYNTAX);
        }
        at += 1;
    }
    Ok(Options { db, replace })
}

fn copy(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (from, to, from_db) = (args.raw(1), args.raw(2), cx.keys.db());
    let Options { db, replace } = parse(args, from_db, cx.settings.databases)?;
    if cx.settings.cluster && (db != 0 || from_db != 0) {
        return Err(Error::fixed("ERR Copying to another database is not allowed in cluster mode"));
    }
    if db == from_db && from == to {
        return Err(SAME_OBJECT);
    }
    let fresh = cx.keys.clock().fresh();
    let copied = cx.keys.read(from).is_some() && {
        cx.keys.select(db);
        replace || cx.keys.peek(to).is_none()
    };
    cx.keys.select(from_db);
    if copied && let Some(entry) = cx.keys.get(from) {
        let mut copy = entry.clone().renamed(to);
        copy.set_access(fresh);
        cx.keys.select(db);
        cx.keys.insert(copy);
        cx.keys.changed(EventClass::GENERIC, "copy_to", to);
        cx.keys.select(from_db);
    }
    cx.reply.int(copied.into());
    DONE
}
