//! The heads of MessagePack values: their tags with what follows of fixed length.

use crate::lua_stack::c_long;

/// A head of up to nine bytes.
#[derive(Clone, Copy)]
pub(super) struct Head {
    bytes: [u8; Head::BYTES_MAX],
    len: usize,
}

impl Head {
    pub(super) const BYTES_MAX: usize = 9;

    #[inline(always)]
    fn new<const N: usize>(tag: u8, value: [u8; N]) -> Self {
        let mut bytes = [0; Self::BYTES_MAX];
        bytes[0] = tag;
        bytes[1..=N].copy_from_slice(&value);
        Self { bytes, len: 1 + N }
    }

    /// All bytes, of which the first [`Self::len`] count.
    #[inline(always)]
    pub(super) const fn bytes(&self) -> [u8; Self::BYTES_MAX] {
        self.bytes
    }

    #[inline(always)]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline(always)]
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// That of a string of so many bytes.
    #[inline(always)]
    pub(super) fn of_string(len: usize) -> Self {
        match len {
            0..32 => Self::new(0xa0 | len as u8, []),
            32..=0xff => Self::new(0xd9, [len as u8]),
            0x100..=0xffff => Self::new(0xda, (len as u16).to_be_bytes()),
            _ => Self::new(0xdb, (len as u32).to_be_bytes()),
        }
    }

    /// That of an array of so many elements.
    #[inline(always)]
    pub(super) fn of_array(len: usize) -> Self {
        Self::of_count(0x90, 0xdc, len)
    }

    /// That of a map of so many pairs.
    #[inline(always)]
    pub(super) fn of_map(len: usize) -> Self {
        Self::of_count(0x80, 0xde, len)
    }

    /// The short form begins with `short`, the long ones with `long` and the tag after it.
    #[inline(always)]
    fn of_count(short: u8, long: u8, count: usize) -> Self {
        match count {
            0..16 => Self::new(short | count as u8, []),
            16..=0xffff => Self::new(long, (count as u16).to_be_bytes()),
            _ => Self::new(long + 1, (count as u32).to_be_bytes()),
        }
    }

    /// A whole number.
    #[inline(always)]
    pub(super) fn of_number(value: f64) -> Self {
        let integer = c_long(value);
        if integer as f64 == value {
            return Self::of_integer(integer);
        }
        let single = value as f32;
        if f64::from(single) == value {
            Self::new(0xca, single.to_be_bytes())
        } else {
            Self::new(0xcb, value.to_be_bytes())
        }
    }

    #[inline(always)]
    fn of_integer(value: i64) -> Self {
        match value {
            -32..=0x7f => Self::new(value as u8, []),
            0x80..=0xff => Self::new(0xcc, [value as u8]),
            0x100..=0xffff => Self::new(0xcd, (value as u16).to_be_bytes()),
            0x1_0000..=0xffff_ffff => Self::new(0xce, (value as u32).to_be_bytes()),
            0x1_0000_0000.. => Self::new(0xcf, value.to_be_bytes()),
            -0x80..=-33 => Self::new(0xd0, [value as u8]),
            -0x8000..=-0x81 => Self::new(0xd1, (value as i16).to_be_bytes()),
            -0x8000_0000..=-0x8001 => Self::new(0xd2, (value as i32).to_be_bytes()),
            _ => Self::new(0xd3, value.to_be_bytes()),
        }
    }
}
