//! ZINTER and ZINTERSTORE.

use super::operation::{Options, intersection, parse_keys, read_sources, reply_members, sources, store};
use crate::commands::prelude::*;

pub(super) const ZINTER: Command = Command {
    handler: Handler::Shard(zinter),
    meta: Meta {
        keys: &[KeySpec::counted(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("numkeys", ArgKind::Int), Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("weight", ArgKind::Int).token("WEIGHTS").optional().multiple(), Arg::new("aggregate", ArgKind::OneOf(&[Arg::word("sum", "SUM"), Arg::word("min", "MIN"), Arg::word("max", "MAX")])).token("AGGREGATE").optional(), Arg::word("withscores", "WITHSCORES").optional()],
        group: "sorted-set", since: "6.2.0",
        summary: "Intersect multiple sorted sets",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        ..Meta::new("zinter", Arity::AtLeast(3), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZINTERSTORE: Command = Command {
    handler: Handler::Shard(zinterstore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE)), KeySpec::counted(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("destination", ArgKind::Key(0)), Arg::new("numkeys", ArgKind::Int), Arg::new("key", ArgKind::Key(1)).multiple(), Arg::new("weight", ArgKind::Int).token("WEIGHTS").optional().multiple(), Arg::new("aggregate", ArgKind::OneOf(&[Arg::word("sum", "SUM"), Arg::word("min", "MIN"), Arg::word("max", "MAX")])).token("AGGREGATE").optional()],
        group: "sorted-set", since: "2.0.0",
        summary: "Intersect multiple sorted sets and store the resulting sorted set in a new key",
        complexity: "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        ..Meta::new("zinterstore", Arity::AtLeast(4), Flags::WRITE.union(Flags::DENYOOM), Acl::SORTEDSET)
    },
}
.checked();

fn zinter(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = parse_keys(args, 1, "zinter")?;
    // Types are looked at before the options are.
    read_sources(&mut cx.keys, keys.names)?;
    let options = Options::parse(args, &keys, true, true)?;
    let result = intersection(&sources(&cx.keys, keys.names), &options, cx.settings);
    reply_members(cx.reply, result.iter(), options.with_scores);
    DONE
}

fn zinterstore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = parse_keys(args, 2, "zinterstore")?;
    read_sources(&mut cx.keys, keys.names)?;
    let options = Options::parse(args, &keys, true, false)?;
    let result = intersection(&sources(&cx.keys, keys.names), &options, cx.settings);
    store(cx, args.raw(1), result, "zinterstore");
    DONE
}
