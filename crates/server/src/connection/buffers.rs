//! Buffers that a connection needs only while it has something to do.
//!
//! A connection that waits for its next request holds none: it leaves them with its I/O thread, and whichever
//! connection wakes next takes them up. So ten thousand idle connections cost no buffers, and busy ones no allocation.

use super::batch::BatchMemory;
use moonshard_protocol::RequestParser;
use std::cell::Cell;

/// A buffer that grew beyond this is given back once it is empty.
pub(super) const KEEP_LEN: usize = 64 * 1024;

/// What a connection has while it is busy, and what is left with the I/O thread then.
#[derive(Default)]
pub(super) struct Buffers {
    /// The read buffer.
    pub(super) input: Vec<u8>,
    /// A reply buffer, empty.
    pub(super) output: Vec<u8>,
    /// The parser of what is in the read buffer.
    pub(super) parser: RequestParser,
    /// The last batch's memory.
    pub(super) memory: BatchMemory,
}

thread_local! {
    static SPARE: Cell<Option<Box<Buffers>>> = const { Cell::new(None) };
}

impl Buffers {
    /// The thread's spare buffers, or new ones.
    #[inline]
    pub(super) fn take() -> Box<Self> {
        SPARE.take().unwrap_or_default()
    }

    /// Leaves the buffers with the thread.
    #[inline]
    pub(super) fn leave(self: Box<Self>) {
        debug_assert!(self.input.is_empty() && self.output.is_empty() && self.parser.is_empty());
        SPARE.set(Some(self));
    }

    /// Drops the first `consumed` bytes of the read buffer.
    pub(super) fn drop_input(&mut self, consumed: usize) {
        if consumed == self.input.len() {
            self.input.clear();
            if self.input.capacity() > KEEP_LEN {
                self.input = Vec::new();
            }
        } else if consumed > 0 {
            self.input.drain(..consumed);
        }
    }
}
