//! FCALL_RO runs a function that may not write.

use super::run_script;
use crate::commands::prelude::*;

pub(super) const FCALL_RO: Command = Command {
    handler: Handler::Shard(fcall_ro),
    meta: Meta {
        keys: &[KeySpec::counted(2, KeyFlags::RO.union(KeyFlags::ACCESS))
            .notes("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")],
        route: Route::Script,
        args: &[
            Arg::new("function", ArgKind::String),
            Arg::new("numkeys", ArgKind::Int),
            Arg::new("key", ArgKind::Key(0)).optional().multiple(),
            Arg::new("arg", ArgKind::String).optional().multiple(),
        ],
        group: "scripting",
        since: "7.0.0",
        summary: "Invoke a read-only function",
        complexity: "Depends on the function that is executed.",
        ..Meta::new(
            "fcall_ro",
            Arity::AtLeast(3),
            Flags::NOSCRIPT
                .union(Flags::SKIP_MONITOR)
                .union(Flags::NO_MANDATORY_KEYS)
                .union(Flags::STALE)
                .union(Flags::READONLY),
            Acl::SCRIPTING,
        )
    },
}
.checked();

fn fcall_ro(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    run_script(cx, &FCALL_RO, args)
}
