//! Data structures and encodings of the keyspace, with no protocol words in them.

pub mod number;

mod entry;
mod hash_seed;
mod table;

pub use entry::{Entry, Value, ValueRef};
pub use hash_seed::{Seed, hash_key};
pub use table::{Item, OccupiedSlot, Slot, Table, VacantSlot};

mod intset;
mod list;
mod packed;

pub use intset::IntSet;
pub use list::{End, List, ListLimits};
pub use packed::{Element, Packed, Pos, Scratch};
