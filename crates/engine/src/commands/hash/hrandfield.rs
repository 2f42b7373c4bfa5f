//! HRANDFIELD.

use crate::commands::prelude::*;
use crate::commands::sample_count::SampleCount;
use moonshard_store::Hash;

pub(super) const HRANDFIELD: Command = Command {
    handler: Handler::Shard(hrandfield),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new(
                "options",
                ArgKind::Block(&[
                    Arg::new("count", ArgKind::Int),
                    Arg::word("withvalues", "WITHVALUES").optional(),
                ]),
            )
            .optional(),
        ],
        group: "hash",
        since: "6.2.0",
        summary: "Get one or multiple random fields from a hash",
        complexity: "O(N) where N is the number of fields returned",
        tips: &["nondeterministic_output"],
        ..Meta::new("hrandfield", Arity::AtLeast(2), Flags::READONLY, Acl::HASH)
    },
}
.checked();

fn hrandfield(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    if args.len() == 2 {
        let hash = cx.keys.read_as::<Hash>(args.raw(1))?;
        match hash.and_then(|hash| hash.random(|| cx.rng.next())) {
            Some((field, _)) => bulk_element(cx.reply, field),
            None => cx.reply.null(),
        }
        return DONE;
    }
    let (count, with_values) = SampleCount::parse_with(args, "WITHVALUES")?;
    let Some(hash) = cx.keys.read_as::<Hash>(args.raw(1))? else {
        cx.reply.array(0);
        return DONE;
    };
    let drawn = count.drawn_of(hash.len());
    let reply = &mut *cx.reply;
    if with_values {
        reply.pairs(drawn);
    } else {
        reply.array(drawn);
    }
    let random = || cx.rng.next();
    let mut show = |field, value| {
        if with_values {
            reply.pair();
            bulk_element(reply, field);
            bulk_element(reply, value);
        } else {
            bulk_element(reply, field);
        }
    };
    match count {
        SampleCount::Distinct(count) => hash.random_distinct(count, random, &mut show),
        SampleCount::Repeating(count) => hash.random_repeating(count, random, &mut show),
    }
    DONE
}
