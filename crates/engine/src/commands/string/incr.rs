//! INCR, DECR, INCRBY and DECRBY.

use crate::commands::prelude::*;
use moonshard_store::number::parse_i64;

pub(super) const INCR: Command = Command {
    handler: Handler::Shard(incr),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "string",
        since: "1.0.0",
        summary: "Increment the integer value of a key by one",
        complexity: "O(1)",
        ..Meta::new(
            "incr",
            Arity::Exact(2),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::STRING,
        )
    },
}
.checked();

pub(super) const DECR: Command = Command {
    handler: Handler::Shard(decr),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "string",
        since: "1.0.0",
        summary: "Decrement the integer value of a key by one",
        complexity: "O(1)",
        ..Meta::new(
            "decr",
            Arity::Exact(2),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::STRING,
        )
    },
}
.checked();

pub(super) const INCRBY: Command = Command {
    handler: Handler::Shard(incrby),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("increment", ArgKind::Int)],
        group: "string",
        since: "1.0.0",
        summary: "Increment the integer value of a key by the given amount",
        complexity: "O(1)",
        ..Meta::new(
            "incrby",
            Arity::Exact(3),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::STRING,
        )
    },
}
.checked();

pub(super) const DECRBY: Command = Command {
    handler: Handler::Shard(decrby),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("decrement", ArgKind::Int)],
        group: "string",
        since: "1.0.0",
        summary: "Decrement the integer value of a key by the given number",
        complexity: "O(1)",
        ..Meta::new(
            "decrby",
            Arity::Exact(3),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::STRING,
        )
    },
}
.checked();

fn incr(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    add(cx, args.raw(1), 1)
}

fn decr(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    add(cx, args.raw(1), -1)
}

fn incrby(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    add(cx, args.raw(1), args.int(2)?)
}

fn decrby(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let decrement = args.int(2)?;
    let increment = decrement.checked_neg().ok_or(Error::fixed("ERR decrement would overflow"))?;
    add(cx, args.raw(1), increment)
}

fn add(cx: &mut Ctx<'_>, key: &[u8], increment: i64) -> CmdResult {
    let mut digits = itoa::Buffer::new();
    let sum = match cx.keys.write_str(key)? {
        Some(entry) => {
            let value = entry.string().and_then(parse_i64).ok_or(Error::NOT_AN_INTEGER)?;
            let sum = value.checked_add(increment).ok_or(Error::INCREMENT_OVERFLOW)?;
            entry.set_string(digits.format(sum).as_bytes());
            sum
        }
        None => {
            cx.keys.set_str(key, digits.format(increment).as_bytes(), Expiry::Clear);
            increment
        }
    };
    cx.keys.changed(EventClass::STRING, "incrby", key);
    cx.reply.int(sum);
    DONE
}
