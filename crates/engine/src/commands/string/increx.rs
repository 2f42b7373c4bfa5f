//! INCREX: an increment within bounds, and an expiry.

use super::expiry_option::{ExpiryOption, ExpiryUnit};
use crate::commands::generic::delete_due;
use crate::commands::prelude::*;
use moonshard_protocol::Reply;
use moonshard_store::number::{LongDouble, parse_i64};
use std::cmp::Ordering;

pub(super) const INCREX: Command = Command {
    handler: Handler::Shard(increx),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new(
                "increment",
                ArgKind::OneOf(&[
                    Arg::new("float", ArgKind::Double).token("BYFLOAT"),
                    Arg::new("integer", ArgKind::Int).token("BYINT"),
                ]),
            )
            .optional(),
            Arg::word("saturate", "SATURATE").optional(),
            Arg::new("lowerbound", ArgKind::String).token("LBOUND").optional(),
            Arg::new("upperbound", ArgKind::String).token("UBOUND").optional(),
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
            Arg::word("enx", "ENX").optional(),
        ],
        group: "string",
        since: "8.8.0",
        summary: "Increments the numeric value of a key by a number and sets its expiration time. Uses 0 as initial \
                  value if the key doesn't exist.",
        complexity: "O(1)",
        ..Meta::new(
            "increx",
            Arity::AtLeast(2),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::STRING,
        )
    },
}
.checked();

/// The options: where among the arguments their values are.
#[derive(Clone, Copy, Default)]
struct Options {
    /// The increment's argument, and whether it is an integer.
    by: Option<(usize, bool)>,
    lower: Option<usize>,
    upper: Option<usize>,
    saturate: bool,
    expiry: Option<ExpiryOption>,
    persist: bool,
    only_new_expiry: bool,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut at = 2;
        while at < args.len() {
            let more = at + 1 < args.len();
            let expires = options.expiry.is_some() || options.persist;
            let mut values = 1;
            if args.is(at, "BYINT") && options.by.is_none() && more {
                options.by = Some((at + 1, true));
            } else if args.is(at, "BYFLOAT") && options.by.is_none() && more {
                options.by = Some((at + 1, false));
            } else if args.is(at, "LBOUND") && options.lower.is_none() && more {
                options.lower = Some(at + 1);
            } else if args.is(at, "UBOUND") && options.upper.is_none() && more {
                options.upper = Some(at + 1);
            } else if let Some(unit) = ExpiryUnit::of(args, at)
                && !expires
                && more
            {
                options.expiry = Some(ExpiryOption { unit, value: at + 1 });
            } else {
                values = 0;
                options.word(args, at, expires)?;
            }
            at += 1 + values;
        }
        if options.only_new_expiry && options.expiry.is_none() {
            return Err(Error::fixed("ERR ENX flag requires an expiration"));
        }
        Ok(options)
    }

    /// Takes an option that is one word.
    fn word(&mut self, args: Args<'_>, at: usize, expires: bool) -> Result<(), Error> {
        let option = if args.is(at, "SATURATE") {
            &mut self.saturate
        } else if args.is(at, "PERSIST") && !expires && !self.only_new_expiry {
            &mut self.persist
        } else if args.is(at, "ENX") && !self.persist {
            &mut self.only_new_expiry
        } else {
            return Err(Error::SYNTAX);
        };
        // No option may be given twice.
        if std::mem::replace(option, true) { Err(Error::SYNTAX) } else { Ok(()) }
    }
}

/// A number in which INCREX counts: an integer, or a float of extended precision.
trait Number: Copy {
    const ZERO: Self;
    /// What its arguments are said not to be when they are not.
    const NOT_ONE: &'static str;
    /// The error for a value that is no number of this kind.
    const NOT_A_NUMBER: Error;
    /// The event that tells the increment.
    const EVENT: &'static str;

    fn parse(text: &[u8]) -> Option<Self>;
    fn is_finite(self) -> bool;
    fn order(self, other: Self) -> Ordering;
    /// The sum; `None` beyond the largest number.
    fn plus(self, other: Self) -> Option<Self>;
    fn minus(self, other: Self) -> Option<Self>;
    /// The largest number, or the smallest.
    fn limit(largest: bool) -> Self;
    fn write(self, out: &mut Vec<u8>);
    fn reply(self, reply: &mut Reply);
}

impl Number for i64 {
    const ZERO: Self = 0;
    const NOT_ONE: &'static str = "is not an integer or out of range";
    const NOT_A_NUMBER: Error = Error::NOT_AN_INTEGER;
    const EVENT: &'static str = "incrby";

    fn parse(text: &[u8]) -> Option<Self> {
        parse_i64(text)
    }

    fn is_finite(self) -> bool {
        true
    }

    fn order(self, other: Self) -> Ordering {
        self.cmp(&other)
    }

    fn plus(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }

    fn minus(self, other: Self) -> Option<Self> {
        self.checked_sub(other)
    }

    fn limit(largest: bool) -> Self {
        if largest { Self::MAX } else { Self::MIN }
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(itoa::Buffer::new().format(self).as_bytes());
    }

    fn reply(self, reply: &mut Reply) {
        reply.int(self);
    }
}

impl Number for LongDouble {
    const ZERO: Self = LongDouble::ZERO;
    const NOT_ONE: &'static str = "is not a valid float";
    const NOT_A_NUMBER: Error = Error::NOT_A_FLOAT;
    const EVENT: &'static str = "incrbyfloat";

