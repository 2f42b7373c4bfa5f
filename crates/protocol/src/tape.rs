//! The tape: a reply in a form that a script's bridge reads back cheaply.
//!
//! Each item is a tag byte, then a fixed-width little-endian number (an `i64`, an `f64`, or a `u32` length or
//! count), then the bytes. A tape is written by [`Reply`](crate::Reply) only and never leaves the process.

use crate::reply::tag;

/// One item of a tape. An aggregate's elements follow it as items of their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    /// An integer.
    Int(i64),
    /// A binary-safe string.
    Bulk(&'a [u8]),
    /// A status line.
    Status(&'a [u8]),
    /// An error line without its minus.
    Error(&'a [u8]),
    /// RESP2's absent bulk string or array.
    Null2,
    /// RESP3's null.
    Null3,
    /// An array of so many items.
    Array(usize),
    /// A map of so many pairs.
    Map(usize),
    /// A set of so many items.
    Set(usize),
    /// A floating point number.
    Double(f64),
    /// A boolean.
    Bool(bool),
    /// A text and its three-letter format.
    Verbatim(&'a [u8], &'a [u8]),
    /// Decimal digits of an integer of any size.
    BigNumber(&'a [u8]),
}

/// Reads a tape from its start. The end of the tape reads as `None`, and so does a torn one.
#[derive(Clone, Copy, Debug)]
pub struct Tape<'a> {
    rest: &'a [u8],
}

impl<'a> Tape<'a> {
    /// A reader at the start of `tape`.
    pub const fn new(tape: &'a [u8]) -> Self {
        Self { rest: tape }
    }

    /// Bytes not yet read.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(head)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn count(&mut self) -> Option<usize> {
        Some(u32::from_le_bytes(self.number()?) as usize)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.count()?;
        self.take(len)
    }
}

impl<'a> Iterator for Tape<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        let (&kind, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(match kind {
            tag::INT => Item::Int(i64::from_le_bytes(self.number()?)),
            tag::BULK => Item::Bulk(self.bytes()?),
            tag::STATUS => Item::Status(self.bytes()?),
            tag::ERROR => Item::Error(self.bytes()?),
            tag::NULL2 => Item::Null2,
            tag::NULL3 => Item::Null3,
            tag::ARRAY | tag::PUSH => Item::Array(self.count()?),
            tag::MAP => Item::Map(self.count()?),
            tag::SET => Item::Set(self.count()?),
            tag::DOUBLE => Item::Double(f64::from_le_bytes(self.number()?)),
            tag::BOOL => Item::Bool(self.number::<1>()? != [0]),
            tag::VERBATIM => {
                let format = self.take(3)?;
                Item::Verbatim(format, self.bytes()?)
            }
            tag::BIG_NUMBER => Item::BigNumber(self.bytes()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoding, Reply};

    #[test]
    fn what_is_written_reads_back() {
        let mut reply = Reply::new(Encoding::Tape3);
        let open = reply.open_map();
        reply.bulk(b"k");
        reply.int(-5);
        reply.status("OK");
        reply.double(0.5);
        reply.close(open, 2);
        reply.bool(true);
        reply.null();
        reply.verbatim(b"txt", b"v");
        reply.error(b"ERR x");
        let items: Vec<_> = Tape::new(reply.as_bytes()).collect();
        assert_eq!(
            items,
            [
                Item::Map(2),
                Item::Bulk(b"k"),
                Item::Int(-5),
                Item::Status(b"OK"),
                Item::Double(0.5),
                Item::Bool(true),
                Item::Null3,
                Item::Verbatim(b"txt", b"v"),
                Item::Error(b"ERR x"),
            ]
        );
    }

    #[test]
    fn a_torn_tape_ends() {
        let mut reply = Reply::new(Encoding::Tape2);
        reply.bulk(b"hello");
        let bytes = reply.as_bytes();
        for end in 0..bytes.len() {
            assert_eq!(Tape::new(&bytes[..end]).next(), None);
        }
    }
}
