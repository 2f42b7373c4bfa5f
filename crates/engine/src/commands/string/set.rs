//! SET, with all its options.

use super::expiry_option::{ExpiryOption, ExpiryUnit};
use super::get::reply_value;
use super::value_condition::ValueCondition;
use crate::command::{KeyError, KeySpan, SpecSource};
use crate::commands::prelude::*;

pub(super) const SET: Command = Command {
    handler: Handler::Shard(set),
    meta: Meta {
        keys: &[KeySpec::one(
            1,
            KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE).union(KeyFlags::VARIABLE_FLAGS),
        )
        .notes("RW and ACCESS due to the optional `GET` argument")],
        key_source: SpecSource::Function(keys),
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("value", ArgKind::String),
            Arg::new(
                "condition",
                ArgKind::OneOf(&[
                    Arg::word("nx", "NX"),
                    Arg::word("xx", "XX"),
                    Arg::new("ifeq-value", ArgKind::String).token("IFEQ").since("8.4.0"),
                    Arg::new("ifne-value", ArgKind::String).token("IFNE").since("8.4.0"),
                    Arg::new("ifdeq-digest", ArgKind::String).token("IFDEQ").since("8.4.0"),
                    Arg::new("ifdne-digest", ArgKind::String).token("IFDNE").since("8.4.0"),
                ]),
            )
            .optional()
            .since("2.6.12"),
            Arg::word("get", "GET").optional().since("6.2.0"),
            Arg::new(
                "expiration",
                ArgKind::OneOf(&[
                    Arg::new("seconds", ArgKind::Int).token("EX").since("2.6.12"),
                    Arg::new("milliseconds", ArgKind::Int).token("PX").since("2.6.12"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT").since("6.2.0"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT").since("6.2.0"),
                    Arg::word("keepttl", "KEEPTTL").since("6.0.0"),
                ]),
            )
            .optional(),
        ],
        group: "string",
        since: "1.0.0",
        summary: "Set the string value of a key",
        complexity: "O(1)",
        history: &[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
            ("8.4.0", "Added the `IFEQ`, `IFNE`, `IFDEQ` and `IFDNE` options."),
        ],
        ..Meta::new("set", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM), Acl::STRING)
    },
}
.checked();

/// With GET or a condition on it the old value is read; without, the key is overwritten.
fn keys(args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
    let reads = (3..args.len()).any(|at| args.is(at, "GET") || ValueCondition::of(args, at).is_some());
    let flags = if reads { KeyFlags::RW.union(KeyFlags::ACCESS) } else { KeyFlags::OW };
    visit(KeySpan { index: 1, flags: flags.union(KeyFlags::UPDATE) });
    Ok(())
}

#[derive(Default)]
struct Options<'a> {
    if_absent: bool,
    if_present: bool,
    if_value: Option<ValueCondition<'a>>,
    get: bool,
    keep_ttl: bool,
    expiry: Option<ExpiryOption>,
}

fn parse(args: Args<'_>) -> Result<Options<'_>, Error> {
    let mut options = Options::default();
    let mut at = 3;
    while at < args.len() {
        if args.is(at, "NX") && !options.if_present && options.if_value.is_none() {
            options.if_absent = true;
        } else if args.is(at, "XX") && !options.if_absent && options.if_value.is_none() {
            options.if_present = true;
        } else if let Some(condition) = ValueCondition::of(args, at)
            && !options.if_absent
            && !options.if_present
            && options.if_value.is_none()
        {
            at += 1;
            options.if_value = Some(condition);
        } else if args.is(at, "GET") {
            options.get = true;
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

impl Options<'_> {
    /// Whether the condition, if there is one, holds for what `key` holds now.
    fn allow(&self, cx: &mut Ctx<'_>, key: &[u8]) -> Result<bool, Error> {
        if let Some(condition) = self.if_value {
            return match cx.keys.peek(key) {
                Some(entry) => condition.holds(entry.string().ok_or(Error::WRONG_TYPE)?),
                None => Ok(condition.holds_without_key()),
            };
        }
        Ok(!(self.if_absent || self.if_present) || cx.keys.peek(key).is_some() != self.if_absent)
    }

    /// Says how to repeat a call that did not fail: nothing is answered then, and what Redis 7.0 does not know was
    /// decided here.
    fn replay(&self, cx: &mut Ctx<'_>, args: Args<'_>) {
        if !(self.get || self.if_value.is_some()) || !cx.keys.replays() {
            return;
        }
        let mut words = args.all().get(..3).unwrap_or_default().to_vec();
        if self.if_value.is_none() {
            words.extend(args.from(3).iter().filter(|word| !word.eq_ignore_ascii_case(b"GET")));
        } else if self.keep_ttl {
            words.push(b"KEEPTTL");
        }
        cx.keys.replay_as(&words);
    }
}

fn set(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, value) = (args.raw(1), args.raw(2));
    // Plain SET is most of the traffic.
    if args.len() == 3 {
        cx.keys.set_str(key, value, Expiry::Clear);
        cx.keys.changed(EventClass::STRING, "set", key);
        cx.reply.ok();
        return DONE;
    }
    let options = parse(args)?;
    let at = match options.expiry {
        Some(expiry) => Some(expiry.unix_ms(args, cx.keys.now_ms(), "set")?),
        None => None,
    };
    if options.get {
        reply_value(cx, key)?;
    }
    if !options.allow(cx, key)? {
        if !options.get {
            cx.reply.null();
        }
        return DONE;
    }
    match at {
        Some(at) => store_expiring(cx, key, value, at),
        None => {
            cx.keys.set_str(key, value, if options.keep_ttl { Expiry::Keep } else { Expiry::Clear });
            cx.keys.changed(EventClass::STRING, "set", key);
            options.replay(cx, args);
        }
    }
    if !options.get {
        cx.reply.ok();
    }
    DONE
}

/// Makes `key` a string that expires at the Unix time `at` in milliseconds, and tells it.
pub(super) fn store_expiring(cx: &mut Ctx<'_>, key: &[u8], value: &[u8], at: u64) {
    cx.keys.set_str(key, value, Expiry::At(at));
    cx.keys.changed(EventClass::STRING, "set", key);
    cx.keys.changed(EventClass::GENERIC, "expire", key);
    let mut digits = itoa::Buffer::new();
    cx.keys.replay_as(&[b"SET", key, value, b"PXAT", digits.format(at).as_bytes()]);
}
