//! HEXPIRE, HPEXPIRE, HEXPIREAT and HPEXPIREAT.

use super::field_args::{FIELDS, Replaying, counted_fields, deadline};
use crate::commands::prelude::*;
use crate::commands::string::ExpiryUnit;
use moonshard_store::Hash;

pub(super) const HEXPIRE: Command = Command {
    handler: Handler::Shard(hexpire),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("seconds", ArgKind::Int), CONDITION, FIELDS],
        group: "hash",
        since: "7.4.0",
        summary: "Set expiry for hash field using relative time to expire (seconds)",
        complexity: "O(N) where N is the number of specified fields",
        ..Meta::new("hexpire", Arity::AtLeast(6), WRITE, Acl::HASH)
    },
}
.checked();

pub(super) const HPEXPIRE: Command = Command {
    handler: Handler::Shard(hpexpire),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("milliseconds", ArgKind::Int), CONDITION, FIELDS],
        group: "hash",
        since: "7.4.0",
        summary: "Set expiry for hash field using relative time to expire (milliseconds)",
        complexity: "O(N) where N is the number of specified fields",
        ..Meta::new("hpexpire", Arity::AtLeast(6), WRITE, Acl::HASH)
    },
}
.checked();

pub(super) const HEXPIREAT: Command = Command {
    handler: Handler::Shard(hexpireat),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("unix-time-seconds", ArgKind::UnixTime),
            CONDITION,
            FIELDS,
        ],
        group: "hash",
        since: "7.4.0",
        summary: "Set expiry for hash field using an absolute Unix timestamp (seconds)",
        complexity: "O(N) where N is the number of specified fields",
        ..Meta::new("hexpireat", Arity::AtLeast(6), WRITE, Acl::HASH)
    },
}
.checked();

pub(super) const HPEXPIREAT: Command = Command {
    handler: Handler::Shard(hpexpireat),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("unix-time-milliseconds", ArgKind::UnixTime),
            CONDITION,
            FIELDS,
        ],
        group: "hash",
        since: "7.4.0",
        summary: "Set expiry for hash field using an absolute Unix timestamp (milliseconds)",
        complexity: "O(N) where N is the number of specified fields",
        ..Meta::new("hpexpireat", Arity::AtLeast(6), WRITE, Acl::HASH)
    },
}
.checked();

const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST);

const CONDITION: Arg = Arg::new(
    "condition",
    ArgKind::OneOf(&[
        Arg::word("nx", "NX"),
        Arg::word("xx", "XX"),
        Arg::word("gt", "GT"),
        Arg::word("lt", "LT"),
    ]),
)
.optional();

fn hexpire(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    expire_fields(cx, args, ExpiryUnit::Seconds, "hexpire")
}

fn hpexpire(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    expire_fields(cx, args, ExpiryUnit::Milliseconds, "hpexpire")
}

fn hexpireat(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    expire_fields(cx, args, ExpiryUnit::UnixSeconds, "hexpireat")
}

fn hpexpireat(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    expire_fields(cx, args, ExpiryUnit::UnixMilliseconds, "hpexpireat")
}

/// On what present deadline a new one may be set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    None,
    Some,
    Later,
    Earlier,
}

impl Condition {
    fn of(args: Args<'_>, index: usize) -> Self {
        let words = [("NX", Self::None), ("XX", Self::Some), ("GT", Self::Later), ("LT", Self::Earlier)];
        words.into_iter().find(|(word, _)| args.is(index, word)).map_or(Self::Always, |(_, found)| found)
    }

    /// Whether `at` may take the place of the deadline `before`; a field without one expires at the end of time.
    fn allows(self, before: Option<u64>, at: u64) -> bool {
        match self {
            Self::Always => true,
            Self::None => before.is_none(),
            Self::Some => before.is_some(),
            Self::Later => before.is_some_and(|before| at > before),
            Self::Earlier => before.is_none_or(|before| at < before),
        }
    }
}

/// What became of a field, as the reply shows it.
const NO_FIELD: i64 = -2;
const NOT_ALLOWED: i64 = 0;
const SET: i64 = 1;
const DELETED: i64 = 2;

fn expire_fields(cx: &mut Ctx<'_>, args: Args<'_>, unit: ExpiryUnit, name: &str) -> CmdResult {
    let key = args.raw(1);
    let (now_ms, seed, deletes) = (cx.keys.now_ms(), cx.settings.seed, cx.keys.deletes_due());
    // The type is looked at before the arguments, as in Redis.
    cx.keys.write_as::<Hash>(key)?;
    let at = deadline(args, 2, unit, now_ms, name)?;
    let condition = Condition::of(args, 3);
    let words = if condition == Condition::Always { 3 } else { 4 };
    let fields = counted_fields(args, words, "ERR Parameter `numFields` should be greater than 0")?;
    let delete = at <= now_ms && deletes;
    let Some(hash) = cx.keys.write_as::<Hash>(key)? else {
        cx.reply.array(fields.len());
        fields.iter().for_each(|_| cx.reply.int(NO_FIELD));
        return DONE;
    };
    let mut done = Replaying::new();
    cx.reply.array(fields.len());
    for field in fields {
        let outcome = if !hash.contains(field) {
            NO_FIELD
        } else if !condition.allows(hash.deadline(field), at) {
            NOT_ALLOWED
        } else if delete {
            hash.remove(field);
            DELETED
        } else {
            hash.set_deadline(field, at, seed);
            SET
        };
        cx.reply.int(outcome);
        if outcome > 0 {
            done.push(field);
        }
    }
    let drained = hash.is_empty();
    done.tell(cx, key, if delete { None } else { Some(at) }, drained);
    DONE
}
