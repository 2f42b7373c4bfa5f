//! LMPOP.

use super::end::{event_of_pop, parse_end};
use super::pop::pop_some;
use crate::commands::counted_keys::{CountedKeys, parse_pop_count};
use crate::commands::prelude::*;
use moonshard_store::{End, List};

pub(super) const LMPOP: Command = Command {
    handler: Handler::Shard(lmpop),
    meta: Meta {
        keys: &[KeySpec::counted(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[
            Arg::new("numkeys", ArgKind::Int),
            Arg::new("key", ArgKind::Key(0)).multiple(),
            Arg::new("where", ArgKind::OneOf(&[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")])),
            Arg::new("count", ArgKind::Int).token("COUNT").optional(),
        ],
        group: "list",
        since: "7.0.0",
        summary: "Pop elements from a list",
        complexity: "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
        ..Meta::new("lmpop", Arity::AtLeast(4), Flags::WRITE, Acl::LIST)
    },
}
.checked();

fn lmpop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let keys = CountedKeys::parse_with_tail(args, 1)?;
    let end = parse_end(args, keys.end)?;
    let count = parse_pop_count(args, keys.end + 1)?;
    for &key in keys.names {
        let Some(list) = cx.keys.write_as::<List>(key)? else { continue };
        let popped = count.min(list.len());
        cx.reply.array(2);
        cx.reply.bulk(key);
        let drained = pop_some(cx.reply, list, end, count, cx.settings.list);
        cx.keys.shrunk(EventClass::LIST, event_of_pop(end), key, drained);
        let name: &[u8] = if end == End::Front { b"LPOP" } else { b"RPOP" };
        cx.keys.replay_as(key, &[name, key, itoa::Buffer::new().format(popped).as_bytes()]);
        return DONE;
    }
    cx.reply.null_array();
    DONE
}
