//! APPEND.

use super::len_limit::check_len;
use crate::commands::prelude::*;

pub(super) const APPEND: Command = Command {
    handler: Handler::Shard(append),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("value", ArgKind::String)],
        group: "string", since: "2.0.0",
        summary: "Append a value to a key",
        complexity: "O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.",
        ..Meta::new("append", Arity::Exact(3), Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST), Acl::STRING)
    },
}
.checked();

fn append(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, value) = (args.raw(1), args.raw(2));
    let len_max = cx.settings.bulk_len_max;
    let len = match cx.keys.write_str(key)? {
        Some(entry) => {
            check_len(entry.string().unwrap_or_default().len(), value.len(), len_max)?;
            entry.append(value).unwrap_or(0)
        }
        None => {
            cx.keys.set_str(key, value, Expiry::Clear);
            value.len()
        }
    };
    cx.keys.changed(EventClass::STRING, "append", key);
    cx.reply.count(len);
    DONE
}
