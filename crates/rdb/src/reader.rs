//! Reads the format's parts: lengths, strings, numbers.

use crate::checksum::Checksum;
use crate::error::Error;
use crate::format::{ENCODED, ENCODED_I8, ENCODED_I16, ENCODED_I32, ENCODED_LZF, LENGTH_32, LENGTH_64};
use crate::lzf;
use moonshard_store::number::{I64_TEXT_MAX, format_i64, parse_f64};
use std::io::Read;

/// Where bytes come from.
pub trait Source {
    /// The next `len` bytes. No more memory is allocated than there are bytes.
    ///
    /// # Errors
    /// [`Error::Truncated`] when there are fewer, and what the source itself fails with.
    fn take(&mut self, len: usize) -> Result<&[u8], Error>;
}

impl Source for &[u8] {
    #[inline]
    fn take(&mut self, len: usize) -> Result<&[u8], Error> {
        let (taken, rest) = self.split_at_checked(len).ok_or(Error::Truncated)?;
        *self = rest;
        Ok(taken)
    }
}

/// A source that reads a file or a stream piece by piece, and keeps the checksum of what was taken.
#[derive(Debug)]
pub struct Chunked<R> {
    inner: R,
    buffer: Vec<u8>,
    /// What of the buffer was taken.
    at: usize,
    checksum: Checksum,
}

/// Bytes that are asked for at once, at least.
const CHUNK: usize = 1 << 16;

impl<R: Read> Chunked<R> {
    /// A source over what `inner` reads.
    pub fn new(inner: R) -> Self {
        Self { inner, buffer: Vec::new(), at: 0, checksum: Checksum::new() }
    }

    /// A source that goes on where others have read: `ahead` was read from `inner` already and is taken first, and
    /// `checksum` is that of all before it.
    pub const fn resumed(inner: R, ahead: Vec<u8>, checksum: Checksum) -> Self {
        Self { inner, buffer: ahead, at: 0, checksum }
    }

    /// Ends reading here: what reads on, what was read ahead, and the checksum of all that was taken.
    pub fn into_parts(mut self) -> (R, Vec<u8>, Checksum) {
        self.buffer.drain(..self.at);
        (self.inner, self.buffer, self.checksum)
    }

    /// The checksum of all that was taken.
    pub fn checksum(&self) -> u64 {
        self.checksum.value()
    }

    /// Has at least `len` bytes in the buffer from its begin on.
    fn fill(&mut self, len: usize) -> Result<(), Error> {
        self.buffer.drain(..self.at);
        self.at = 0;
        while self.buffer.len() < len {
            // As much again as has come, so that a length that lies does not take memory.
            let step = CHUNK.max(self.buffer.len()).min(CHUNK.max(len - self.buffer.len())) as u64;
            let read = (&mut self.inner).take(step).read_to_end(&mut self.buffer).map_err(Error::Io)?;
            if read == 0 {
                return Err(Error::Truncated);
            }
        }
        Ok(())
    }
}

impl<R: Read> Source for Chunked<R> {
    fn take(&mut self, len: usize) -> Result<&[u8], Error> {
        if self.buffer.len() - self.at < len {
            self.fill(len)?;
        }
        let taken = &self.buffer[self.at..self.at + len];
        self.at += len;
        self.checksum.update(taken);
        Ok(taken)
    }
}

/// What the first bytes of a string say.
pub(crate) enum Head {
    /// It has so many bytes.
    Len(u64),
    /// It is encoded in this way.
    Encoded(u8),
}

/// Reads values and what they consist of.
#[derive(Debug)]
pub struct Reader<S> {
    source: S,
    /// The last string that was compressed.
    unpacked: Vec<u8>,
    /// The last string that was an integer.
    digits: [u8; I64_TEXT_MAX],
}

impl<S: Source> Reader<S> {
    /// A reader of what `source` gives.
    pub fn new(source: S) -> Self {
        Self { source, unpacked: Vec::new(), digits: [0; I64_TEXT_MAX] }
    }

    /// The source.
    pub const fn source(&self) -> &S {
        &self.source
    }

    /// The source, where reading has come to.
    pub fn into_source(self) -> S {
        self.source
    }

    /// The next `len` bytes as they are.
    ///
    /// # Errors
    /// As [`Source::take`].
    pub fn bytes(&mut self, len: usize) -> Result<&[u8], Error> {
        self.source.take(len)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.source.take(N)?.first_chunk().copied().ok_or(Error::Truncated)
    }

    /// The next byte.
    ///
    /// # Errors
    /// As [`Source::take`].
    pub fn byte(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A 64-bit number, least significant byte first: times in milliseconds, checksums.
    ///
    /// # Errors
    /// As [`Source::take`].
    pub fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    /// A 32-bit number, least significant byte first.
    ///
    /// # Errors
    /// As [`Source::take`].
    pub fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    /// A double in eight bytes.
    ///
    /// # Errors
    /// As [`Source::take`].
    pub fn f64(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_le_bytes)
    }

