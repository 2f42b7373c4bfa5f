//! SUNION and SUNIONSTORE.

use super::operation::{read_sets, reply_set, store, union};
use crate::commands::prelude::*;

pub(super) const SUNION: Command = Command {
    handler: Handler::Shard(sunion),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple()],
        group: "set",
        since: "1.0.0",
        summary: "Add multiple sets",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        tips: &["nondeterministic_output_order"],
        ..Meta::new("sunion", Arity::AtLeast(2), Flags::READONLY, Acl::SET)
    },
}
.checked();

pub(super) const SUNIONSTORE: Command = Command {
    handler: Handler::Shard(sunionstore),
    meta: Meta {
        keys: &[
            KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
        ],
        args: &[Arg::new("destination", ArgKind::Key(0)), Arg::new("key", ArgKind::Key(1)).multiple()],
        group: "set",
        since: "1.0.0",
        summary: "Add multiple sets and store the resulting set in a key",
        complexity: "O(N) where N is the total number of elements in all given sets.",
        ..Meta::new("sunionstore", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM), Acl::SET)
    },
}
.checked();

fn sunion(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let result = union(&read_sets(&mut cx.keys, args.from(1))?, cx.settings);
    reply_set(cx.reply, &result);
    DONE
}

fn sunionstore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let result = union(&read_sets(&mut cx.keys, args.from(2))?, cx.settings);
    store(cx, args.raw(1), result, "sunionstore");
    DONE
}
