//! TTL, PTTL, EXPIRETIME and PEXPIRETIME.

use crate::commands::prelude::*;

pub(super) const TTL: Command = Command {
    handler: Handler::Shard(ttl),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic",
        since: "1.0.0",
        summary: "Get the time to live for a key in seconds",
        complexity: "O(1)",
        history: &[("2.8.0", "Added the -2 reply.")],
        tips: &["nondeterministic_output"],
        ..Meta::new("ttl", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

pub(super) const PTTL: Command = Command {
    handler: Handler::Shard(pttl),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic",
        since: "2.6.0",
        summary: "Get the time to live for a key in milliseconds",
        complexity: "O(1)",
        history: &[("2.8.0", "Added the -2 reply.")],
        tips: &["nondeterministic_output"],
        ..Meta::new("pttl", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

pub(super) const EXPIRETIME: Command = Command {
    handler: Handler::Shard(expiretime),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic",
        since: "7.0.0",
        summary: "Get the expiration Unix timestamp for a key",
        complexity: "O(1)",
        ..Meta::new("expiretime", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

pub(super) const PEXPIRETIME: Command = Command {
    handler: Handler::Shard(pexpiretime),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic",
        since: "7.0.0",
        summary: "Get the expiration Unix timestamp for a key in milliseconds",
        complexity: "O(1)",
        ..Meta::new("pexpiretime", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::KEYSPACE)
    },
}
.checked();

fn ttl(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let now_ms = cx.keys.now_ms();
    reply_expiry(cx, args, |at| seconds(at.saturating_sub(now_ms)))
}

fn pttl(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let now_ms = cx.keys.now_ms();
    reply_expiry(cx, args, |at| at.saturating_sub(now_ms) as i64)
}

fn expiretime(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    reply_expiry(cx, args, seconds)
}

fn pexpiretime(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    reply_expiry(cx, args, |at| at as i64)
}

/// Rounded to the nearest second.
const fn seconds(ms: u64) -> i64 {
    (ms.saturating_add(500) / 1000) as i64
}

fn reply_expiry(cx: &mut Ctx<'_>, args: Args<'_>, show: impl Fn(u64) -> i64) -> CmdResult {
    const NO_KEY: i64 = -2;
    const NO_EXPIRY: i64 = -1;
    let shown = match cx.keys.look(args.raw(1)) {
        Some(entry) => entry.expiry_ms().map_or(NO_EXPIRY, show),
        None => NO_KEY,
    };
    cx.reply.int(shown);
    DONE
}
