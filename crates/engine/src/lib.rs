//! The shard engine: slots, keyspace, the command table and its handlers, expiry, eviction and effects.
//!
//! Plain, synchronous and deterministic: no sockets, no async runtime, no Lua, and no clock or randomness of its
//! own. What a command depends on comes in through [`Ctx`]; what it does goes out through its reply and through
//! [`effects`].

pub mod acl;
pub mod admission;
mod args;
pub mod command;
mod commands;
mod ctx;
pub mod cursor;
mod database_index;
pub mod effects;
mod error;
pub mod eviction;
mod exchange;
pub mod expiry;
pub mod glob;
pub mod keyspace;
mod rng;
mod sample_reply;
mod server_commands;
mod settings;
pub mod slot;
#[cfg(test)]
mod testing;
mod wait;

pub use args::Args;
pub use ctx::{
    Caller, CmdResult, Ctx, DONE, Flow, ScriptCall, ScriptCaller, ScriptKeys, ScriptReads, ScriptRef,
    ScriptRunner,
};
pub use database_index::{database_index, database_number};
pub use error::Error;
pub use exchange::{Exchange, NoSubscribers, Reach};
pub use rng::Rng;
pub use sample_reply::sample_reply;
pub use server_commands::ServerCommands;
pub use settings::{EvictionPolicy, Settings};
pub use wait::{Empty, Wait, WaitKey, WaitKind, timeout_ms};
