//! GETEX.

use super::expiry_option::{ExpiryOption, ExpiryUnit};
use crate::commands::generic::{delete_due, set_expiry};
use crate::commands::prelude::*;

pub(super) const GETEX: Command = Command {
    handler: Handler::Shard(getex),
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
        ],
        group: "string",
        since: "6.2.0",
        summary: "Get the value of a key and optionally set its expiration",
        complexity: "O(1)",
        ..Meta::new("getex", Arity::AtLeast(2), Flags::WRITE.union(Flags::FAST), Acl::STRING)
    },
}
.checked();

#[derive(Clone, Copy)]
enum Change {
    None,
    Persist,
    Expire(ExpiryOption),
}

fn parse(args: Args<'_>) -> Result<Change, Error> {
    let mut change = Change::None;
    let mut at = 2;
    while at < args.len() {
        if args.is(at, "PERSIST") && !matches!(change, Change::Expire(_)) {
            change = Change::Persist;
        } else if let Some(unit) = ExpiryUnit::of(args, at)
            && at + 1 < args.len()
            && change.allows(unit)
        {
            at += 1;
            change = Change::Expire(ExpiryOption { unit, value: at });
        } else {
            return Err(Error::SYNTAX);
        }
        at += 1;
    }
    Ok(change)
}

impl Change {
    /// Whether an expiry in `unit` may follow: an option may be repeated, but not be joined by another.
    fn allows(self, unit: ExpiryUnit) -> bool {
        match self {
            Self::None => true,
            Self::Persist => false,
            Self::Expire(before) => before.unit == unit,
        }
    }
}

fn getex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let change = parse(args)?;
    let now_ms = cx.keys.now_ms();
    let Some(value) = cx.keys.read_str(key)? else {
        cx.reply.null();
        return DONE;
    };
    let at = match change {
        Change::Expire(expiry) => Some((expiry.unix_ms(args, now_ms, "getex")?, expiry.unit.is_absolute())),
        _ => None,
    };
    cx.reply.bulk(value);
    match (change, at) {
        (_, Some((at, absolute))) => {
            if absolute && at <= now_ms && cx.keys.deletes_due() {
                delete_due(cx, key);
            } else {
                set_expiry(cx, key, at);
            }
        }
        (Change::Persist, _) if cx.keys.peek(key).is_some_and(|entry| entry.expiry_ms().is_some()) => {
            cx.keys.set_expiry(key, None);
            cx.keys.changed(EventClass::GENERIC, "persist", key);
            cx.keys.replay_as(&[b"PERSIST", key]);
        }
        _ => {}
    }
    DONE
}
