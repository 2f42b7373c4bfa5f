//! The small form of a sorted set: all members one after the other in one byte buffer, in order.
//!
//! An entry is a header byte (how the score is written, and the length if it is short), the length if it is long, the
//! score in 1, 2, 3, 4 or 8 bytes, and the member.

use crate::counted_bytes::CountedBytes;
use crate::form::Thin;
use std::cmp::Ordering;

/// Bits of the header that hold the length.
const LENGTH_BITS: u32 = 5;
/// The length in the header that says: a `u32` follows.
const LENGTH_LONG: usize = (1 << LENGTH_BITS) - 1;
/// No buffer grows beyond this, whatever the limits allow; in bytes.
const BYTES_MAX: usize = 1 << 30;

const I8: u8 = 0;
const I16: u8 = 1;
const I32: u8 = 2;
const F32: u8 = 3;
const F64: u8 = 4;
const I24: u8 = 5;

#[derive(Clone)]
#[repr(transparent)]
pub(super) struct Compact(CountedBytes);

// SAFETY: it is a `CountedBytes`, which is thin, and nothing else.
unsafe impl Thin for Compact {}

impl Default for Compact {
    fn default() -> Self {
        Self(CountedBytes::new())
    }
}

/// An entry, and where it is.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) member: &'a [u8],
    pub(super) score: f64,
    pub(super) place: Place,
}

/// The bytes of an entry within the buffer.
#[derive(Clone, Copy)]
pub(super) struct Place {
    start: usize,
    end: usize,
}

/// A score in the shortest form that keeps its value. A negative zero loses its sign, as in the server's small form.
struct Score {
    kind: u8,
    bytes: [u8; 8],
    size: usize,
}

impl Score {
    fn encode(score: f64) -> Self {
        let mut bytes = [0; 8];
        let integer = score as i32;
        let (kind, size) = if f64::from(integer) == score {
            bytes[..4].copy_from_slice(&integer.to_le_bytes());
            match integer {
                -0x80..=0x7f => (I8, 1),
                -0x8000..=0x7fff => (I16, 2),
                -0x80_0000..=0x7f_ffff => (I24, 3),
                _ => (I32, 4),
            }
        } else if f64::from(score as f32) == score {
            bytes[..4].copy_from_slice(&(score as f32).to_le_bytes());
            (F32, 4)
        } else {
            bytes = score.to_le_bytes();
            (F64, 8)
        };
        Self { kind, bytes, size }
    }

    #[inline]
    fn decode(kind: u8, at: &[u8]) -> (f64, usize) {
        match kind {
            I8 => (f64::from(at[0] as i8), 1),
            I16 => (f64::from(i16::from_le_bytes([at[0], at[1]])), 2),
            I24 => (f64::from(i32::from_le_bytes([0, at[0], at[1], at[2]]) >> 8), 3),
            I32 => (f64::from(i32::from_le_bytes([at[0], at[1], at[2], at[3]])), 4),
            F32 => (f64::from(f32::from_le_bytes([at[0], at[1], at[2], at[3]])), 4),
            _ => (f64::from_le_bytes([at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7]]), 8),
        }
    }
}

impl Compact {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.count()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }

    /// Whether a member of this length may be added without the buffer becoming unreasonable.
    pub(super) fn has_room(&self, member_len: usize) -> bool {
        member_len < BYTES_MAX && self.0.len() < BYTES_MAX - member_len
    }

    pub(super) fn iter(&self) -> Walk<'_> {
        self.walk(0)
    }

    /// The entries from this rank on. O(n).
    pub(super) fn walk(&self, rank: usize) -> Walk<'_> {
        let mut walk = Walk { bytes: self.0.data(), at: 0, before: None };
        for _ in 0..rank {
            walk.next();
        }
        walk
    }

    /// The entry of a member, and its rank.
    pub(super) fn find(&self, member: &[u8]) -> Option<(usize, Entry<'_>)> {
        self.iter().enumerate().find(|(_, entry)| entry.member == member)
    }

    /// The number of entries from the beginning on that the condition holds for.
    pub(super) fn count_while(&self, mut condition: impl FnMut(&Entry<'_>) -> bool) -> usize {
        self.iter().take_while(|entry| condition(entry)).count()
    }

    /// Inserts a member that is not there. O(n).
    pub(super) fn insert(&mut self, member: &[u8], score: f64) {
        let score_value = score;
        let is_after = |entry: &Entry<'_>| order((entry.score, entry.member), (score_value, member)).is_gt();
        let at = self.iter().find(is_after).map_or(self.0.len(), |entry| entry.place.start);
        let score = Score::encode(score);
        let (mut head, mut head_len) = ([0; 13], 1);
        let short = member.len().min(LENGTH_LONG);
        head[0] = score.kind << LENGTH_BITS | short as u8;
        if short == LENGTH_LONG {
            head[1..5].copy_from_slice(&(member.len() as u32).to_le_bytes());
            head_len = 5;
        }
        head[head_len..head_len + score.size].copy_from_slice(&score.bytes[..score.size]);
        head_len += score.size;

        let total = head_len + member.len();
        self.0.open_gap(at, total);
        let place = &mut self.0.data_mut()[at..at + total];
        place[..head_len].copy_from_slice(&head[..head_len]);
        place[head_len..].copy_from_slice(member);
        self.0.set_count(self.len() + 1);
    }

    /// Removes a member and returns its score. O(n).
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let (_, Entry { score, place, .. }) = self.find(member)?;
        self.remove_at(place);
        Some(score)
    }

    /// Removes the entry at this place.
    pub(super) fn remove_at(&mut self, place: Place) {
        self.cut(place.start, place.end, 1);
    }

    /// Removes `count` entries from a rank on, which are there. O(n).
    pub(super) fn remove_ranks(&mut self, rank: usize, count: usize, mut visit: impl FnMut(&[u8], f64)) {
        let walk = self.walk(rank);
        let (start, mut end) = (walk.at, walk.at);
        for entry in walk.take(count) {
            end = entry.place.end;
            visit(entry.member, entry.score);
        }
        self.cut(start, end, count);
    }

    fn cut(&mut self, start: usize, end: usize, count: usize) {
        self.0.set_count(self.len() - count);
        self.0.close_gap(start, end);
    }
}

