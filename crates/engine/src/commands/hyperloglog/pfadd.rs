//! PFADD.

use super::{checked, corrupted};
use crate::commands::prelude::*;
use moonshard_store::hyperloglog::{EMPTY, add, forget_count};

pub(super) const PFADD: Command = Command {
    handler: Handler::Shard(pfadd),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("element", ArgKind::String).optional().multiple()],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Adds the specified elements to the specified HyperLogLog.",
        complexity: "O(1) to add every element.",
        ..Meta::new(
            "pfadd",
            Arity::AtLeast(2),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::HYPERLOGLOG,
        )
    },
}
.checked();

fn pfadd(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let sparse_len_max = cx.settings.hll_sparse_len_max;
    let (entry, made) = cx.keys.create_str(key)?;
    if !made {
        checked(entry.string().unwrap_or_default())?;
    }
    let Some(value) = entry.raw_mut() else { return Err(Error::WRONG_TYPE) };
    if made {
        value.extend_from_slice(&EMPTY);
    }
    let mut changed = made;
    let mut outcome = Ok(());
    for element in args.from(2) {
        match add(value, element, sparse_len_max) {
            Ok(added) => changed |= added,
            Err(error) => {
                outcome = Err(corrupted(error));
                break;
            }
        }
    }
    if changed {
        forget_count(value);
        cx.keys.changed(EventClass::STRING, "pfadd", key);
    }
    outcome?;
    cx.reply.int(changed.into());
    DONE
}
