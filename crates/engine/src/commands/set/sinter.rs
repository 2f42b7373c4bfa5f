//! SINTER and SINTERSTORE.

use super::operation::{intersect, read_sets, store};
use crate::commands::prelude::*;
use moonshard_store::Set;
use std::ops::ControlFlow;

pub(super) const SINTER: Command = Command {
    handler: Handler::Shard(sinter),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple()],
        group: "set", since: "1.0.0",
        summary: "Intersect multiple sets",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        tips: &["nondeterministic_output_order"],
        ..Meta::new("sinter", Arity::AtLeast(2), Flags::READONLY, Acl::SET)
    },
}
.checked();

pub(super) const SINTERSTORE: Command = Command {
    handler: Handler::Shard(sinterstore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE)), KeySpec::range(2, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("destination", ArgKind::Key(0)), Arg::new("key", ArgKind::Key(1)).multiple()],
        group: "set", since: "1.0.0",
        summary: "Intersect multiple sets and store the resulting set in a key",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        ..Meta::new("sinterstore", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM), Acl::SET)
    },
}
.checked();

fn sinter(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let sets = read_sets(&mut cx.keys, args.from(1))?;
    let open = cx.reply.open_set();
    let mut found = 0;
    intersect(&sets, |member| {
        bulk_element(cx.reply, member);
        found += 1;
        ControlFlow::Continue(())
    });
    cx.reply.close(open, found);
    DONE
}

fn sinterstore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (limits, seed) = (cx.settings.set, cx.settings.seed);
    let mut result = Set::new();
    intersect(&read_sets(&mut cx.keys, args.from(2))?, |member| {
        result.add_element(member, limits, seed);
        ControlFlow::Continue(())
    });
    store(cx, args.raw(1), result, "sinterstore");
    DONE
}
