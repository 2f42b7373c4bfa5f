//! FCALL runs a function of a library.

use super::run_script;
use crate::commands::prelude::*;

pub(super) const FCALL: Command = Command {
    handler: Handler::Shard(fcall),
    meta: Meta {
        keys: &[KeySpec::counted(2, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))
            .notes("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")],
        route: Route::Script,
        args: &[
            Arg::new("function", ArgKind::String),
            Arg::new("numkeys", ArgKind::Int),
            Arg::new("key", ArgKind::Key(0)).optional().multiple(),
            Arg::new("arg", ArgKind::String).optional().multiple(),
        ],
        group: "scripting",
        since: "7.0.0",
        summary: "Invoke a function",
        complexity: "Depends on the function that is executed.",
        ..Meta::new(
            "fcall",
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

fn fcall(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    run_script(cx, &FCALL, args)
}