/// The order of a sorted set: by score, then by the bytes of the member. Scores are never NaN.
#[inline]
pub(super) fn order(one: (f64, &[u8]), two: (f64, &[u8])) -> Ordering {
    one.0.partial_cmp(&two.0).unwrap_or(Ordering::Equal).then_with(|| one.1.cmp(two.1))
}

/// A place between two entries, to walk from in both directions.
#[derive(Clone)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the entries before this place begin, once it was walked backwards: entries tell only where they end.
    before: Option<Vec<u32>>,
}

impl<'a> Walk<'a> {
    /// The entry before this place, which moves there. The first one takes O(n). A walk goes in one direction only.
    pub(super) fn previous(&mut self) -> Option<Entry<'a>> {
        let (bytes, at) = (self.bytes, self.at);
        let before = self.before.get_or_insert_with(|| {
            let all = Walk { bytes: &bytes[..at], at: 0, before: None };
            all.map(|entry| entry.place.start as u32).collect()
        });
        self.at = before.pop()? as usize;
        Walk { bytes, at: self.at, before: None }.next()
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        let start = self.at;
        let (&header, mut rest) = self.bytes.get(start..)?.split_first()?;
        let mut len = usize::from(header) & LENGTH_LONG;
        if len == LENGTH_LONG {
            len = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
            rest = &rest[4..];
        }
        let (score, score_size) = Score::decode(header >> LENGTH_BITS, rest);
        let member = &rest[score_size..score_size + len];
        let size = self.bytes.len() - start - rest.len() + score_size + len;
        self.at = start + size;
        Some(Entry { member, score, place: Place { start, end: self.at } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_keep_their_value_in_few_bytes() {
        for (score, size) in [
            (0.0, 1),
            (-128.0, 1),
            (127.0, 1),
            (128.0, 2),
            (-32768.0, 2),
            (32768.0, 3),
            (8388607.0, 3),
            (-8388608.0, 3),
            (8388608.0, 4),
            (-8388609.0, 4),
            (-2147483648.0, 4),
            (2147483648.0, 4),
            (2147483649.0, 8),
            (1.5, 4),
            (0.1, 8),
            (1.7e12 + 1.0, 8),
            (f64::MAX, 8),
            (5e-324, 8),
            (f64::INFINITY, 4),
            (f64::NEG_INFINITY, 4),
        ] {
            let encoded = Score::encode(score);
            assert_eq!(Score::decode(encoded.kind, &encoded.bytes), (score, size), "{score}");
        }
        let zero = Score::encode(-0.0);
        assert!(Score::decode(zero.kind, &zero.bytes).0.is_sign_positive());
    }

    #[test]
    fn entries_of_every_length_are_walked_both_ways() {
        let lengths = [0, 1, 30, 31, 32, 200, 241, 242, 243, 252, 253, 254, 255, 256, 300, 70_000];
        for scale in [1.0, 1000.0, 0.1, 1e12] {
            let mut compact = Compact::default();
            for (at, &len) in lengths.iter().enumerate().rev() {
                compact.insert(&vec![b'm'; len], at as f64 * scale);
            }
            let forward: Vec<_> = compact.iter().map(|entry| (entry.member.len(), entry.score)).collect();
            let expected: Vec<_> =
                lengths.iter().enumerate().map(|(at, &len)| (len, at as f64 * scale)).collect();
            assert_eq!(forward, expected);
            let mut walk = compact.walk(compact.len());
            for expected in expected.iter().rev() {
                let entry = walk.previous().unwrap();
                assert_eq!((entry.member.len(), entry.score), *expected);
            }
            assert!(walk.previous().is_none());
            for rank in 0..=lengths.len() {
                assert_eq!(compact.walk(rank).count(), lengths.len() - rank);
            }
        }
    }
}
