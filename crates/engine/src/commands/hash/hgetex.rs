//! HGETEX.

use super::field_args::{FIELDS, NOT_POSITIVE, Replaying, counted_fields, deadline};
use crate::commands::prelude::*;
use crate::commands::string::ExpiryUnit;
use moonshard_store::Hash;

pub(super) const HGETEX: Command = Command {
    handler: Handler::Shard(hgetex),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))
            .notes("RW and UPDATE because it changes the TTL")],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new(
                "expiration",
                ArgKind::OneOf(&[
                    Arg::new("seconds", ArgKind::Int).token("EX"),
                    Arg::new("milliseconds", ArgKind::Int).token("PX"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT"),
                    Arg::word("persist", "PERSIST"),
                ]),
            )
            .optional(),
            FIELDS,
        ],
        group: "hash",
        since: "8.0.0",
        summary: "Get the value of one or more fields of a given hash key, and optionally set their expiration.",
        complexity: "O(N) where N is the number of specified fields",
        ..Meta::new("hgetex", Arity::AtLeast(5), Flags::WRITE.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

/// What happens to the deadlines of the fields that are read.
#[derive(Clone, Copy)]
enum Change {
    None,
    Clear,
    Set(u64),
    /// The deadline has passed.
    Delete,
}

fn parse(args: Args<'_>, now_ms: u64, deletes: bool) -> Result<(Change, usize), Error> {
    if let Some(unit) = ExpiryUnit::of(args, 2) {
        let at = deadline(args, 3, unit, now_ms, "hgetex")?;
        return Ok((if at <= now_ms && deletes { Change::Delete } else { Change::Set(at) }, 4));
    }
    Ok(if args.is(2, "PERSIST") { (Change::Clear, 3) } else { (Change::None, 2) })
}

fn hgetex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, seed) = (args.raw(1), cx.settings.seed);
    let (now_ms, deletes) = (cx.keys.now_ms(), cx.keys.deletes_due());
    let mut hash = cx.keys.write_as::<Hash>(key)?;
    let (change, words) = parse(args, now_ms, deletes)?;
    let fields = counted_fields(args, words, NOT_POSITIVE)?;
    let mut changed = Replaying::new();
    cx.reply.array(fields.len());
    for field in fields {
        let Some(hash) = hash.as_mut().filter(|hash| hash.contains(field)) else {
            cx.reply.null();
            continue;
        };
        if let Some(value) = hash.get(field) {
            bulk_element(cx.reply, value);
        }
        let done = match change {
            Change::None => false,
            Change::Clear => hash.clear_deadline(field),
            Change::Set(at) => hash.set_deadline(field, at, seed),
            Change::Delete => hash.remove(field),
        };
        if done {
            changed.push(field);
        }
    }
    let drained = hash.is_some_and(|hash| hash.is_empty());
    match change {
        Change::None => {}
        Change::Set(at) => changed.tell(cx, key, Some(at), drained),
        Change::Delete => changed.tell(cx, key, None, drained),
        Change::Clear => {
            if !changed.is_empty() {
                cx.keys.changed(EventClass::HASH, "hpersist", key);
                changed.replay(cx, &[b"HPERSIST", key, b"FIELDS"], true);
            }
        }
    }
    DONE
}
