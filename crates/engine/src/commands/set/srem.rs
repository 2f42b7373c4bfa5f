//! SREM.

use crate::commands::prelude::*;
use moonshard_store::Set;

pub(super) const SREM: Command = Command {
    handler: Handler::Shard(srem),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String).multiple()],
        group: "set",
        since: "1.0.0",
        summary: "Remove one or more members from a set",
        complexity: "O(N) where N is the number of members to be removed.",
        history: &[("2.4.0", "Accepts multiple `member` arguments.")],
        ..Meta::new("srem", Arity::AtLeast(3), Flags::WRITE.union(Flags::FAST), Acl::SET)
    },
}
.checked();

fn srem(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let Some(set) = cx.keys.write_as::<Set>(key)? else {
        cx.reply.int(0);
        return DONE;
    };
    let removed = args.from(2).iter().filter(|member| set.remove(member)).count();
    let drained = set.is_empty();
    if removed > 0 {
        cx.keys.shrunk(EventClass::SET, "srem", key, drained);
    }
    cx.reply.count(removed);
    DONE
}
