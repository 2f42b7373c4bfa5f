//! INCRBYFLOAT.

use crate::commands::prelude::*;
use moonshard_store::number::{LongDouble, parse_i64};

pub(super) const INCRBYFLOAT: Command = Command {
    handler: Handler::Shard(incrbyfloat),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("increment", ArgKind::Double)],
        group: "string",
        since: "2.6.0",
        summary: "Increment the float value of a key by the given amount",
        complexity: "O(1)",
        ..Meta::new(
            "incrbyfloat",
            Arity::Exact(3),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::STRING,
        )
    },
}
.checked();

fn incrbyfloat(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let entry = cx.keys.write_str(key)?;
    let value = match &entry {
        Some(entry) => entry.string().and_then(LongDouble::parse).ok_or(Error::NOT_A_FLOAT)?,
        None => LongDouble::ZERO,
    };
    let increment = LongDouble::parse(args.raw(2)).ok_or(Error::NOT_A_FLOAT)?;
    let sum = value + increment;
    if !sum.is_finite() {
        return Err(Error::fixed("ERR increment would produce NaN or Infinity"));
    }
    let mut text = Vec::new();
    sum.format(&mut text);
    match entry {
        Some(entry) => entry.set_string(&text),
        None => cx.keys.set_str(key, &text, Expiry::Clear),
    }
    // Redis keeps a sum of floats as text even when it is whole, which OBJECT ENCODING shows.
    if parse_i64(&text).is_some()
        && let Some(entry) = cx.keys.write_str(key)?
    {
        entry.set_apart(&text);
    }
    cx.keys.changed(EventClass::STRING, "incrbyfloat", key);
    cx.keys.replay_as(&[b"SET", key, &text, b"KEEPTTL"]);
    cx.reply.bulk(&text);
    DONE
}
