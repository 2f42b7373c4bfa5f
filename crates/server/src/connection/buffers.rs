//! Buffers that a connection needs only while it has something to do.
//!
//! A connection that waits for its next request holds none: it leaves them with its I/O thread, and whichever
//! connection wakes next takes them up. So ten thousand idle connections cost no buffers, and busy ones no allocation.

use super::batch::BatchMemory;
use moonshard_protocol::RequestParser;
use std::cell::Cell;

/// What is left with the I/O thread.
#[derive(Default)]
pub(super) struct Buffers {
    /// The read buffer, empty.
    pub(super) input: Vec<u8>,
    /// The reply buffer, empty.
    pub(super) output: Vec<u8>,
    /// A parser between requests.
    pub(super) parser: RequestParser,
    /// The last batch's memory.
    pub(super) memory: BatchMemory,
}

thread_local! {
    static SPARE: Cell<Option<Buffers>> = const { Cell::new(None) };
}

impl Buffers {
    /// The thread's spare buffers, or new ones.
    #[inline]
    pub(super) fn take() -> Self {
        SPARE.take().unwrap_or_default()
    }

    /// Leaves the buffers with the thread.
    #[inline]
    pub(super) fn leave(self) {
        debug_assert!(self.input.is_empty() && self.output.is_empty() && self.parser.is_empty());
        SPARE.set(Some(self));
    }
}
