//! SMEMBERS.

use crate::commands::prelude::*;
use moonshard_store::Set;

pub(super) const SMEMBERS: Command = Command {
    handler: Handler::Shard(smembers),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "set",
        since: "1.0.0",
        summary: "Get all the members in a set",
        complexity: "O(N) where N is the set cardinality.",
        tips: &["nondeterministic_output_order"],
        ..Meta::new("smembers", Arity::Exact(2), Flags::READONLY, Acl::SET)
    },
}
.checked();

fn smembers(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Some(set) = cx.keys.read_as::<Set>(args.raw(1))? else {
        cx.reply.set(0);
        return DONE;
    };
    cx.reply.set(set.len());
    set.iter().for_each(|member| bulk_element(cx.reply, member));
    DONE
}
