//! The server's own commands, where a script calls one. The engine knows no more of the server than this.

use crate::args::Args;
use crate::ctx::{CmdResult, Ctx};

/// Answers what is about the server and not about keys.
pub trait ServerCommands: Sync {
    /// Runs a command that a script calls and that was admitted. What it looks at of the shards is what the script has
    /// locked; it waits for nothing.
    ///
    /// # Errors
    /// What the script is answered.
    fn serve(&self, cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult;
}
