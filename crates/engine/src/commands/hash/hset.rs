//! HSET and HMSET.

use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HSET: Command = Command {
    handler: Handler::Shard(hset),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("field_value", ArgKind::Block(&[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)])).multiple()],
        group: "hash", since: "2.0.0",
        summary: "Set the string value of a hash field",
        complexity: "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with multiple field/value pairs.",
        history: &[("4.0.0", "Accepts multiple `field` and `value` arguments.")],
        ..Meta::new("hset", Arity::AtLeast(4), Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST), Acl::HASH)
    },
}
.checked();

pub(super) const HMSET: Command = Command {
    handler: Handler::Shard(hmset),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new(
                "field_value",
                ArgKind::Block(&[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)]),
            )
            .multiple(),
        ],
        group: "hash",
        since: "2.0.0",
        summary: "Set multiple hash fields to multiple values",
        complexity: "O(N) where N is the number of fields being set.",
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "4.0.0",
        replaced_by: "`HSET` with multiple field-value pairs",
        ..Meta::new(
            "hmset",
            Arity::AtLeast(4),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::HASH,
        )
    },
}
.checked();

fn hset(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let created = set_all(cx, args, "hset")?;
    cx.reply.count(created);
    DONE
}

fn hmset(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    set_all(cx, args, "hmset")?;
    cx.reply.ok();
    DONE
}

/// Sets all fields of the call and returns how many were new.
fn set_all(cx: &mut Ctx<'_>, args: Args<'_>, name: &str) -> Result<usize, Error> {
    let key = args.raw(1);
    if args.len() % 2 == 1 {
        return Err(Error::wrong_arity(name));
    }
    let (limits, seed) = (cx.settings.hash, cx.settings.seed);
    let hash = cx.keys.create_as::<Hash>(key)?;
    if args.len() > 4 {
        hash.prepare(args.from(2).iter().map(|argument| argument.len()), limits, seed);
    }
    let mut created = 0;
    for pair in args.from(2).chunks_exact(2) {
        created += usize::from(hash.set(pair[0], pair[1], limits, seed));
    }
    cx.keys.changed(EventClass::HASH, "hset", key);
    Ok(created)
}
