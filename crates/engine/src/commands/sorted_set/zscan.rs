//! ZSCAN.

use crate::commands::prelude::*;
use crate::commands::scan_elements::{CollectionScan, empty_scan};
use crate::cursor;
use moonshard_protocol::number::format_double;
use moonshard_store::SortedSet;

pub(super) const ZSCAN: Command = Command {
    handler: Handler::Shard(zscan),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("cursor", ArgKind::Int), Arg::new("pattern", ArgKind::Pattern).token("MATCH").optional(), Arg::new("count", ArgKind::Int).token("COUNT").optional()],
        group: "sorted-set", since: "2.8.0",
        summary: "Incrementally iterate sorted sets elements and associated scores",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
        tips: &["nondeterministic_output"],
        ..Meta::new("zscan", Arity::AtLeast(3), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

fn zscan(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let from = cursor::parse(args.raw(2))?;
    let Some(set) = cx.keys.read_as::<SortedSet>(args.raw(1))? else {
        empty_scan(cx.reply);
        return DONE;
    };
    let mut scan = CollectionScan::parse(args)?;
    let mut text = Vec::new();
    let next = scan.run(from, |scan, cursor| {
        set.scan(cursor, |member, score| {
            if scan.wants(member) {
                text.clear();
                format_double(score, &mut text);
                scan.found(member);
                scan.found(&text);
            }
        })
    });
    scan.reply(next, cx.reply);
    DONE
}
