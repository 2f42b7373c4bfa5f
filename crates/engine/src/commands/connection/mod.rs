//! The connection: its protocol, its user, its client's name.

mod echo;
mod ping;
mod select;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[&echo::ECHO, &ping::PING, &select::SELECT];
