//! GET.

use crate::commands::prelude::*;

pub(super) const GET: Command = Command {
    handler: Handler::Shard(get),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "string",
        since: "1.0.0",
        summary: "Get the value of a key",
        complexity: "O(1)",
        ..Meta::new("get", Arity::Exact(2), Flags::READONLY.union(Flags::FAST), Acl::STRING)
    },
}
.checked();

fn get(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    reply_value(cx, args.raw(1))?;
    DONE
}

/// Answers with the string at `key`, or the null.
#[inline]
pub(super) fn reply_value(cx: &mut Ctx<'_>, key: &[u8]) -> Result<(), Error> {
    match cx.keys.read_str(key)? {
        Some(value) => cx.reply.bulk(value),
        None => cx.reply.null(),
    }
    Ok(())
}
