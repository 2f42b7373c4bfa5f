//! ZRANK and ZREVRANK.

use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const ZRANK: Command = Command {
    handler: Handler::Shard(zrank),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("member", ArgKind::String),
            Arg::word("withscore", "WITHSCORE").optional().since("7.2.0"),
        ],
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
        group: "sorted-set",
        since: "2.0.0",
        summary: "Determine the index of a member in a sorted set",
        complexity: "O(log(N))",
        ..Meta::new("zrank", Arity::AtLeast(3), Flags::READONLY.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZREVRANK: Command = Command {
    handler: Handler::Shard(zrevrank),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("member", ArgKind::String),
            Arg::word("withscore", "WITHSCORE").optional().since("7.2.0"),
        ],
        history: &[("7.2.0", "Added the optional `WITHSCORE` argument.")],
        group: "sorted-set",
        since: "2.0.0",
        summary: "Determine the index of a member in a sorted set, with scores ordered from high to low",
        complexity: "O(log(N))",
        ..Meta::new("zrevrank", Arity::AtLeast(3), Flags::READONLY.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

fn zrank(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    rank(cx, args, "zrank")
}

fn zrevrank(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    rank(cx, args, "zrevrank")
}

fn rank(cx: &mut Ctx<'_>, args: Args<'_>, name: &str) -> CmdResult {
    if args.len() > 4 {
        return Err(Error::wrong_arity(name));
    }
    let with_score = args.len() == 4;
    if with_score && !args.is(3, "WITHSCORE") {
        return Err(Error::SYNTAX);
    }
    let reverse = name == "zrevrank";
    match cx.keys.read_as::<SortedSet>(args.raw(1))?.and_then(|set| set.rank(args.raw(2), reverse)) {
        Some((rank, score)) if with_score => {
            cx.reply.array(2);
            cx.reply.count(rank);
            cx.reply.double(score);
        }
        Some((rank, _)) => cx.reply.count(rank),
        None if with_score => cx.reply.null_array(),
        None => cx.reply.null(),
    }
    DONE
}
