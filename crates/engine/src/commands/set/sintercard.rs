//! SINTERCARD.

use super::operation::{intersect, read_sets};
use crate::commands::counted_keys::{CountedKeys, parse_limit};
use crate::commands::prelude::*;
use std::ops::ControlFlow;

pub(super) const SINTERCARD: Command = Command {
    handler: Handler::Shard(sintercard),
    meta: Meta {
        keys: &[KeySpec::counted(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("numkeys", ArgKind::Int), Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("limit", ArgKind::Int).token("LIMIT").optional()],
        group: "set", since: "7.0.0",
        summary: "Intersect multiple sets and return the cardinality of the result",
        complexity: "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.",
        ..Meta::new("sintercard", Arity::AtLeast(3), Flags::READONLY, Acl::SET)
    },
}
.checked();

fn sintercard(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = CountedKeys::parse(args, 1)?;
    let limit = parse_limit(args, keys.end)?;
    let mut found = 0;
    intersect(&read_sets(&mut cx.keys, keys.names)?, |_| {
        found += 1;
        if found == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    cx.reply.count(found);
    DONE
}
