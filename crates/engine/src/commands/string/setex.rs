//! SETEX and PSETEX.

use super::expiry_option::{ExpiryOption, ExpiryUnit};
use super::set::store_expiring;
use crate::commands::prelude::*;

pub(super) const SETEX: Command = Command {
    handler: Handler::Shard(setex),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("seconds", ArgKind::Int),
            Arg::new("value", ArgKind::String),
        ],
        group: "string",
        since: "2.0.0",
        summary: "Set the value and expiration of a key",
        complexity: "O(1)",
        ..Meta::new("setex", Arity::Exact(4), Flags::WRITE.union(Flags::DENYOOM), Acl::STRING)
    },
}
.checked();

pub(super) const PSETEX: Command = Command {
    handler: Handler::Shard(psetex),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("milliseconds", ArgKind::Int),
            Arg::new("value", ArgKind::String),
        ],
        group: "string",
        since: "2.6.0",
        summary: "Set the value and expiration in milliseconds of a key",
        complexity: "O(1)",
        ..Meta::new("psetex", Arity::Exact(4), Flags::WRITE.union(Flags::DENYOOM), Acl::STRING)
    },
}
.checked();

fn setex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    set_expiring(cx, args, ExpiryUnit::Seconds, "setex")
}

fn psetex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    set_expiring(cx, args, ExpiryUnit::Milliseconds, "psetex")
}

fn set_expiring(cx: &mut Ctx<'_>, args: Args<'_>, unit: ExpiryUnit, name: &str) -> CmdResult {
    let at = ExpiryOption { unit, value: 2 }.unix_ms(args, cx.keys.now_ms(), name)?;
    store_expiring(cx, args.raw(1), args.raw(3), at);
    cx.reply.ok();
    DONE
}
