//! The harness of the integration tests: servers as processes, a client that keeps every byte, and the oracle,
//! `redis-server` 7.0.15, which gets the same commands as Moonshard and says what the right reply is.
//!
//! `MOONSHARD_BIN` names the binary under test; without it the one beside the test's own executable is taken.
//! Naming a `redis-server` there runs the tests with Redis on both sides, which proves that they are deterministic.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A harness that cannot go on must fail the test loudly.

pub mod content;
pub mod corpus;
pub mod crash;
pub mod damage;
pub mod options;
pub mod oracle;
pub mod port;
pub mod programs;
pub mod random;
pub mod ready;
pub mod recorded;
pub mod resp;
pub mod server;
pub mod stream;
pub mod tcl;
pub mod values;
pub mod waiting;
