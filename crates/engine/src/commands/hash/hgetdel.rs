//! HGETDEL.

use super::field_args::{FIELDS, NOT_POSITIVE, Replaying, counted_fields};
use crate::commands::prelude::*;
use moonshard_store::Hash;

pub(super) const HGETDEL: Command = Command {
    handler: Handler::Shard(hgetdel),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), FIELDS],
        group: "hash",
        since: "8.0.0",
        summary: "Returns the value of a field and deletes it from the hash.",
        complexity: "O(N) where N is the number of specified fields",
        ..Meta::new("hgetdel", Arity::AtLeast(5), Flags::WRITE.union(Flags::FAST), Acl::HASH)
    },
}
.checked();

fn hgetdel(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let mut hash = cx.keys.write_as::<Hash>(key)?;
    let fields = counted_fields(args, 2, NOT_POSITIVE)?;
    let mut removed = Replaying::new();
    cx.reply.array(fields.len());
    for field in fields {
        match hash.as_mut().and_then(|hash| hash.get(field)) {
            Some(value) => bulk_element(cx.reply, value),
            None => {
                cx.reply.null();
                continue;
            }
        }
        if let Some(hash) = &mut hash {
            hash.remove(field);
        }
        removed.push(field);
    }
    let drained = hash.is_some_and(|hash| hash.is_empty());
    removed.tell(cx, key, None, drained);
    DONE
}
