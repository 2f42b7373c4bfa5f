//! SCAN's cursor: where it is in the table of one shard, and which shard that is.
//!
//! Shards are visited one after the other. A cursor is the place in the table times the number of shards, plus the
//! shard's index. It stays below 2^53, which clients that keep numbers as doubles need, with up to 128 shards.

use crate::error::Error;

/// The lowest bits of a table's cursor, which are always 0: its prefixes have at most 30 bits.
const TABLE_ZERO_BITS: u32 = 2;

/// A place in an iteration over all keys of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The table's own cursor.
    pub position: u64,
    /// The shard whose table it is.
    pub shard: usize,
    /// The number of shards.
    shards: usize,
}

impl Cursor {
    /// The place that a client's number means among so many shards (at least one). Any number means some place.
    pub const fn decode(number: u64, shards: usize) -> Self {
        let position = (number / shards as u64) << TABLE_ZERO_BITS;
        Self { position, shard: (number % shards as u64) as usize, shards }
    }

    /// The number to give to the client; 0 is the begin, and the end.
    pub const fn encode(self) -> u64 {
        (self.position >> TABLE_ZERO_BITS) * self.shards as u64 + self.shard as u64
    }

    /// Another place in the same shard's table.
    pub const fn at(self, position: u64) -> Self {
        Self { position, ..self }
    }

    /// The begin of the next shard, or of the first after the last.
    pub const fn next_shard(self) -> Self {
        let next = self.shard + 1;
        Self { position: 0, shard: if next < self.shards { next } else { 0 }, shards: self.shards }
    }

    /// Whether this is where iterations begin and end.
    pub const fn is_zero(self) -> bool {
        self.position == 0 && self.shard == 0
    }
}

/// The number that a client wrote as its cursor, by the rules of C's `strtoul`: it may have a sign, and is empty or
/// ends at a NUL without harm.
///
/// # Errors
/// [`Error::INVALID_CURSOR`].
pub fn parse(argument: &[u8]) -> Result<u64, Error> {
    let text = argument.split(|&byte| byte == 0).next().unwrap_or_default();
    let (negative, digits) = match text {
        [] => return Ok(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return Err(Error::INVALID_CURSOR);
    }
    let mut number = 0u64;
    for &digit in digits {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return Err(Error::INVALID_CURSOR);
        }
        let longer = number.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(value)));
        number = longer.ok_or(Error::INVALID_CURSOR)?;
    }
    Ok(if negative { number.wrapping_neg() } else { number })
}

/// The shard that the cursor in `argument` points into, if it is a cursor.
pub fn shard_of(argument: &[u8], shards: usize) -> Option<usize> {
    Some(Cursor::decode(parse(argument).ok()?, shards).shard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_c_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("+7", Some(7)),
            ("-1", Some(u64::MAX)),
            ("007", Some(7)),
            ("7\0x", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("-", None),
            (" 1", None),
            ("1 ", None),
            ("x", None),
        ] {
            assert_eq!(parse(text.as_bytes()).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn cursors_come_back_and_stay_exact_in_a_double() {
        for shards in [1, 2, 3, 16, 128] {
            let greatest = (1u64 << 48) - 4;
            for position in [0, 4, 0x1234_5678_9ABC & !3, greatest] {
                let cursor = Cursor { position, shard: shards - 1, shards };
                let number = cursor.encode();
                assert!(number < 1 << 53);
                assert_eq!(Cursor::decode(number, shards), cursor);
                assert_eq!(shard_of(number.to_string().as_bytes(), shards), Some(shards - 1));
            }
        }
        let last = Cursor { position: 4, shard: 2, shards: 3 };
        assert!(last.next_shard().is_zero());
        assert_eq!(Cursor { shard: 1, ..last }.next_shard().encode(), 2);
    }
}
