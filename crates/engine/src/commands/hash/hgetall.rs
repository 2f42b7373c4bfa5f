//! HGETALL, HKEYS and HVALS.

use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HGETALL: Command = Command {
    handler: Handler::Shard(hgetall),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "hash",
        since: "2.0.0",
        summary: "Get all the fields and values in a hash",
        complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"],
        ..Meta::new("hgetall", Arity::Exact(2), Flags::READONLY, Acl::HASH)
    },
}
.checked();

pub(super) const HKEYS: Command = Command {
    handler: Handler::Shard(hkeys),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "hash",
        since: "2.0.0",
        summary: "Get all the fields in a hash",
        complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"],
        ..Meta::new("hkeys", Arity::Exact(2), Flags::READONLY, Acl::HASH)
    },
}
.checked();

pub(super) const HVALS: Command = Command {
    handler: Handler::Shard(hvals),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "hash",
        since: "2.0.0",
        summary: "Get all the values in a hash",
        complexity: "O(N) where N is the size of the hash.",
        tips: &["nondeterministic_output_order"],
        ..Meta::new("hvals", Arity::Exact(2), Flags::READONLY, Acl::HASH)
    },
}
.checked();

fn hgetall(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Some(hash) = cx.keys.read_as::<Hash>(args.raw(1))? else {
        cx.reply.map(0);
        return DONE;
    };
    cx.reply.map(hash.len());
    for (field, value) in hash.iter() {
        bulk_element(cx.reply, field);
        bulk_element(cx.reply, value);
    }
    DONE
}

fn hkeys(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Some(hash) = cx.keys.read_as::<Hash>(args.raw(1))? else {
        cx.reply.array(0);
        return DONE;
    };
    cx.reply.array(hash.len());
    hash.iter().for_each(|(field, _)| bulk_element(cx.reply, field));
    DONE
}

fn hvals(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Some(hash) = cx.keys.read_as::<Hash>(args.raw(1))? else {
        cx.reply.array(0);
        return DONE;
    };
    cx.reply.array(hash.len());
    hash.iter().for_each(|(_, value)| bulk_element(cx.reply, value));
    DONE
}
