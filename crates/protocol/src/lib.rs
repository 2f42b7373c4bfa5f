//! RESP2 and RESP3: requests parsed in place, replies written to one buffer.
//!
//! This crate does no I/O and knows no command. [`RequestParser`] finds requests in a read buffer, [`Reply`]
//! writes replies, [`tape`] reads back the form of them that scripts get.

pub mod number;
mod reply;
mod request;
pub mod split_args;
pub mod tape;

pub use reply::{Encoding, Mark, Open, Reply};
pub use request::{INLINE_LEN_MAX, Limits, ProtocolError, RequestParser};
