//! Integers of up to 64 bits anywhere in a bitmap, most significant bit first.

/// What becomes of a number that its field has no room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Its higher bits are dropped.
    #[default]
    Wrap,
    /// It becomes the greatest or the least number that there is room for.
    Saturate,
    /// Nothing is written.
    Fail,
}

/// A place for an integer. Unsigned ones have at most 63 bits, so that every value is an `i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its first bit.
    pub offset: usize,
    /// Its bits, 1 to 64.
    pub bits: u32,
    /// Whether it is in two's complement.
    pub signed: bool,
}

/// The bytes that a field of 64 bits may touch.
const SPAN: usize = 9;

impl Field {
    /// The length of the shortest bitmap that has the whole field, in bytes.
    pub const fn end(self) -> usize {
        (self.offset + self.bits as usize - 1) / 8 + 1
    }

    /// The number in the field; beyond the bitmap's end all bits are zero.
    pub fn get(self, bytes: &[u8]) -> i64 {
        let window = self.window(bytes) << (self.offset % 8);
        if self.signed {
            (window as i128 >> (u128::BITS - self.bits)) as i64
        } else {
            (window >> (u128::BITS - self.bits)) as i64
        }
    }

    /// Writes a number that has room in the field, which must lie in the bitmap.
    pub fn set(self, bytes: &mut [u8], value: i64) {
        let first = self.offset / 8;
        let shift = u128::BITS - self.bits - (self.offset % 8) as u32;
        let mask = (u128::MAX >> (u128::BITS - self.bits)) << shift;
        let window = (self.window(bytes) & !mask) | (((value as u128) << shift) & mask);
        for (byte, new) in bytes[first..self.end()].iter_mut().zip(window.to_be_bytes()) {
            *byte = new;
        }
    }

    /// The bytes from the field's first on, as the upper part of a number.
    fn window(self, bytes: &[u8]) -> u128 {
        let mut window = [0; 16];
        let from = bytes.get(self.offset / 8..).unwrap_or_default();
        let len = from.len().min(SPAN);
        window[..len].copy_from_slice(&from[..len]);
        u128::from_be_bytes(window)
    }

    /// What to write for `value + increment`, or `None` where the field has no room for it and overflow forbids to
    /// write. `value` is a number of the field or, with an increment of 0, any.
    pub fn fit(self, value: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        let sum = value.wrapping_add(increment);
        let limit = if self.signed {
            self.signed_limit(value, increment)
        } else {
            self.unsigned_limit(value.cast_unsigned(), increment)
        };
        match (limit, overflow) {
            (None, _) => Some(sum),
            (Some(_), Overflow::Fail) => None,
            (Some(limit), Overflow::Saturate) => Some(limit),
            (Some(_), Overflow::Wrap) => Some(self.wrap(sum)),
        }
    }

    /// The number without the bits that the field has no room for.
    const fn wrap(self, value: i64) -> i64 {
        let unused = u64::BITS - self.bits;
        if self.signed { value << unused >> unused } else { ((value << unused) as u64 >> unused) as i64 }
    }

    /// The bound that a sum is beyond. The room left is reckoned modulo 2^64, as Redis does: a value that is to be set
    /// and is farther below the least number than that counts as above the greatest.
    fn signed_limit(self, value: i64, increment: i64) -> Option<i64> {
        let max = i64::MAX >> (u64::BITS - self.bits);
        let min = !max;
        let (above, below) = (max.wrapping_sub(value), min.wrapping_sub(value));
        let narrow = self.bits < u64::BITS;
        if value > max || (increment > above && (narrow || (value >= 0 && increment > 0))) {
            Some(max)
        } else if value < min || (increment < below && (narrow || (value < 0 && increment < 0))) {
            Some(min)
        } else {
            None
        }
    }

    /// The bound that a sum is beyond.
    fn unsigned_limit(self, value: u64, increment: i64) -> Option<i64> {
        let max = u64::MAX >> (u64::BITS - self.bits);
        if value > max || (increment > 0 && increment.unsigned_abs() > max - value) {
            Some(max.cast_signed())
        } else if increment < 0 && increment.unsigned_abs() > value {
            Some(0)
        } else {
            None
        }
    }
}
