//! HINCRBYFLOAT.

use crate::commands::prelude::*;
use moonshard_store::number::LongDouble;
use moonshard_store::{Element, Hash};

pub(super) const HINCRBYFLOAT: Command = Command {
    handler: Handler::Shard(hincrbyfloat),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("field", ArgKind::String),
            Arg::new("increment", ArgKind::Double),
        ],
        group: "hash",
        since: "2.6.0",
        summary: "Increment the float value of a hash field by the given amount",
        complexity: "O(1)",
        ..Meta::new(
            "hincrbyfloat",
            Arity::Exact(4),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::HASH,
        )
    },
}
.checked();

fn hincrbyfloat(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, field) = (args.raw(1), args.raw(2));
    let increment = LongDouble::parse(args.raw(3)).ok_or(Error::NOT_A_FLOAT)?;
    if !increment.is_finite() {
        return Err(Error::fixed("ERR value is NaN or Infinity"));
    }
    // A hash made here gets its field for certain: nothing can be wrong with a sum that starts from 0.
    let hash = cx.keys.create_as::<Hash>(key)?;
    let value = match hash.get(field) {
        Some(Element::Int(value)) => LongDouble::from(value),
        Some(Element::Bytes(text)) => {
            LongDouble::parse(text).ok_or(Error::fixed("ERR hash value is not a float"))?
        }
        None => LongDouble::ZERO,
    };
    let sum = value + increment;
    if !sum.is_finite() {
        return Err(Error::fixed("ERR increment would produce NaN or Infinity"));
    }
    let mut text = Vec::new();
    sum.format(&mut text);
    let expires = hash.deadline(field).is_some();
    hash.set_keeping_deadline(field, &text, cx.settings.hash, cx.settings.seed);
    cx.keys.changed(EventClass::HASH, "hincrbyfloat", key);
    if expires {
        cx.keys.replay_as(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, &text]);
    } else {
        cx.keys.replay_as(&[b"HSET", key, field, &text]);
    }
    cx.reply.bulk(&text);
    DONE
}
