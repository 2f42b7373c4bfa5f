//! SADD.

use crate::commands::prelude::*;
use moonshard_store::Set;

pub(super) const SADD: Command = Command {
    handler: Handler::Shard(sadd),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String).multiple()],
        group: "set", since: "1.0.0",
        summary: "Add one or more members to a set",
        complexity: "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        history: &[("2.4.0", "Accepts multiple `member` arguments.")],
        ..Meta::new("sadd", Arity::AtLeast(3), Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST), Acl::SET)
    },
}
.checked();

fn sadd(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let key = args.raw(1);
    let (limits, seed) = (cx.settings.set, cx.settings.seed);
    let set = cx.keys.create_as::<Set>(key)?;
    let added = args.from(2).iter().filter(|member| set.add(member, limits, seed)).count();
    if added > 0 {
        cx.keys.changed(EventClass::SET, "sadd", key);
    }
    cx.reply.count(added);
    DONE
}
