//! ZPOPMIN and ZPOPMAX.

use crate::commands::prelude::*;
use moonshard_protocol::Reply;
use moonshard_store::SortedSet;

pub(super) const ZPOPMIN: Command = Command {
    handler: Handler::Shard(zpopmin),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("count", ArgKind::Int).optional()],
        group: "sorted-set", since: "5.0.0",
        summary: "Remove and return members with the lowest scores in a sorted set",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        ..Meta::new("zpopmin", Arity::AtLeast(2), Flags::WRITE.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZPOPMAX: Command = Command {
    handler: Handler::Shard(zpopmax),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("count", ArgKind::Int).optional()],
        group: "sorted-set", since: "5.0.0",
        summary: "Remove and return members with the highest scores in a sorted set",
        complexity: "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        ..Meta::new("zpopmax", Arity::AtLeast(2), Flags::WRITE.union(Flags::FAST), Acl::SORTEDSET)
    },
}
.checked();

/// The end of a sorted set that members are popped from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extreme {
    Min,
    Max,
}

impl Extreme {
    pub(super) const fn event(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }

    /// The command that pops there.
    pub(super) const fn command(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }

    /// Pops `count` members, which are there; `write` writes each.
    pub(super) fn pop(
        self,
        set: &mut SortedSet,
        count: usize,
        reply: &mut Reply,
        write: impl Fn(&mut Reply, &[u8], f64),
    ) {
        match self {
            Self::Min => {
                set.remove_ranks(0..count, |member, score| write(reply, member, score));
            }
            Self::Max => {
                for _ in 0..count {
                    set.pop_max(|member, score| write(reply, member, score));
                }
            }
        }
    }
}

fn zpopmin(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    pop(cx, args, Extreme::Min)
}

fn zpopmax(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    pop(cx, args, Extreme::Max)
}

fn pop(cx: &mut Ctx<'_>, args: Args<'_>, extreme: Extreme) -> CmdResult {
    if args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let key = args.raw(1);
    let count = if args.len() == 3 { Some(args.count(2)?) } else { None };
    let Some(set) = cx.keys.write_as::<SortedSet>(key)?.filter(|_| count != Some(0)) else {
        cx.reply.array(0);
        return DONE;
    };
    let popped = count.unwrap_or(1).min(set.len());
    // One member without a count is no list of pairs, in either version of the protocol.
    let nested = count.is_some();
    if nested {
        cx.reply.pairs(popped);
    } else {
        cx.reply.array(2 * popped);
    }
    extreme.pop(set, popped, cx.reply, |reply, member, score| {
        if nested {
            reply.pair();
        }
        reply.bulk(member);
        reply.double(score);
    });
    let drained = set.is_empty();
    cx.keys.shrunk(EventClass::SORTED_SET, extreme.event(), key, drained);
    DONE
}
