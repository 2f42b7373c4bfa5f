//! A shard's part of one database.

use super::field_expiry::FieldSchedule;
use moonshard_store::{Entry, Seed, Table, Value};

/// A removed value that is costly to drop.
#[derive(Debug)]
pub enum Garbage {
    /// A key and its value.
    Entry(Entry),
    /// A value.
    Value(Value),
    /// A whole database.
    Table(Table<Entry>),
}

/// A table of entries, with a count of those that expire.
#[derive(Debug)]
pub struct Database {
    pub(crate) table: Table<Entry>,
    pub(crate) expiring: usize,
    /// The hashes with fields that expire.
    pub(crate) field_schedule: FieldSchedule,
    /// Where the active expiry goes on.
    pub(crate) expire_cursor: u64,
    /// Sum over the sampled expiring keys of what they had left, and their number: for INFO's `avg_ttl`.
    pub(crate) ttl_average_ms: u64,
}

impl Database {
    pub(crate) const fn new(seed: Seed) -> Self {
        Self {
            table: Table::new(seed),
            expiring: 0,
            field_schedule: FieldSchedule::new(),
            expire_cursor: 0,
            ttl_average_ms: 0,
        }
    }

    /// Keys, those included that are due but were not looked at.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Keys that have an expiry.
    pub const fn expiring(&self) -> usize {
        self.expiring
    }

    /// An estimate of the mean time to live of keys that expire, in milliseconds.
    pub const fn ttl_average_ms(&self) -> u64 {
        self.ttl_average_ms
    }

    /// Bytes of the table, without its entries.
    pub fn table_bytes(&self) -> usize {
        self.table.memory_bytes()
    }

    /// Brings the table's line for a hash into the cache. A hint.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        self.table.prefetch_bucket(hash);
    }

    /// Brings the entry that a hash seems to belong to into the cache, once its table line is there. A hint.
    #[inline]
    pub fn prefetch_item(&self, hash: u64) {
        self.table.prefetch_item(hash);
    }

    /// Brings what a collection's entry points to into the cache, once the entry that a hash seems to belong to is there.
    /// A hint.
    #[inline]
    pub fn prefetch_value(&self, hash: u64) {
        if let Some(collection) = self.table.candidate(hash).and_then(Entry::collection) {
            collection.prefetch();
        }
    }

    /// The table, to look at.
    pub const fn table(&self) -> &Table<Entry> {
        &self.table
    }
}
