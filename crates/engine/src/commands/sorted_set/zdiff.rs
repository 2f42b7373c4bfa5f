//! ZDIFF and ZDIFFSTORE.

use super::operation::{Options, difference, parse_keys, read_sources, reply_members, sources, store};
use crate::commands::prelude::*;

pub(super) const ZDIFF: Command = Command {
    handler: Handler::Shard(zdiff),
    meta: Meta {
        keys: &[KeySpec::counted(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("numkeys", ArgKind::Int), Arg::new("key", ArgKind::Key(0)).multiple(), Arg::word("withscores", "WITHSCORES").optional()],
        group: "sorted-set", since: "6.2.0",
        summary: "Subtract multiple sorted sets",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        ..Meta::new("zdiff", Arity::AtLeast(3), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZDIFFSTORE: Command = Command {
    handler: Handler::Shard(zdiffstore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE)), KeySpec::counted(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("destination", ArgKind::Key(0)), Arg::new("numkeys", ArgKind::Int), Arg::new("key", ArgKind::Key(1)).multiple()],
        group: "sorted-set", since: "6.2.0",
        summary: "Subtract multiple sorted sets and store the resulting sorted set in a new key",
        complexity: "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        ..Meta::new("zdiffstore", Arity::AtLeast(4), Flags::WRITE.union(Flags::DENYOOM), Acl::SORTEDSET)
    },
}
.checked();

fn zdiff(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = parse_keys(args, 1, "zdiff")?;
    // Types are looked at before the options are.
    read_sources(&mut cx.keys, keys.names)?;
    let options = Options::parse(args, &keys, false, true)?;
    let result = difference(&sources(&cx.keys, keys.names), cx.settings);
    reply_members(cx.reply, result.iter(), options.with_scores);
    DONE
}

fn zdiffstore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = parse_keys(args, 2, "zdiffstore")?;
    read_sources(&mut cx.keys, keys.names)?;
    Options::parse(args, &keys, false, false)?;
    let result = difference(&sources(&cx.keys, keys.names), cx.settings);
    store(cx, args.raw(1), result, "zdiffstore");
    DONE
}
