//! BZPOPMIN and BZPOPMAX.

use super::zpop::Extreme;
use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const BZPOPMIN: Command = Command {
    handler: Handler::Shard(bzpopmin),
    meta: Meta {
        keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("timeout", ArgKind::Double)],
        group: "sorted-set", since: "5.0.0",
        summary: "Remove and return the member with the lowest score from one or more sorted sets, or block until one is available",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        ..Meta::new("bzpopmin", Arity::AtLeast(3), Flags::WRITE.union(Flags::NOSCRIPT).union(Flags::FAST).union(Flags::BLOCKING), Acl::SORTEDSET)
    },
}
.checked();

pub(super) const BZPOPMAX: Command = Command {
    handler: Handler::Shard(bzpopmax),
    meta: Meta {
        keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("timeout", ArgKind::Double)],
        group: "sorted-set", since: "5.0.0",
        summary: "Remove and return the member with the highest score from one or more sorted sets, or block until one is available",
        complexity: "O(log(N)) with N being the number of elements in the sorted set.",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        ..Meta::new("bzpopmax", Arity::AtLeast(3), Flags::WRITE.union(Flags::NOSCRIPT).union(Flags::FAST).union(Flags::BLOCKING), Acl::SORTEDSET)
    },
}
.checked();

fn bzpopmin(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    pop(cx, args, Extreme::Min)
}

fn bzpopmax(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    pop(cx, args, Extreme::Max)
}

fn pop(cx: &mut Ctx<'_>, args: Args<'_>, extreme: Extreme) -> CmdResult {
    let last = args.len() - 1;
    let timeout_ms = timeout_ms(args, last)?;
    let keys = &args.all()[1..last];
    for &key in keys {
        let Some(set) = cx.keys.write_as::<SortedSet>(key)? else { continue };
        cx.reply.array(3);
        cx.reply.bulk(key);
        extreme.pop(set, 1, cx.reply, |reply, member, score| {
            reply.bulk(member);
            reply.double(score);
        });
        let drained = set.is_empty();
        cx.keys.shrunk(EventClass::SORTED_SET, extreme.event(), key, drained);
        cx.keys.replay_as(&[extreme.command(), key]);
        return DONE;
    }
    let keys = keys.iter().map(|key| WaitKey::new(key, &[args.raw(0), key, b"0"])).collect();
    let (kind, empty) = (WaitKind::SortedSet, Empty::NullArray);
    Ok(Flow::Block(Box::new(Wait { timeout_ms, keys, kind, empty, gone: None, failed: None })))
}
