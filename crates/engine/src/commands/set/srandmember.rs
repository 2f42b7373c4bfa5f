//! SRANDMEMBER.

use crate::commands::prelude::*;
use crate::commands::sample_count::SampleCount;
use moonshard_store::Set;

pub(super) const SRANDMEMBER: Command = Command {
    handler: Handler::Shard(srandmember),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("count", ArgKind::Int).optional().since("2.6.0")],
        group: "set", since: "1.0.0",
        summary: "Get one or multiple random members from a set",
        complexity: "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
        history: &[("2.6.0", "Added the optional `count` argument.")],
        tips: &["nondeterministic_output"],
        ..Meta::new("srandmember", Arity::AtLeast(2), Flags::READONLY, Acl::SET)
    },
}
.checked();

fn srandmember(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    if args.len() == 2 {
        let set = cx.keys.read_as::<Set>(args.raw(1))?;
        match set.and_then(|set| set.random(|| cx.rng.next())) {
            Some(member) => bulk_element(cx.reply, member),
            None => cx.reply.null(),
        }
        return DONE;
    }
    if args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let count = SampleCount::parse(args, 2)?;
    let Some(set) = cx.keys.read_as::<Set>(args.raw(1))? else {
        cx.reply.array(0);
        return DONE;
    };
    cx.reply.array(count.drawn_of(set.len()));
    let random = || cx.rng.next();
    let show = |member| bulk_element(cx.reply, member);
    match count {
        SampleCount::Distinct(count) => set.random_distinct(count, random, show),
        SampleCount::Repeating(count) => set.random_repeating(count, random, show),
    }
    DONE
}
