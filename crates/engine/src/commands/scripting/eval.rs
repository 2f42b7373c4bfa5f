//! EVAL runs a script given by its text.

use super::run_script;
use crate::commands::prelude::*;

pub(super) const EVAL: Command = Command {
    handler: Handler::Shard(eval),
    meta: Meta {
        keys: &[KeySpec::counted(2, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))
            .notes("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")],
        route: Route::Script,
        args: &[
            Arg::new("script", ArgKind::String),
            Arg::new("numkeys", ArgKind::Int),
            Arg::new("key", ArgKind::Key(0)).optional().multiple(),
            Arg::new("arg", ArgKind::String).optional().multiple(),
        ],
        group: "scripting",
        since: "2.6.0",
        summary: "Execute a Lua script server side",
        complexity: "Depends on the script that is executed.",
        ..Meta::new(
            "eval",
            Arity::AtLeast(3),
            Flags::NOSCRIPT
                .union(Flags::SKIP_MONITOR)
                .union(Flags::MAY_REPLICATE)
                .union(Flags::NO_MANDATORY_KEYS)
                .union(Flags::STALE),
            Acl::SCRIPTING,
        )
    },
}
.checked();

fn eval(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    run_script(cx, &EVAL, args)
}