    /// A double as text with its length before it.
    pub(crate) fn f64_text(&mut self) -> Result<f64, Error> {
        match self.byte()? {
            255 => Ok(f64::NEG_INFINITY),
            254 => Ok(f64::INFINITY),
            253 => Ok(f64::NAN),
            len => parse_f64(self.source.take(len.into())?).ok_or(Error::Corrupt("a number that is none")),
        }
    }

    pub(crate) fn head(&mut self) -> Result<Head, Error> {
        let first = self.byte()?;
        Ok(Head::Len(match first {
            0..0x40 => first.into(),
            0x40..0x80 => u64::from(first & 0x3f) << 8 | u64::from(self.byte()?),
            LENGTH_32 => u32::from_be_bytes(self.array()?).into(),
            LENGTH_64 => u64::from_be_bytes(self.array()?),
            ENCODED.. => return Ok(Head::Encoded(first & !ENCODED)),
            _ => return Err(Error::Corrupt("a length of no known form")),
        }))
    }

    /// A length, or a number that is written like one.
    ///
    /// # Errors
    /// [`Error::Corrupt`], and as [`Source::take`].
    pub fn length(&mut self) -> Result<u64, Error> {
        match self.head()? {
            Head::Len(len) => Ok(len),
            Head::Encoded(_) => Err(Error::Corrupt("a string where a length belongs")),
        }
    }

    /// A length of something in memory.
    fn size(&mut self) -> Result<usize, Error> {
        self.length().and_then(to_size)
    }

    /// A string, whatever its encoding. It is valid until the next one is read.
    ///
    /// # Errors
    /// [`Error::Corrupt`], and as [`Source::take`].
    pub fn string(&mut self) -> Result<&[u8], Error> {
        let integer: i64 = match self.head()? {
            Head::Len(len) => return self.source.take(to_size(len)?),
            Head::Encoded(ENCODED_I8) => i8::from_le_bytes(self.array()?).into(),
            Head::Encoded(ENCODED_I16) => i16::from_le_bytes(self.array()?).into(),
            Head::Encoded(ENCODED_I32) => i32::from_le_bytes(self.array()?).into(),
            Head::Encoded(ENCODED_LZF) => return self.compressed(),
            Head::Encoded(_) => return Err(Error::Corrupt("a string of no known encoding")),
        };
        Ok(format_i64(integer, &mut self.digits))
    }

    fn compressed(&mut self) -> Result<&[u8], Error> {
        /// Memory that is not kept for the next string.
        const KEPT_MAX: usize = 1 << 20;
        let (len, unpacked_len) = (self.size()?, self.size()?);
        let packed = self.source.take(len)?;
        self.unpacked.clear();
        if unpacked_len < KEPT_MAX {
            self.unpacked.shrink_to(KEPT_MAX);
        }
        lzf::decompress(packed, unpacked_len, &mut self.unpacked)
            .ok_or(Error::Corrupt("a compressed string that is none"))?;
        Ok(&self.unpacked)
    }
}

fn to_size(len: u64) -> Result<usize, Error> {
    usize::try_from(len).map_err(|_| Error::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_all_forms() {
        for (bytes, len) in [
            (&[0x3f][..], 63),
            (&[0x41, 0x02], 258),
            (&[0x80, 0, 1, 0, 0], 65_536),
            (&[0x81, 0, 0, 0, 1, 0, 0, 0, 0], 1 << 32),
        ] {
            assert_eq!(Reader::new(bytes).length().unwrap(), len);
        }
        for bytes in [&[0x41][..], &[0x82, 0], &[0xc0, 1], &[0x80, 0, 0], &[]] {
            assert!(Reader::new(bytes).length().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn strings_of_all_forms() {
        for (bytes, string) in [
            (&[3, b'a', b'b', b'c'][..], "abc"),
            (&[0xc0, 0xff], "-1"),
            (&[0xc1, 0x00, 0x80], "-32768"),
            (&[0xc2, 0xff, 0xff, 0xff, 0x7f], "2147483647"),
            (&[0xc3, 4, 4, 0, b'a', 0x20, 0], "aaaa"),
        ] {
            assert_eq!(Reader::new(bytes).string().unwrap(), string.as_bytes());
        }
        for bytes in [&[3, b'a', b'b'][..], &[0xc4, 0], &[0xc1, 0], &[0xc3, 4, 5, 0, b'a', 0x20, 0]] {
            assert!(Reader::new(bytes).string().is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_length_that_lies_takes_no_memory() {
        let mut source = Chunked::new(&b"abc"[..]);
        assert!(matches!(source.take(usize::MAX / 2), Err(Error::Truncated)));
        assert!(source.buffer.capacity() <= 4 * CHUNK);
    }

    #[test]
    fn pieces_are_put_together() {
        let data: Vec<u8> = (0..300_000u32).map(|at| (at * 7).to_le_bytes()[1]).collect();
        let mut source = Chunked::new(&data[..]);
        let mut at = 0;
        for len in [1, 100_000, 0, 65_536, 3, 134_000] {
            assert_eq!(source.take(len).unwrap(), &data[at..at + len]);
            at += len;
        }
        assert_eq!(source.checksum(), Checksum::of(&data[..at]));
        assert!(matches!(source.take(data.len() - at + 1), Err(Error::Truncated)));
    }
}
