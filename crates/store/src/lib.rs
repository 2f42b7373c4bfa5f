//! Data structures and encodings of the keyspace, with no protocol words in them.

pub mod bitmap;
pub mod hyperloglog;
pub mod number;

mod counted_bytes;
mod entry;
mod form;
mod hash_seed;
mod prefetch;
mod table;

pub use hash_seed::{Seed, hash_key};
pub use table::{Item, OccupiedSlot, Slot, Table, VacantSlot};

mod hash;
mod intset;
mod list;
mod packed;
mod sample;
mod set;

pub use hash::{Hash, HashLimits};
pub use intset::IntSet;
pub use list::{End, List, ListLimits, ListNode};
pub use packed::{Element, Packed, Pos, Scratch};
pub use set::{Set, SetLimits};

mod sorted_set;
mod stream;
mod value;

pub use sorted_set::{
    AddFlags, AddOutcome, Iter as SortedSetIter, LexBound, LexRange, ScoreBound, ScoreRange, SortedSet,
    SortedSetLimits,
};
pub use stream::{
    AppendError, Claim, Consumer, ConsumerRef, Direction, Entries as StreamEntries, Group, Pending, Stream,
    StreamEntry, StreamFields, StreamId, StreamIdText, StreamLimits, StreamMeta, StreamNode, StreamView,
    Trim, TrimTo,
};
pub use value::{Collection, Entry, Value, ValueRef};
