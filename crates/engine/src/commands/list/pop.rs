//! LPOP and RPOP.

use super::end::event_of_pop;
use crate::commands::prelude::*;
use moonshard_protocol::Reply;
use moonshard_store::{End, List, ListLimits};

pub(super) const LPOP: Command = Command {
    handler: Handler::Shard(lpop),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("count", ArgKind::Int).optional().since("6.2.0")],
        group: "list",
        since: "1.0.0",
        summary: "Remove and get the first elements in a list",
        complexity: "O(N) where N is the number of elements returned",
        history: &[("6.2.0", "Added the `count` argument.")],
        ..Meta::new("lpop", Arity::AtLeast(2), Flags::WRITE.union(Flags::FAST), Acl::LIST)
    },
}
.checked();

pub(super) const RPOP: Command = Command {
    handler: Handler::Shard(rpop),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("count", ArgKind::Int).optional().since("6.2.0")],
        group: "list",
        since: "1.0.0",
        summary: "Remove and get the last elements in a list",
        complexity: "O(N) where N is the number of elements returned",
        history: &[("6.2.0", "Added the `count` argument.")],
        ..Meta::new("rpop", Arity::AtLeast(2), Flags::WRITE.union(Flags::FAST), Acl::LIST)
    },
}
.checked();

fn lpop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    pop(cx, args, End::Front)
}

fn rpop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    pop(cx, args, End::Back)
}

fn pop(cx: &mut Ctx<'_>, args: Args<'_>, end: End) -> CmdResult {
    if args.len() > 2 {
        return pop_count(cx, args, end);
    }
    let key = args.raw(1);
    let Some(list) = cx.keys.write_as::<List>(key)? else {
        cx.reply.null();
        return DONE;
    };
    list.pop(end, cx.settings.list, |element| bulk_element(cx.reply, element));
    let drained = list.is_empty();
    cx.keys.shrunk(EventClass::LIST, event_of_pop(end), key, drained);
    DONE
}

fn pop_count(cx: &mut Ctx<'_>, args: Args<'_>, end: End) -> CmdResult {
    if args.len() > 3 {
        return Err(Error::wrong_arity(if end == End::Front { "lpop" } else { "rpop" }));
    }
    let (key, count) = (args.raw(1), args.count(2)?);
    let Some(list) = cx.keys.write_as::<List>(key)? else {
        cx.reply.null_array();
        return DONE;
    };
    if count == 0 {
        cx.reply.array(0);
        return DONE;
    }
    let drained = pop_some(cx.reply, list, end, count, cx.settings.list);
    cx.keys.shrunk(EventClass::LIST, event_of_pop(end), key, drained);
    DONE
}

/// Pops up to `count` elements into an array. Returns whether the list is empty then.
pub(super) fn pop_some(
    reply: &mut Reply,
    list: &mut List,
    end: End,
    count: usize,
    limits: ListLimits,
) -> bool {
    let count = count.min(list.len());
    reply.array(count);
    for _ in 0..count {
        list.pop(end, limits, |element| bulk_element(reply, element));
    }
    list.is_empty()
}
