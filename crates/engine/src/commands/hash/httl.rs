//! HTTL, HPTTL, HEXPIRETIME and HPEXPIRETIME.

use super::field_args::{FIELDS, NOT_POSITIVE, counted_fields};
use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HTTL: Command = Command {
    handler: Handler::Shard(httl),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), FIELDS],
        group: "hash",
        since: "7.4.0",
        summary: "Returns the TTL in seconds of a hash field.",
        complexity: "O(N) where N is the number of specified fields",
        tips: &["nondeterministic_output"],
        ..Meta::new("httl", Arity::AtLeast(5), Flags::READONLY.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

pub(super) const HPTTL: Command = Command {
    handler: Handler::Shard(hpttl),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), FIELDS],
        group: "hash",
        since: "7.4.0",
        summary: "Returns the TTL in milliseconds of a hash field.",
        complexity: "O(N) where N is the number of specified fields",
        tips: &["nondeterministic_output"],
        ..Meta::new("hpttl", Arity::AtLeast(5), Flags::READONLY.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

pub(super) const HEXPIRETIME: Command = Command {
    handler: Handler::Shard(hexpiretime),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), FIELDS],
        group: "hash",
        since: "7.4.0",
        summary: "Returns the expiration time of a hash field as a Unix timestamp, in seconds.",
        complexity: "O(N) where N is the number of specified fields",
        ..Meta::new("hexpiretime", Arity::AtLeast(5), Flags::READONLY.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

pub(super) const HPEXPIRETIME: Command = Command {
    handler: Handler::Shard(hpexpiretime),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), FIELDS],
        group: "hash",
        since: "7.4.0",
        summary: "Returns the expiration time of a hash field as a Unix timestamp, in msec.",
        complexity: "O(N) where N is the number of specified fields",
        ..Meta::new("hpexpiretime", Arity::AtLeast(5), Flags::READONLY.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

fn httl(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    show(cx, args, |at, now| at.saturating_sub(now).div_ceil(1000))
}

fn hpttl(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    show(cx, args, |at, now| at.saturating_sub(now))
}

fn hexpiretime(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    show(cx, args, |at, _| at.div_ceil(1000))
}

fn hpexpiretime(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    show(cx, args, |at, _| at)
}

/// Shows each field's deadline as `form` makes it of the deadline and the time.
fn show(cx: &mut Ctx<'_>, args: Args<'_>, form: impl Fn(u64, u64) -> u64) -> CmdResult {
    let now_ms = cx.keys.now_ms();
    let hash = cx.keys.read_as::<Hash>(args.raw(1))?;
    let fields = counted_fields(args, 2, NOT_POSITIVE)?;
    cx.reply.array(fields.len());
    for field in fields {
        let shown = match hash {
            Some(hash) if hash.contains(field) => {
                hash.deadline(field).map_or(-1, |at| i64::try_from(form(at, now_ms)).unwrap_or(i64::MAX))
            }
            _ => -2,
        };
        cx.reply.int(shown);
    }
    DONE
}
