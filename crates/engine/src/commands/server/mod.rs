//! The server as a whole: its configuration, its figures, its debugging.

mod acl;
mod config;
mod debug;
mod info;
mod lastsave;
mod latency;
mod lolwut;
mod memory;
mod module;
mod monitor;
mod role;
mod save;
mod shutdown;
mod slowlog;
mod time;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[
    &acl::ACL,
    &config::CONFIG,
    &debug::DEBUG,
    &info::INFO,
    &lastsave::LASTSAVE,
    &latency::LATENCY,
    &lolwut::LOLWUT,
    &memory::MEMORY,
    &module::MODULE,
    &monitor::MONITOR,
    &role::ROLE,
    &save::SAVE,
    &save::BGSAVE,
    &save::BGREWRITEAOF,
    &shutdown::SHUTDOWN,
    &slowlog::SLOWLOG,
    &time::TIME,
];
