//! The configuration: `redis.conf`, command line options, CONFIG GET, SET and REWRITE.
//!
//! Every directive is declared once, in [`DIRECTIVES`]; the file's and the command line's parser, the three commands, the
//! help text and the documentation derive from that line. All directives of Redis 7.0 are known and held, validated
//! and answered as Redis does, also where nothing here acts on them yet.
//!
//! Readers call [`Config::load`] and read fields of [`Settings`]; a connection may keep the `Arc` and look at
//! [`Config::generation`] to learn that it is stale.

mod check;
mod choice;
mod compound;
mod directive;
mod error;
mod flags;
mod help;
mod live;
mod load;
mod number;
mod rewrite;
mod table;
#[cfg(test)]
mod tests;
mod unsupported;

pub use choice::*;
pub use compound::*;
pub use directive::{Directive, DirectiveFlags, Found, Kind, NumberForm, Refusal, Taken, find, is_sensitive};
pub(crate) use error::reason as system_text;
pub use error::{ApplyError, RewriteError, SetError, StartError};
pub use flags::{NotifyClasses, ScriptFlags, ShutdownFlags};
pub use help::{docs_table, help_text, version_text};
pub use live::{Caller, Config};
pub use load::{Launch, Startup};
pub(crate) use number::memory as memory_value;
pub(crate) use rewrite::overwrite;
pub use table::{DIRECTIVES, Settings};
pub use unsupported::check_change;
