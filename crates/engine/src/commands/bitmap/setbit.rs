//! SETBIT.

use super::offset::bit_offset;
use crate::commands::prelude::*;

pub(super) const SETBIT: Command = Command {
    handler: Handler::Shard(setbit),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("offset", ArgKind::Int),
            Arg::new("value", ArgKind::Int),
        ],
        group: "bitmap",
        since: "2.2.0",
        summary: "Sets or clears the bit at offset in the string value stored at key",
        complexity: "O(1)",
        ..Meta::new("setbit", Arity::Exact(4), Flags::WRITE.union(Flags::DENYOOM), Acl::BITMAP)
    },
}
.checked();

fn setbit(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    const INVALID: Error = Error::fixed("ERR bit is not an integer or out of range");
    let key = args.raw(1);
    let offset = bit_offset(args.raw(2), cx.settings.bulk_len_max)?;
    let on = match args.int_or(3, INVALID)? {
        0 => false,
        1 => true,
        _ => return Err(INVALID),
    };
    let (at, mask) = (offset / 8, 0x80 >> (offset % 8));
    let (entry, _) = cx.keys.create_str(key)?;
    let grows = entry.string().is_none_or(|bytes| bytes.len() <= at);
    let Some(byte) = entry.grown_mut(at + 1).and_then(|bytes| bytes.get_mut(at)) else {
        return Err(Error::WRONG_TYPE);
    };
    let before = *byte & mask != 0;
    *byte = if on { *byte | mask } else { *byte & !mask };
    if grows || before != on {
        cx.keys.changed(EventClass::STRING, "setbit", key);
    }
    cx.reply.int(before.into());
    DONE
}
