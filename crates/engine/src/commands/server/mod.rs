//! The server as a whole: its configuration, its figures, its debugging.

mod config;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[&config::CONFIG];
