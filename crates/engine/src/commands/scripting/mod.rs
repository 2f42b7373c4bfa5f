//! Scripts.

mod eval;
mod eval_ro;
mod evalsha;
mod evalsha_ro;
mod fcall;
mod fcall_ro;
mod function;
mod script;

use crate::args::Args;
use crate::command::Command;
use crate::ctx::{CmdResult, Ctx, ScriptCall};
use crate::error::Error;

pub(super) const COMMANDS: &[&Command] = &[
    &eval::EVAL,
    &eval_ro::EVAL_RO,
    &evalsha::EVALSHA,
    &evalsha_ro::EVALSHA_RO,
    &fcall::FCALL,
    &fcall_ro::FCALL_RO,
    &function::FUNCTION,
    &script::SCRIPT,
];

/// Runs the script or function that a command calls.
fn run_script(cx: &mut Ctx<'_>, command: &Command, args: Args<'_>) -> CmdResult {
    let call = ScriptCall::parse(command, args)?;
    // What runs scripts is not there for a script's own commands.
    let Some(runner) = cx.scripts.take() else {
        return Err(Error::NOT_FROM_SCRIPT);
    };
    let outcome = runner.run(cx, &call);
    cx.scripts = Some(runner);
    outcome
}
