//! XACK.

use super::id;
use crate::commands::prelude::*;
use moonshard_store::Stream;

pub(super) const XACK: Command = Command {
    handler: Handler::Shard(xack),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("group", ArgKind::String), Arg::new("id", ArgKind::String).multiple()],
        group: "stream", since: "5.0.0",
        summary: "Marks a pending message as correctly processed, effectively removing it from the pending entries list of the consumer group. Return value of the command is the number of messages successfully acknowledged, that is, the IDs we were actually able to resolve in the PEL.",
        complexity: "O(1) for each message ID processed.",
        ..Meta::new("xack", Arity::AtLeast(4), Flags::WRITE.union(Flags::FAST), Acl::STREAM)
    },
}
.checked();

fn xack(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, name) = (args.raw(1), args.raw(2));
    let stream = cx.keys.write_as::<Stream>(key)?;
    let Some((_, group)) = stream.and_then(|stream| stream.with_group(name)) else {
        cx.reply.int(0);
        return DONE;
    };
    let mut acknowledged = 0;
    match args.from(3) {
        [only] => acknowledged += usize::from(group.acknowledge(id::strict(only, 0)?)),
        several => {
            let ids = several.iter().map(|text| id::strict(text, 0)).collect::<Result<Vec<_>, _>>()?;
            acknowledged += ids.into_iter().filter(|&id| group.acknowledge(id)).count();
        }
    }
    if acknowledged > 0 {
        cx.keys.changed(EventClass::empty(), "xack", key);
    }
    cx.reply.count(acknowledged);
    DONE
}
