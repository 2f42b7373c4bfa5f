//! What the server tells about its own commands.

mod command;
mod docs;
mod getkeys;
mod info;
mod list;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[&command::COMMAND];
