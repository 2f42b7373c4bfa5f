//! SMOVE.

use crate::commands::prelude::*;
use moonshard_store::Set;

pub(super) const SMOVE: Command = Command {
    handler: Handler::Shard(smove),
    meta: Meta {
        keys: &[
            KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE)),
            KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT)),
        ],
        args: &[
            Arg::new("source", ArgKind::Key(0)),
            Arg::new("destination", ArgKind::Key(1)),
            Arg::new("member", ArgKind::String),
        ],
        group: "set",
        since: "1.0.0",
        summary: "Move a member from one set to another",
        complexity: "O(1)",
        ..Meta::new("smove", Arity::Exact(4), Flags::WRITE.union(Flags::FAST), Acl::SET)
    },
}
.checked();

fn smove(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (source, destination, member) = (args.raw(1), args.raw(2), args.raw(3));
    if cx.keys.peek(source).is_none() {
        cx.reply.int(0);
        return DONE;
    }
    // Both types are looked at before anything is taken.
    cx.keys.write_as::<Set>(destination)?;
    let Some(set) = cx.keys.write_as::<Set>(source)? else {
        cx.reply.int(0);
        return DONE;
    };
    if source == destination {
        cx.reply.int(i64::from(set.contains(member)));
        return DONE;
    }
    if !set.remove(member) {
        cx.reply.int(0);
        return DONE;
    }
    let drained = set.is_empty();
    cx.keys.shrunk(EventClass::SET, "srem", source, drained);
    let set = cx.keys.create_as::<Set>(destination)?;
    if set.add(member, cx.settings.set, cx.settings.seed) {
        cx.keys.changed(EventClass::SET, "sadd", destination);
    }
    cx.reply.int(1);
    DONE
}
