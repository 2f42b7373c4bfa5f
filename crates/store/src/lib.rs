//! Data structures and encodings of the keyspace, with no protocol words in them.

pub mod number;

mod hash_seed;
mod table;

pub use hash_seed::{Seed, hash_key};
pub use table::{Item, OccupiedSlot, Slot, Table, VacantSlot};
