//! ZRANDMEMBER.

use crate::commands::prelude::*;
use crate::commands::sample_count::SampleCount;
use moonshard_store::SortedSet;

pub(super) const ZRANDMEMBER: Command = Command {
    handler: Handler::Shard(zrandmember),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new(
                "options",
                ArgKind::Block(&[
                    Arg::new("count", ArgKind::Int),
                    Arg::word("withscores", "WITHSCORES").optional(),
                ]),
            )
            .optional(),
        ],
        group: "sorted-set",
        since: "6.2.0",
        summary: "Get one or multiple random elements from a sorted set",
        complexity: "O(N) where N is the number of elements returned",
        tips: &["nondeterministic_output"],
        ..Meta::new("zrandmember", Arity::AtLeast(2), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

fn zrandmember(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    if args.len() == 2 {
        let set = cx.keys.read_as::<SortedSet>(args.raw(1))?;
        match set.and_then(|set| set.random(|| cx.rng.next())) {
            Some((member, _)) => cx.reply.bulk(member),
            None => cx.reply.null(),
        }
        return DONE;
    }
    let (count, with_scores) = SampleCount::parse_with(args, "WITHSCORES")?;
    let Some(set) = cx.keys.read_as::<SortedSet>(args.raw(1))? else {
        cx.reply.array(0);
        return DONE;
    };
    let drawn = count.drawn_of(set.len());
    let reply = &mut *cx.reply;
    if with_scores {
        reply.pairs(drawn);
    } else {
        reply.array(drawn);
    }
    let mut random = || cx.rng.next();
    let mut show = |member: &[u8], score: f64| {
        if with_scores {
            reply.pair();
        }
        reply.bulk(member);
        if with_scores {
            reply.double(score);
        }
    };
    match count {
        SampleCount::Distinct(count) => set.random_distinct(count, random, show),
        SampleCount::Repeating(count) => {
            for _ in 0..count {
                if let Some((member, score)) = set.random(&mut random) {
                    show(member, score);
                }
            }
        }
    }
    DONE
}
