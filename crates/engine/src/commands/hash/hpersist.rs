//! HPERSIST.

use super::field_args::{FIELDS, NOT_POSITIVE, counted_fields};
use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HPERSIST: Command = Command {
    handler: Handler::Shard(hpersist),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), FIELDS],
        group: "hash",
        since: "7.4.0",
        summary: "Removes the expiration time for each specified field",
        complexity: "O(N) where N is the number of specified fields",
        ..Meta::new("hpersist", Arity::AtLeast(5), Flags::WRITE.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

fn hpersist(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let mut hash = cx.keys.write_as::<Hash>(key)?;
    let fields = counted_fields(args, 2, NOT_POSITIVE)?;
    let mut persisted = false;
    cx.reply.array(fields.len());
    for field in fields {
        let outcome = match &mut hash {
            Some(hash) if hash.contains(field) => {
                if hash.clear_deadline(field) {
                    1
                } else {
                    -1
                }
            }
            _ => -2,
        };
        persisted |= outcome == 1;
        cx.reply.int(outcome);
    }
    if persisted {
        cx.keys.changed(EventClass::HASH, "hpersist", key);
    }
    DONE
}
