//! HSCAN.

use crate::commands::prelude::*;
use crate::commands::scan_elements::{CollectionScan, empty_scan};
use crate::cursor;
use moonshard_store::{Hash, Scratch};

pub(super) const HSCAN: Command = Command {
    handler: Handler::Shard(hscan),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("cursor", ArgKind::Int), Arg::new("pattern", ArgKind::Pattern).token("MATCH").optional(), Arg::new("count", ArgKind::Int).token("COUNT").optional()],
        group: "hash", since: "2.8.0",
        summary: "Incrementally iterate hash fields and associated values",
        complexity: "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
        tips: &["nondeterministic_output"],
        ..Meta::new("hscan", Arity::AtLeast(3), Flags::READONLY, Acl::HASH)
    },
}
.checked();

fn hscan(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let from = cursor::parse(args.raw(2))?;
    let Some(hash) = cx.keys.read_as::<Hash>(args.raw(1))? else {
        empty_scan(cx.reply);
        return DONE;
    };
    let mut scan = CollectionScan::parse(args)?;
    let (mut field_text, mut value_text) = (Scratch::new(), Scratch::new());
    let next = scan.run(from, |scan, cursor| {
        hash.scan(cursor, |field, value| {
            if scan.wants(field.bytes(&mut field_text)) {
                scan.found(field.bytes(&mut field_text));
                scan.found(value.bytes(&mut value_text));
            }
        })
    });
    scan.reply(next, cx.reply);
    DONE
}
