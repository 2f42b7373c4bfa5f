//! What the commands about fields that expire share: how fields and times are given, and how their changes are told.

#[cfg(test)]
mod tests;

use crate::commands::prelude::*;
use crate::commands::string::ExpiryUnit;

/// The latest deadline: Redis keeps two bits of 48 for itself.
const DEADLINE_MAX_MS: i64 = ((1 << 48) - 2) >> 2;

/// `FIELDS numfields field [field ...]`.
pub(super) const FIELDS: Arg = Arg::new(
    "fields",
    ArgKind::Block(&[Arg::new("numfields", ArgKind::Int), Arg::new("field", ArgKind::String).multiple()]),
)
.token("FIELDS");

/// What is said of a number of fields that is none.
pub(super) const NOT_POSITIVE: &str = "ERR Number of fields must be a positive integer";

/// The fields after the word FIELDS at `index` and their number, which must be what is left of the arguments.
pub(super) fn counted_fields<'a>(
    args: Args<'a>,
    index: usize,
    not_positive: &'static str,
) -> Result<&'a [&'a [u8]], Error> {
    if !args.is(index, "FIELDS") {
        return Err(Error::fixed("ERR Mandatory argument FIELDS is missing or not at the right position"));
    }
    let not_positive = Error::fixed(not_positive);
    if args.len() <= index + 1 {
        return Err(not_positive);
    }
    let count = args.int_in(index + 1, 1, i64::MAX, not_positive.clone());
    let count = count.map_err(|_| not_positive)?;
    let fields = args.from(index + 2);
    if usize::try_from(count) != Ok(fields.len()) {
        return Err(Error::fixed("ERR The `numfields` parameter must match the number of arguments"));
    }
    Ok(fields)
}

/// The argument at `index` as a Unix time in milliseconds, for the command `name` at `now_ms`. It may have passed.
pub(super) fn deadline(
    args: Args<'_>,
    index: usize,
    unit: ExpiryUnit,
    now_ms: u64,
    name: &str,
) -> Result<u64, Error> {
    let value = args.int(index)?;
    if value < 0 {
        return Err(Error::fixed("ERR invalid expire time, must be >= 0"));
    }
    let scale = if matches!(unit, ExpiryUnit::Seconds | ExpiryUnit::UnixSeconds) { 1000 } else { 1 };
    let start = if unit.is_absolute() { 0 } else { i64::try_from(now_ms).unwrap_or(i64::MAX) };
    let at = value.checked_mul(scale).and_then(|ms| ms.checked_add(start));
    let at = at.filter(|&at| at <= DEADLINE_MAX_MS).ok_or_else(|| Error::invalid_expire(name))?;
    u64::try_from(at).map_err(|_| Error::invalid_expire(name))
}

/// The fields that a command changed.
pub(super) struct Replaying<'a>(Vec<&'a [u8]>);

impl<'a> Replaying<'a> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, field: &'a [u8]) {
        self.0.push(field);
    }

    /// Tells that the fields got the deadline `at`, or were removed without one; the last field takes its key along.
    pub(super) fn tell(&self, cx: &mut Ctx<'_>, key: &[u8], at: Option<u64>, drained: bool) {
        if self.0.is_empty() {
            return;
        }
        match at {
            None => {
                cx.keys.shrunk(EventClass::HASH, "hdel", key, drained);
                self.replay(cx, &[b"HDEL", key], false);
            }
            Some(at) => {
                cx.keys.note_deadlines(key);
                cx.keys.changed(EventClass::HASH, "hexpire", key);
                let mut digits = itoa::Buffer::new();
                self.replay(cx, &[b"HPEXPIREAT", key, digits.format(at).as_bytes(), b"FIELDS"], true);
            }
        }
    }

    /// Says that these words and the fields, behind their number if `counted`, make the change again.
    pub(super) fn replay(&self, cx: &mut Ctx<'_>, words: &[&[u8]], counted: bool) {
        if !cx.keys.replays() {
            return;
        }
        let mut digits = itoa::Buffer::new();
        let mut args = words.to_vec();
        if counted {
            args.push(digits.format(self.0.len()).as_bytes());
        }
        args.extend_from_slice(&self.0);
        cx.keys.replay_as(&args);
    }
}
