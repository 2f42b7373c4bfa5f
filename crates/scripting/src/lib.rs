//! A shard's Lua VM: sandbox, the redis.* API, libraries, conversions, kill.
//!
//! One [`Registry`] holds the server's scripts. [`plan`] says what a call needs locked. A shard's [`Vm`] runs scripts
//! for the engine, and its [`Control`] is what other threads see and end them by. The [`Watchdog`] notices those
//! that are slow.

pub mod bitlib;
pub mod cjson;
pub mod cmsgpack;
mod compile;
mod control;
mod decimal;
mod explain;
mod flags;
mod hash_tag;
mod key_cache;
mod library;
mod limits;
mod literals;
mod lru;
mod lua;
mod lua_buffer;
mod lua_stack;
pub mod luajit_check;
mod luajit_tables;
mod patience;
mod plan;
mod profile;
mod recent;
mod registry;
mod settings;
mod sha;
mod signal;
mod spectator;
mod stats;
pub mod structlib;
mod vm;
mod watchdog;

/// Stack of a thread that runs scripts, in bytes. Some of Lua's functions call back into scripts from C, and only the
/// limit of Lua's own stack ends their recursion; a smaller stack would end first, and with it the process.
pub const THREAD_STACK_BYTES: usize = 16 << 20;

pub use control::{Control, Kill, Kind, SlowCall, kill_slow, kill_slow_script};
pub use explain::{Explanation, GlobalUse, explain, explain_function};
pub use flags::{ScriptFlags, Shebang};
pub use hash_tag::{HashTag, common_hash_tag};
pub use library::{ENGINE, Function, Libraries, Library, LibrarySet, LoadDirError, LoadedDir, RestorePolicy};
pub use limits::Limits;
pub use plan::{Basis, Plan, declared_flags, plan};
pub use profile::{Frame, Profile, Profiling, Spent};
pub use registry::{Keep, Registry, Script, Sender, Stored};
pub use settings::ScriptSettings;
pub use sha::Sha;
pub use spectator::Spectator;
pub use stats::{ScriptName, ScriptStats, StatsCopy, merged};
pub use vm::{Console, Debugger, KeySource, Vm, VmHost};
pub use watchdog::Watchdog;
