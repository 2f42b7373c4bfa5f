//! The append-only log's format, as Redis 7 has it: a manifest that names a base file and increments, and files of
//! commands in RESP.
//!
//! [`Manifest`] is read, changed and written. [`encode`] makes the bytes of a command, [`Reader`] finds the commands in a
//! file and trusts nothing that it reads. [`check`] examines what is on a disk. Nothing here runs a command or knows what one does.

pub mod check;
mod encode;
mod manifest;
mod reader;
mod script;

pub use encode::{encode, encode_timestamp};
pub use manifest::{FileEntry, Manifest, ManifestError, ReadManifestError, manifest_path};
pub use reader::{Command, Damage, Item, RDB_MAGIC, Reader};
pub use script::{EVALUATED_ANNOTATION, EVALUATED_SCRIPT, LOADED_SCRIPT};
