//! How messages look.

use crate::pushes::Message;

/// A kind of message: its array's length and first element, without the byte that tells an array from a push.
#[derive(Clone, Copy, Debug)]
pub struct Shape(&'static [u8]);

impl Shape {
    /// To a channel's subscribers.
    pub const MESSAGE: Self = Self(b"3\r\n$7\r\nmessage\r\n");
    /// To a pattern's subscribers.
    pub const PATTERN_MESSAGE: Self = Self(b"4\r\n$8\r\npmessage\r\n");
    /// To the subscribers of a channel that belongs to a slot.
    pub const SHARD_MESSAGE: Self = Self(b"3\r\n$8\r\nsmessage\r\n");

    /// A message of this kind with the other elements.
    pub fn encode(self, elements: &[&[u8]]) -> Message {
        let len: usize = elements.iter().map(|element| element.len() + 16).sum();
        let mut rest = Vec::with_capacity(self.0.len() + len);
        rest.extend_from_slice(self.0);
        for element in elements {
            let mut digits = itoa::Buffer::new();
            rest.push(b'$');
            rest.extend_from_slice(digits.format(element.len()).as_bytes());
            rest.extend_from_slice(b"\r\n");
            rest.extend_from_slice(element);
            rest.extend_from_slice(b"\r\n");
        }
        rest.into()
    }
}
