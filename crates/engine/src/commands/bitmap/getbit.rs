//! GETBIT.

use super::offset::bit_offset;
use crate::commands::prelude::*;

pub(super) const GETBIT: Command = Command {
    handler: Handler::Shard(getbit),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("offset", ArgKind::Int)],
        group: "bitmap",
        since: "2.2.0",
        summary: "Returns the bit value at offset in the string value stored at key",
        complexity: "O(1)",
        ..Meta::new("getbit", Arity::Exact(3), Flags::READONLY.union(Flags::FAST), Acl::BITMAP)
    },
}
.checked();

fn getbit(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let offset = bit_offset(args.raw(2), cx.settings.bulk_len_max)?;
    let bytes = cx.keys.read_str(args.raw(1))?.unwrap_or_default();
    let byte = bytes.get(offset / 8).copied().unwrap_or(0);
    cx.reply.int(i64::from(byte >> (7 - offset % 8) & 1));
    DONE
}
