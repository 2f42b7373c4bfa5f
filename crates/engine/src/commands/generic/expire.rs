//! EXPIRE, PEXPIRE, EXPIREAT and PEXPIREAT.

use crate::commands::prelude::*;

pub(super) const EXPIRE: Command = Command {
    handler: Handler::Shard(expire),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("seconds", ArgKind::Int),
            Arg::new(
                "condition",
                ArgKind::OneOf(&[
                    Arg::word("nx", "NX"),
                    Arg::word("xx", "XX"),
                    Arg::word("gt", "GT"),
                    Arg::word("lt", "LT"),
                ]),
            )
            .optional()
            .since("7.0.0"),
        ],
        group: "generic",
        since: "1.0.0",
        summary: "Set a key's time to live in seconds",
        complexity: "O(1)",
        history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")],
        ..Meta::new("expire", Arity::AtLeast(3), Flags::WRITE.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

pub(super) const PEXPIRE: Command = Command {
    handler: Handler::Shard(pexpire),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("milliseconds", ArgKind::Int),
            Arg::new(
                "condition",
                ArgKind::OneOf(&[
                    Arg::word("nx", "NX"),
                    Arg::word("xx", "XX"),
                    Arg::word("gt", "GT"),
                    Arg::word("lt", "LT"),
                ]),
            )
            .optional()
            .since("7.0.0"),
        ],
        group: "generic",
        since: "2.6.0",
        summary: "Set a key's time to live in milliseconds",
        complexity: "O(1)",
        history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")],
        ..Meta::new("pexpire", Arity::AtLeast(3), Flags::WRITE.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

pub(super) const EXPIREAT: Command = Command {
    handler: Handler::Shard(expireat),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("unix-time-seconds", ArgKind::UnixTime),
            Arg::new(
                "condition",
                ArgKind::OneOf(&[
                    Arg::word("nx", "NX"),
                    Arg::word("xx", "XX"),
                    Arg::word("gt", "GT"),
                    Arg::word("lt", "LT"),
                ]),
            )
            .optional()
            .since("7.0.0"),
        ],
        group: "generic",
        since: "1.2.0",
        summary: "Set the expiration for a key as a UNIX timestamp",
        complexity: "O(1)",
        history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")],
        ..Meta::new("expireat", Arity::AtLeast(3), Flags::WRITE.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

pub(super) const PEXPIREAT: Command = Command {
    handler: Handler::Shard(pexpireat),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("unix-time-milliseconds", ArgKind::UnixTime),
            Arg::new(
                "condition",
                ArgKind::OneOf(&[
                    Arg::word("nx", "NX"),
                    Arg::word("xx", "XX"),
                    Arg::word("gt", "GT"),
                    Arg::word("lt", "LT"),
                ]),
            )
            .optional()
            .since("7.0.0"),
        ],
        group: "generic",
        since: "2.6.0",
        summary: "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
        complexity: "O(1)",
        history: &[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")],
        ..Meta::new("pexpireat", Arity::AtLeast(3), Flags::WRITE.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

fn expire(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let base_ms = cx.keys.now_ms();
    expire_at(cx, args, base_ms, MS_PER_SECOND, "expire")
}

fn pexpire(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let base_ms = cx.keys.now_ms();
    expire_at(cx, args, base_ms, 1, "pexpire")
}

fn expireat(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    expire_at(cx, args, 0, MS_PER_SECOND, "expireat")
}

fn pexpireat(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    expire_at(cx, args, 0, 1, "pexpireat")
}

const MS_PER_SECOND: i64 = 1000;

/// Under which conditions the expiry is set; the former one counts as infinite when there is none.
#[derive(Default)]
struct Conditions {
    none_before: bool,
    some_before: bool,
    later: bool,
    earlier: bool,
}

impl Conditions {
    fn parse(args: Args<'_>) -> Result<Self, Error> {
        let mut conditions = Self::default();
        for at in 3..args.len() {
            let known = [
                ("NX", &mut conditions.none_before),
                ("XX", &mut conditions.some_before),
                ("GT", &mut conditions.later),
                ("LT", &mut conditions.earlier),
            ];
            match known.into_iter().find(|(word, _)| args.is(at, word)) {
                Some((_, given)) => *given = true,
                None => return Err(unsupported(args.raw(at))),
            }
        }
        let Self { none_before, some_before, later, earlier } = conditions;
        if none_before && (some_before || later || earlier) {
            return Err(Error::EXPIRE_NX_AND_OTHERS);
        }
        if later && earlier { Err(Error::EXPIRE_GT_AND_LT) } else { Ok(conditions) }
    }

    fn hold(&self, at: i64, before: Option<u64>) -> bool {
        let before = before.map(|before| i64::try_from(before).unwrap_or(i64::MAX));
        !(self.none_before && before.is_some()
            || self.some_before && before.is_none()
            || self.later && before.is_none_or(|before| at <= before)
            || self.earlier && before.is_some_and(|before| at >= before))
    }
}

fn unsupported(option: &[u8]) -> Error {
    let mut line = b"ERR Unsupported option ".to_vec();
    line.extend(option.split(|&byte| byte == 0).next().unwrap_or_default());
    Error::bytes(line)
}

fn expire_at(cx: &mut Ctx<'_>, args: Args<'_>, base_ms: u64, unit_ms: i64, name: &str) -> CmdResult {
    let key = args.raw(1);
    let conditions = Conditions::parse(args)?;
    let base_ms = i64::try_from(base_ms).unwrap_or(i64::MAX);
    let in_ms = args.int(2)?.checked_mul(unit_ms);
    let at = in_ms.and_then(|ms| ms.checked_add(base_ms)).ok_or_else(|| Error::invalid_expire(name))?;
    let before = cx.keys.peek(key).map(|entry| entry.expiry_ms());
    if !before.is_some_and(|before| conditions.hold(at, before)) {
        cx.reply.int(0);
        return DONE;
    }
    // The log and a primary delete what is due themselves.
    let when = u64::try_from(at).unwrap_or(0);
    if when <= cx.keys.now_ms() && cx.keys.deletes_due() {
        delete_due(cx, key);
    } else {
        cx.keys.set_expiry(key, Some(when));
        cx.keys.changed(EventClass::GENERIC, "expire", key);
        // What is told in absolute milliseconds already is repeated as it came.
        if base_ms != 0 || unit_ms != 1 {
            let mut digits = itoa::Buffer::new();
            let words: [&[u8]; 3] = [b"PEXPIREAT", key, digits.format(when).as_bytes()];
            cx.keys.replay_each(args.len(), words.into_iter().chain(args.from(3).iter().copied()));
        }
    }
    cx.reply.int(1);
    DONE
}

/// Deletes `key`, which was given an expiry that has already passed.
pub(in crate::commands) fn delete_due(cx: &mut Ctx<'_>, key: &[u8]) {
    let lazy = cx.settings.lazy_expire;
    cx.keys.unlink(key, lazy);
    cx.keys.changed(EventClass::GENERIC, "del", key);
    cx.keys.replay_as(&[deletion(lazy), key]);
}

/// Gives `key` an expiry: a Unix time in milliseconds.
pub(in crate::commands) fn set_expiry(cx: &mut Ctx<'_>, key: &[u8], at: u64) {
    cx.keys.set_expiry(key, Some(at));
    cx.keys.changed(EventClass::GENERIC, "expire", key);
    let mut digits = itoa::Buffer::new();
    cx.keys.replay_as(&[b"PEXPIREAT", key, digits.format(at).as_bytes()]);
}
