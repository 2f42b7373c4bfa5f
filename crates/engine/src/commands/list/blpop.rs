//! BLPOP and BRPOP.

use super::end::event_of_pop;
use crate::commands::prelude::*;
use moonshard_store::{End, List};

pub(super) const BLPOP: Command = Command {
    handler: Handler::Shard(blpop),
    meta: Meta {
        keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("timeout", ArgKind::Double)],
        group: "list",
        since: "2.0.0",
        summary: "Remove and get the first element in a list, or block until one is available",
        complexity: "O(N) where N is the number of provided keys.",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        ..Meta::new(
            "blpop",
            Arity::AtLeast(3),
            Flags::WRITE.union(Flags::NOSCRIPT).union(Flags::BLOCKING),
            Acl::LIST,
        )
    },
}
.checked();

pub(super) const BRPOP: Command = Command {
    handler: Handler::Shard(brpop),
    meta: Meta {
        keys: &[KeySpec::range(1, -2, 1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)).multiple(), Arg::new("timeout", ArgKind::Double)],
        group: "list",
        since: "2.0.0",
        summary: "Remove and get the last element in a list, or block until one is available",
        complexity: "O(N) where N is the number of provided keys.",
        history: &[("6.0.0", "`timeout` is interpreted as a double instead of an integer.")],
        ..Meta::new(
            "brpop",
            Arity::AtLeast(3),
            Flags::WRITE.union(Flags::NOSCRIPT).union(Flags::BLOCKING),
            Acl::LIST,
        )
    },
}
.checked();

fn blpop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    pop(cx, args, End::Front)
}

fn brpop(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    pop(cx, args, End::Back)
}

fn pop(cx: &mut Ctx<'_>, args: Args<'_>, end: End) -> CmdResult {
    let last = args.len() - 1;
    let timeout_ms = timeout_ms(args, last)?;
    let keys = &args.all()[1..last];
    for &key in keys {
        let Some(list) = cx.keys.write_as::<List>(key)? else { continue };
        cx.reply.array(2);
        cx.reply.bulk(key);
        list.pop(end, cx.settings.list, |element| bulk_element(cx.reply, element));
        let drained = list.is_empty();
        cx.keys.shrunk(EventClass::LIST, event_of_pop(end), key, drained);
        cx.keys.replay_as(&[if end == End::Front { b"LPOP" } else { b"RPOP" }, key]);
        return DONE;
    }
    let keys = keys.iter().map(|key| WaitKey::new(key, &[args.raw(0), key, b"0"])).collect();
    let (kind, empty) = (WaitKind::List, Empty::NullArray);
    Ok(Flow::Block(Box::new(Wait { timeout_ms, keys, kind, empty, gone: None, failed: None })))
}
