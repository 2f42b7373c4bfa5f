//! PFMERGE.

use super::{checked, corrupted};
use crate::commands::prelude::*;
use moonshard_store::hyperloglog::{EMPTY, Union};

pub(super) const PFMERGE: Command = Command {
    handler: Handler::Shard(pfmerge),
    meta: Meta {
        keys: &[
            KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::INSERT)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
        ],
        args: &[Arg::new("destkey", ArgKind::Key(0)), Arg::new("sourcekey", ArgKind::Key(1)).multiple()],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Merge N different HyperLogLogs into a single one.",
        complexity: "O(N) to merge N HyperLogLogs, but with high constant times.",
        ..Meta::new("pfmerge", Arity::AtLeast(2), Flags::WRITE.union(Flags::DENYOOM), Acl::HYPERLOGLOG)
    },
}
.checked();

fn pfmerge(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let target = args.raw(1);
    let mut union = Union::default();
    for key in args.from(1) {
        if let Some(value) = cx.keys.read_str(key)? {
            union.merge(checked(value)?).map_err(corrupted)?;
        }
    }
    let sparse_len_max = cx.settings.hll_sparse_len_max;
    let (entry, made) = cx.keys.create_str(target)?;
    let Some(value) = entry.raw_mut() else { return Err(Error::WRONG_TYPE) };
    if made {
        value.extend_from_slice(&EMPTY);
    }
    union.write_to(value, sparse_len_max).map_err(corrupted)?;
    cx.keys.changed(EventClass::STRING, "pfadd", target);
    cx.reply.ok();
    DONE
}
