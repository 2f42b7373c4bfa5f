//! SETRANGE.

use super::len_limit::check_len;
use crate::commands::prelude::*;

pub(super) const SETRANGE: Command = Command {
    handler: Handler::Shard(setrange),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("offset", ArgKind::Int), Arg::new("value", ArgKind::String)],
        group: "string", since: "2.2.0",
        summary: "Overwrite part of a string at key starting at the specified offset",
        complexity: "O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument.",
        ..Meta::new("setrange", Arity::Exact(4), Flags::WRITE.union(Flags::DENYOOM), Acl::STRING)
    },
}
.checked();

fn setrange(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, value) = (args.raw(1), args.raw(3));
    let offset = usize::try_from(args.int(2)?).map_err(|_| Error::OFFSET_OUT_OF_RANGE)?;
    let len_max = cx.settings.bulk_len_max;
    let mut entry = cx.keys.write_str(key)?;
    if value.is_empty() {
        cx.reply.count(entry.and_then(|entry| entry.string().map(<[u8]>::len)).unwrap_or(0));
        return DONE;
    }
    check_len(offset, value.len(), len_max)?;
    if entry.is_none() {
        cx.keys.set_str(key, b"", Expiry::Clear);
        entry = cx.keys.write_str(key)?;
    }
    let len = entry.and_then(|entry| entry.set_range(offset, value)).unwrap_or(0);
    cx.keys.changed(EventClass::STRING, "setrange", key);
    cx.reply.count(len);
    DONE
}
