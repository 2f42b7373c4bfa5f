//! The shard engine: slots, keyspace, command table and handlers, expiry, eviction, effects.

pub mod glob;
