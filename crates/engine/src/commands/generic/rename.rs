//! RENAME and RENAMENX.

use crate::commands::prelude::*;

pub(super) const RENAME: Command = Command {
    handler: Handler::Shard(rename),
    meta: Meta {
        keys: &[
            KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
            KeySpec::one(2, KeyFlags::OW.union(KeyFlags::UPDATE)),
        ],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("newkey", ArgKind::Key(1))],
        group: "generic",
        since: "1.0.0",
        summary: "Rename a key",
        complexity: "O(1)",
        ..Meta::new("rename", Arity::Exact(3), Flags::WRITE, Acl::KEYSPACE)
    },
}
.checked();

pub(super) const RENAMENX: Command = Command {
    handler: Handler::Shard(renamenx),
    meta: Meta {
        keys: &[
            KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
            KeySpec::one(2, KeyFlags::OW.union(KeyFlags::INSERT)),
        ],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("newkey", ArgKind::Key(1))],
        group: "generic",
        since: "1.0.0",
        summary: "Rename a key, only if the new key does not exist",
        complexity: "O(1)",
        history: &[(
            "3.2.0",
            "The command no longer returns an error when source and destination names are the same.",
        )],
        ..Meta::new("renamenx", Arity::Exact(3), Flags::WRITE.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

fn rename(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    move_key(cx, args.raw(1), args.raw(2), false)?;
    cx.reply.ok();
    DONE
}

fn renamenx(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let moved = move_key(cx, args.raw(1), args.raw(2), true)?;
    cx.reply.int(moved.into());
    DONE
}

/// Gives the value of `from` the name `to`. Returns false where that is left alone, being the same name or taken.
fn move_key(cx: &mut Ctx<'_>, from: &[u8], to: &[u8], if_absent: bool) -> Result<bool, Error> {
    if cx.keys.peek(from).is_none() {
        return Err(Error::NO_SUCH_KEY);
    }
    if from == to || if_absent && cx.keys.peek(to).is_some() {
        return Ok(false);
    }
    let Some(entry) = cx.keys.take(from) else { return Err(Error::NO_SUCH_KEY) };
    cx.keys.insert(entry.renamed(to));
    cx.keys.changed(EventClass::GENERIC, "rename_from", from);
    cx.keys.changed(EventClass::GENERIC, "rename_to", to);
    Ok(true)
}
