//! ZUNION and ZUNIONSTORE.

use super::operation::{Options, parse_keys, read_sources, reply_members, sources, store, union};
use crate::commands::prelude::*;

pub(super) const ZUNION: Command = Command {
    handler: Handler::Shard(zunion),
    meta: Meta {
        keys: &[KeySpec::counted(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("numkeys", ArgKind::Int), Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("weight", ArgKind::Int).token("WEIGHTS").optional().multiple(), Arg::new("aggregate", ArgKind::OneOf(&[Arg::word("sum", "SUM"), Arg::word("min", "MIN"), Arg::word("max", "MAX")])).token("AGGREGATE").optional(), Arg::word("withscores", "WITHSCORES").optional()],
        group: "sorted-set", since: "6.2.0",
        summary: "Add multiple sorted sets",
        complexity: "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        ..Meta::new("zunion", Arity::AtLeast(3), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZUNIONSTORE: Command = Command {
    handler: Handler::Shard(zunionstore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE)), KeySpec::counted(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("destination", ArgKind::Key(0)), Arg::new("numkeys", ArgKind::Int), Arg::new("key", ArgKind::Key(1)).multiple(), Arg::new("weight", ArgKind::Int).token("WEIGHTS").optional().multiple(), Arg::new("aggregate", ArgKind::OneOf(&[Arg::word("sum", "SUM"), Arg::word("min", "MIN"), Arg::word("max", "MAX")])).token("AGGREGATE").optional()],
        group: "sorted-set", since: "2.0.0",
        summary: "Add multiple sorted sets and store the resulting sorted set in a new key",
        complexity: "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        ..Meta::new("zunionstore", Arity::AtLeast(4), Flags::WRITE.union(Flags::DENYOOM), Acl::SORTEDSET)
    },
}
.checked();

fn zunion(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = parse_keys(args, 1, "zunion")?;
    // Types are looked at before the options are.
    read_sources(&mut cx.keys, keys.names)?;
    let options = Options::parse(args, &keys, true, true)?;
    let result = union(&sources(&cx.keys, keys.names), &options, cx.settings);
    reply_members(cx.reply, result.iter(), options.with_scores);
    DONE
}

fn zunionstore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = parse_keys(args, 2, "zunionstore")?;
    read_sources(&mut cx.keys, keys.names)?;
    let options = Options::parse(args, &keys, true, false)?;
    let result = union(&sources(&cx.keys, keys.names), &options, cx.settings);
    store(cx, args.raw(1), result, "zunionstore");
    DONE
}
