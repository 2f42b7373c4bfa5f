//! MSETEX.

use super::expiry_option::{ExpiryOption, ExpiryUnit};
use super::set::store_expiring;
use crate::command::{Begin, Find};
use crate::commands::prelude::*;

pub(super) const MSETEX: Command = Command {
    handler: Handler::Shard(msetex),
    meta: Meta {
        keys: &[KeySpec::new(
            Begin::Index(1),
            Find::Keynum { count: 0, first: 1, step: 2 },
            KeyFlags::OW.union(KeyFlags::UPDATE),
        )],
        args: &[
            Arg::new("numkeys", ArgKind::Int),
            Arg::new(
                "data",
                ArgKind::Block(&[Arg::new("key", ArgKind::Key(0)), Arg::new("value", ArgKind::String)]),
            )
            .multiple(),
            Arg::new("condition", ArgKind::OneOf(&[Arg::word("nx", "NX"), Arg::word("xx", "XX")])).optional(),
            Arg::new(
                "expiration",
                ArgKind::OneOf(&[
                    Arg::new("seconds", ArgKind::Int).token("EX"),
                    Arg::new("milliseconds", ArgKind::Int).token("PX"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT"),
                    Arg::word("keepttl", "KEEPTTL"),
                ]),
            )
            .optional(),
        ],
        group: "string",
        since: "8.4.0",
        summary: "Atomically sets multiple string keys with a shared expiration in a single operation.",
        complexity: "O(N) where N is the number of keys to set.",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        ..Meta::new("msetex", Arity::AtLeast(4), Flags::WRITE.union(Flags::DENYOOM), Acl::STRING)
    },
}
.checked();

#[derive(Default)]
struct Options {
    /// Whether all keys must be there, or none may.
    present: Option<bool>,
    keep_ttl: bool,
    expiry: Option<ExpiryOption>,
}

fn parse(args: Args<'_>, mut at: usize) -> Result<Options, Error> {
    let mut options = Options::default();
    while at < args.len() {
        if args.is(at, "NX") && options.present != Some(true) {
            options.present = Some(false);
        } else if args.is(at, "XX") && options.present != Some(false) {
            options.present = Some(true);
        } else if args.is(at, "KEEPTTL") && options.expiry.is_none() {
            options.keep_ttl = true;
        } else if let Some(unit) = ExpiryUnit::of(args, at)
            && options.expiry.is_none_or(|before| before.unit == unit)
            && !options.keep_ttl
            && at + 1 < args.len()
        {
            at += 1;
            options.expiry = Some(ExpiryOption { unit, value: at });
        } else {
            return Err(Error::SYNTAX);
        }
        at += 1;
    }
    Ok(options)
}

fn msetex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let invalid = Error::fixed("ERR invalid numkeys value");
    let count = args.int_or(1, invalid.clone())?;
    let count = usize::try_from(count).ok().filter(|&count| count > 0).ok_or(invalid)?;
    let end = count.checked_mul(2).and_then(|len| len.checked_add(2)).filter(|&end| end <= args.len());
    let Some(end) = end else { return Err(Error::fixed("ERR wrong number of key-value pairs")) };
    let options = parse(args, end)?;
    let at = match options.expiry {
        Some(expiry) => Some(expiry.unix_ms(args, cx.keys.now_ms(), "msetex")?),
        None => None,
    };
    let pairs = args.all().get(2..end).unwrap_or_default().chunks_exact(2);
    if let Some(present) = options.present
        && !pairs.clone().all(|pair| cx.keys.peek(pair[0]).is_some() == present)
    {
        cx.reply.int(0);
        return DONE;
    }
    let kept = if options.keep_ttl { Expiry::Keep } else { Expiry::Clear };
    for pair in pairs {
        let (key, value) = (pair[0], pair[1]);
        match at {
            Some(at) => store_expiring(cx, key, value, at),
            None => {
                cx.keys.set_str(key, value, kept);
                cx.keys.changed(EventClass::STRING, "set", key);
                // In the words of Redis 7.0.
                let words: &[&[u8]] = &[b"SET", key, value, b"KEEPTTL"];
                cx.keys.replay_as(if options.keep_ttl { words } else { &words[..3] });
            }
        }
    }
    cx.reply.int(1);
    DONE
}
