//! SISMEMBER and SMISMEMBER.

use crate::commands::prelude::*;
use moonshard_store::Set;

pub(super) const SISMEMBER: Command = Command {
    handler: Handler::Shard(sismember),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String)],
        group: "set",
        since: "1.0.0",
        summary: "Determine if a given value is a member of a set",
        complexity: "O(1)",
        ..Meta::new("sismember", Arity::Exact(3), Flags::READONLY.union(Flags::FAST), Acl::SET)
    },
}
.checked();

pub(super) const SMISMEMBER: Command = Command {
    handler: Handler::Shard(smismember),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String).multiple()],
        group: "set",
        since: "6.2.0",
        summary: "Returns the membership associated with the given elements for a set",
        complexity: "O(N) where N is the number of elements being checked for membership",
        ..Meta::new("smismember", Arity::AtLeast(3), Flags::READONLY.union(Flags::FAST), Acl::SET)
    },
}
.checked();

fn sismember(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let set = cx.keys.read_as::<Set>(args.raw(1))?;
    cx.reply.int(i64::from(set.is_some_and(|set| set.contains(args.raw(2)))));
    DONE
}

fn smismember(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let set = cx.keys.read_as::<Set>(args.raw(1))?;
    let members = args.from(2);
    cx.reply.array(members.len());
    for member in members {
        cx.reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    DONE
}
