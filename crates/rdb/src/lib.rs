//! Values as bytes: the encodings of Redis' RDB format, which DUMP answers, RESTORE takes and snapshots consist of.
//!
//! [`Writer`] writes what Redis 7.0 writes (RDB version 10), byte for byte where Redis has one way to write a value.
//! [`Reader`] reads every encoding of values up to version 12 (Redis 7.4) and trusts none of what it reads: lengths
//! are checked before anything is allocated, packed forms are walked element by element, and duplicates are refused.

mod checksum;
mod dump;
mod error;
mod float;
mod format;
pub mod lzf;
mod read;
mod reader;
mod skip;
#[cfg(test)]
mod tests;
mod write;
mod writer;

pub use checksum::Checksum;
pub use dump::{VERSION_MAX, dump, restore, seal, unseal};
pub use error::Error;
pub use format::{Opcode, ValueType};
pub use read::Limits;
pub use reader::{Chunked, Reader, Source};
pub use writer::Writer;
