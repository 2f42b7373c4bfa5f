//! ZSCORE and ZMSCORE.

use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const ZSCORE: Command = Command {
    handler: Handler::Shard(zscore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String)],
        group: "sorted-set",
        since: "1.2.0",
        summary: "Get the score associated with the given member in a sorted set",
        complexity: "O(1)",
        ..Meta::new("zscore", Arity::Exact(3), Flags::READONLY.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZMSCORE: Command = Command {
    handler: Handler::Shard(zmscore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String).multiple()],
        group: "sorted-set",
        since: "6.2.0",
        summary: "Get the score associated with the given members in a sorted set",
        complexity: "O(N) where N is the number of members being requested.",
        ..Meta::new("zmscore", Arity::AtLeast(3), Flags::READONLY.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

fn zscore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    match cx.keys.read_as::<SortedSet>(args.raw(1))?.and_then(|set| set.score(args.raw(2))) {
        Some(score) => cx.reply.double(score),
        None => cx.reply.null(),
    }
    DONE
}

fn zmscore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let set = cx.keys.read_as::<SortedSet>(args.raw(1))?;
    let members = args.from(2);
    cx.reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => cx.reply.double(score),
            None => cx.reply.null(),
        }
    }
    DONE
}
