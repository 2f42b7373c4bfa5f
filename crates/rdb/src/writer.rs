//! Writes the format's parts: lengths, strings, numbers.

use crate::format::{ENCODED, ENCODED_I8, ENCODED_I16, ENCODED_I32, ENCODED_LZF, LENGTH_32, LENGTH_64};
use crate::lzf::Compressor;
use moonshard_store::number::parse_i64;
use moonshard_store::{Element, Scratch};

/// Shorter strings are not compressed: it would not make them smaller.
const COMPRESSED_LEN_MIN: usize = 21;
/// Bytes that compression must save.
const SAVED_MIN: usize = 4;
/// Longest text of an integer that has an encoding of its own.
const INTEGER_LEN_MAX: usize = 11;

/// Writes values into a buffer that grows, of which the owner takes what is there whenever it likes.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    /// What compresses long strings; `None` when they stay as they are.
    compressor: Option<Compressor>,
    /// A packed form being put together, and a compressed string.
    pub(crate) blob: Vec<u8>,
    squeezed: Vec<u8>,
}

impl Writer {
    /// A writer that compresses long strings or does not (`rdbcompression`).
    pub fn new(compress: bool) -> Self {
        Self { compressor: compress.then(Compressor::default), ..Self::default() }
    }

    /// What was written and not taken.
    pub fn written(&self) -> &[u8] {
        &self.out
    }

    /// Takes what was written, and leaves `next` in its place, whose content is dropped and whose memory is used.
    pub fn replace(&mut self, mut next: Vec<u8>) -> Vec<u8> {
        next.clear();
        std::mem::replace(&mut self.out, next)
    }

    /// What was written and not taken.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Writes bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes a byte.
    pub fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    /// Writes a 64-bit number, least significant byte first: times in milliseconds, checksums.
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    /// Writes a double in eight bytes.
    pub fn f64(&mut self, value: f64) {
        self.raw(&value.to_le_bytes());
    }

    /// Writes a length, or a number in the same way.
    pub fn length(&mut self, len: u64) {
        match len {
            0..0x40 => self.byte(len as u8),
            0x40..0x4000 => self.raw(&((len as u16) | 0x4000).to_be_bytes()),
            _ => match u32::try_from(len) {
                Ok(len) => {
                    self.byte(LENGTH_32);
                    self.raw(&len.to_be_bytes());
                }
                Err(_) => {
                    self.byte(LENGTH_64);
                    self.raw(&len.to_be_bytes());
                }
            },
        }
    }

    /// Writes a string, in the shortest of its encodings.
    pub fn string(&mut self, bytes: &[u8]) {
        if bytes.len() <= INTEGER_LEN_MAX
            && let Some(value) = parse_i64(bytes)
            && self.integer(value)
        {
            return;
        }
        if bytes.len() >= COMPRESSED_LEN_MIN && self.compressed(bytes) {
            return;
        }
        self.length(bytes.len() as u64);
        self.raw(bytes);
    }

    /// Writes a string as it came out of a collection.
    pub fn element(&mut self, element: Element<'_>) {
        self.string(element.bytes(&mut Scratch::new()));
    }

    /// Writes an integer of up to 32 bits as a string; false if it has more.
    fn integer(&mut self, value: i64) -> bool {
        if let Ok(value) = i8::try_from(value) {
            self.raw(&[ENCODED | ENCODED_I8, value as u8]);
        } else if let Ok(value) = i16::try_from(value) {
            self.byte(ENCODED | ENCODED_I16);
            self.raw(&value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.byte(ENCODED | ENCODED_I32);
            self.raw(&value.to_le_bytes());
        } else {
            return false;
        }
        true
    }

    fn compressed(&mut self, bytes: &[u8]) -> bool {
        let Some(compressor) = &mut self.compressor else { return false };
        let mut squeezed = std::mem::take(&mut self.squeezed);
        squeezed.clear();
        let smaller = compressor.compress(bytes, bytes.len() - SAVED_MIN, &mut squeezed);
        if smaller {
            self.byte(ENCODED | ENCODED_LZF);
            self.length(squeezed.len() as u64);
            self.length(bytes.len() as u64);
            self.raw(&squeezed);
        }
        self.squeezed = squeezed;
        smaller
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Reader;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::new(true);
        write(&mut writer);
        writer.into_bytes()
    }

    #[test]
    fn the_shortest_form_is_taken() {
        for (len, bytes) in [
            (63, &[0x3f][..]),
            (64, &[0x40, 64]),
            (16_383, &[0x7f, 0xff]),
            (16_384, &[0x80, 0, 0, 0x40, 0]),
            (1 << 32, &[0x81, 0, 0, 0, 1, 0, 0, 0, 0]),
        ] {
            assert_eq!(written(|writer| writer.length(len)), bytes);
        }
        for (string, bytes) in [
            ("", &[0][..]),
            ("01", &[2, b'0', b'1']),
            ("-128", &[0xc0, 0x80]),
            ("128", &[0xc1, 0x80, 0]),
            ("-2147483648", &[0xc2, 0, 0, 0, 0x80]),
            ("2147483648", b"\x0a2147483648"),
            ("aaaaaaaaaaaaaaaaaaaa", b"\x14aaaaaaaaaaaaaaaaaaaa"),
        ] {
            assert_eq!(written(|writer| writer.string(string.as_bytes())), bytes, "{string}");
        }
        assert!(written(|writer| writer.string(&[b'a'; 21])).len() < 12);
        let mut plain = Writer::new(false);
        plain.string(&[b'a'; 21]);
        assert_eq!(plain.written().len(), 22);
    }

    proptest! {
        #[test]
        fn lengths_and_strings_come_back(len: u64, word in "[a-c]{0,40}", times in 0usize..60) {
            let text = word.repeat(times);
            let bytes = written(|writer| {
                writer.length(len);
                writer.string(text.as_bytes());
                writer.f64(1.5);
            });
            let mut reader = Reader::new(&bytes[..]);
            prop_assert_eq!(reader.length().unwrap(), len);
            prop_assert_eq!(reader.string().unwrap(), text.as_bytes());
            prop_assert_eq!(reader.f64().unwrap(), 1.5);
            prop_assert!(reader.source().is_empty());
        }
    }
}
