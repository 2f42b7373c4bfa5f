//! HINCRBY.

use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HINCRBY: Command = Command {
    handler: Handler::Shard(hincrby),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("field", ArgKind::String),
            Arg::new("increment", ArgKind::Int),
        ],
        group: "hash",
        since: "2.0.0",
        summary: "Increment the integer value of a hash field by the given number",
        complexity: "O(1)",
        ..Meta::new(
            "hincrby",
            Arity::Exact(4),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::HASH,
        )
    },
}
.checked();

fn hincrby(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, field, increment) = (args.raw(1), args.raw(2), args.int(3)?);
    // A hash made here gets its field for certain: nothing can be wrong with a sum that starts from 0.
    let hash = cx.keys.create_as::<Hash>(key)?;
    let value = match hash.get(field) {
        Some(value) => value.as_int().ok_or(Error::fixed("ERR hash value is not an integer"))?,
        None => 0,
    };
    let sum = value.checked_add(increment).ok_or(Error::INCREMENT_OVERFLOW)?;
    let mut digits = itoa::Buffer::new();
    hash.set_keeping_deadline(field, digits.format(sum).as_bytes(), cx.settings.hash, cx.settings.seed);
    cx.keys.changed(EventClass::HASH, "hincrby", key);
    cx.reply.int(sum);
    DONE
}