    fn parse(text: &[u8]) -> Option<Self> {
        LongDouble::parse(text)
    }

    fn is_finite(self) -> bool {
        LongDouble::is_finite(self)
    }

    fn order(self, other: Self) -> Ordering {
        (self + -other).sign()
    }

    fn plus(self, other: Self) -> Option<Self> {
        Some(self + other).filter(|sum| LongDouble::is_finite(*sum))
    }

    fn minus(self, other: Self) -> Option<Self> {
        self.plus(-other)
    }

    fn limit(largest: bool) -> Self {
        if largest { LongDouble::MAX } else { -LongDouble::MAX }
    }

    fn write(self, out: &mut Vec<u8>) {
        self.format(out);
    }

    fn reply(self, reply: &mut Reply) {
        let mut text = Vec::new();
        self.format(&mut text);
        reply.decimal(&text);
    }
}

/// The outcome: the new value and what was added, or `None` when the bounds forbid it.
type Outcome<N> = Option<(N, N)>;

/// Adds to `value`, and keeps within the bounds what leaves them if `saturate`.
fn add<N: Number>(value: N, by: N, bounds: (N, N), saturate: bool) -> Result<Outcome<N>, Error> {
    let (lower, upper) = bounds;
    let up = by.order(N::ZERO).is_gt();
    let sum = match value.plus(by) {
        Some(sum) if sum.order(lower).is_ge() && sum.order(upper).is_le() => return Ok(Some((sum, by))),
        _ if !saturate => return Ok(None),
        Some(sum) => sum,
        None => N::limit(up),
    };
    let sum = if sum.order(upper).is_gt() { upper } else { sum };
    let sum = if sum.order(lower).is_lt() { lower } else { sum };
    let added = sum.minus(value).ok_or(Error::fixed("ERR applied increment would overflow"))?;
    Ok(Some((sum, added)))
}

/// The number in the argument at `index`, which is called `name` in the error.
fn number<N: Number>(args: Args<'_>, index: usize, name: &str) -> Result<N, Error> {
    N::parse(args.raw(index)).ok_or_else(|| Error::text(format!("ERR {name} {}", N::NOT_ONE)))
}

fn increx(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let options = Options::parse(args)?;
    match options.by {
        None => run(cx, args, options, 1),
        Some((at, true)) => run(cx, args, options, number::<i64>(args, at, "Increment")?),
        Some((at, false)) => {
            let by = number::<LongDouble>(args, at, "Increment")?;
            if !by.is_finite() {
                return Err(Error::fixed("ERR BYFLOAT increment cannot be Infinity"));
            }
            run(cx, args, options, by)
        }
    }
}

fn run<N: Number>(cx: &mut Ctx<'_>, args: Args<'_>, options: Options, by: N) -> CmdResult {
    let key = args.raw(1);
    let bound = |at: Option<usize>, name: &str, largest| match at {
        Some(at) => number::<N>(args, at, name),
        None => Ok(N::limit(largest)),
    };
    let bounds = (bound(options.lower, "LBOUND", false)?, bound(options.upper, "UBOUND", true)?);
    if bounds.0.order(bounds.1).is_gt() {
        return Err(Error::fixed("ERR LBOUND can't be greater than UBOUND"));
    }
    let now_ms = cx.keys.now_ms();
    let at = match options.expiry {
        Some(expiry) => Some(expiry.unix_ms(args, now_ms, "increx")?),
        None => None,
    };
    let (value, expires) = match cx.keys.read(key) {
        Some(entry) => {
            let text = entry.string().ok_or(Error::WRONG_TYPE)?;
            (N::parse(text).ok_or(N::NOT_A_NUMBER)?, entry.expiry_ms().is_some())
        }
        None => (N::ZERO, false),
    };
    if !value.is_finite() {
        return Err(Error::fixed("ERR value cannot be Infinity"));
    }
    cx.reply.array(2);
    let Some((sum, added)) = add(value, by, bounds, options.saturate)? else {
        value.reply(cx.reply);
        N::ZERO.reply(cx.reply);
        return DONE;
    };
    sum.reply(cx.reply);
    added.reply(cx.reply);
    let at = at.filter(|_| !(options.only_new_expiry && expires));
    if at.is_some_and(|at| at <= now_ms) && cx.keys.deletes_due() {
        if cx.keys.peek(key).is_some() {
            delete_due(cx, key);
        }
        return DONE;
    }
    store(cx, key, sum, at, options.persist && expires);
    DONE
}

/// Makes `key` hold the sum, and tells it with what becomes of the expiry.
fn store<N: Number>(cx: &mut Ctx<'_>, key: &[u8], sum: N, at: Option<u64>, persist: bool) {
    let mut text = Vec::new();
    sum.write(&mut text);
    cx.keys.set_str(key, &text, Expiry::Keep);
    cx.keys.changed(EventClass::STRING, N::EVENT, key);
    if persist {
        cx.keys.set_expiry(key, None);
        cx.keys.changed(EventClass::GENERIC, "persist", key);
        cx.keys.replay_as(&[b"SET", key, &text]);
    } else if let Some(at) = at {
        cx.keys.set_expiry(key, Some(at));
        cx.keys.changed(EventClass::GENERIC, "expire", key);
        cx.keys.replay_as(&[b"SET", key, &text, b"PXAT", itoa::Buffer::new().format(at).as_bytes()]);
    } else {
        cx.keys.replay_as(&[b"SET", key, &text, b"KEEPTTL"]);
    }
}
