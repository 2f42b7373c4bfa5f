//! The cluster: which node serves which slots.

mod container;
mod redirection;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] =
    &[&container::CLUSTER, &redirection::ASKING, &redirection::READONLY, &redirection::READWRITE];
