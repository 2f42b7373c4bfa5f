//! Data structures and encodings of the keyspace, with no protocol words in them.

pub mod number;
