//! Strings as bits: bit 0 is the most significant one of the first byte.

mod combine;
mod field;
#[cfg(test)]
mod tests;

pub use combine::{Combination, combine};
pub use field::{Field, Overflow};

use std::ops::Range;

/// The number of bits that are set in a range of bits, which is cut to those there are. O(n / 64).
pub fn count_ones(bytes: &[u8], bits: Range<usize>) -> u64 {
    let Some((bytes, first, last)) = cut(bytes, bits) else { return 0 };
    let ends = match bytes {
        [] => 0,
        [only] => (only & !(first & last)).count_ones(),
        [head, .., tail] => (head & !first).count_ones() + (tail & !last).count_ones(),
    };
    ones(bytes) - u64::from(ends)
}

/// The position of the first bit of this value in a range of bits, which is cut to those there are. O(n / 64).
pub fn find_bit(bytes: &[u8], bits: Range<usize>, value: bool) -> Option<usize> {
    let start = bits.start / 8;
    let (bytes, first, last) = cut(bytes, bits)?;
    // What is looked for becomes a one, whose place the leading zeros tell.
    let sought = |byte: u8| if value { byte } else { !byte };
    let end = bytes.len() - 1;
    let masked = |at: usize| {
        let mask = (if at == 0 { first } else { 0xff }) & (if at == end { last } else { 0xff });
        sought(bytes[at]) & mask
    };
    let position = |at: usize, byte: u8| (start + at) * 8 + byte.leading_zeros() as usize;
    let head = masked(0);
    if head != 0 {
        return Some(position(0, head));
    }
    let inner = bytes.get(1..end).unwrap_or_default();
    if let Some(at) = find_other(inner, if value { 0 } else { 0xff }) {
        return Some(position(at + 1, sought(inner[at])));
    }
    let tail = masked(end);
    (tail != 0).then(|| position(end, tail))
}

/// The bytes that a range of bits lies in, with masks of its bits in the first and in the last of them; `None` if
/// there is no such bit.
fn cut(bytes: &[u8], bits: Range<usize>) -> Option<(&[u8], u8, u8)> {
    let end = bits.end.min(bytes.len().saturating_mul(8));
    if bits.start >= end {
        return None;
    }
    let last = end - 1;
    Some((&bytes[bits.start / 8..=last / 8], 0xff >> (bits.start % 8), 0xff << (7 - last % 8)))
}

/// The position of the first byte that is another.
fn find_other(bytes: &[u8], than: u8) -> Option<usize> {
    const CHUNK: usize = 64;
    let (chunks, _) = bytes.as_chunks::<CHUNK>();
    // A whole chunk's comparison has no branch in it, so that it compiles to vector instructions.
    let same = |chunk: &&[u8; CHUNK]| chunk.iter().fold(0, |all, &byte| all | (byte ^ than)) == 0;
    let skipped = chunks.iter().take_while(same).count() * CHUNK;
    bytes[skipped..].iter().position(|&byte| byte != than).map(|at| skipped + at)
}

fn ones(bytes: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= 32 && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has these instructions.
        return unsafe { ones_avx2(bytes) };
    }
    ones_by_word(bytes)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,popcnt")]
fn ones_avx2(bytes: &[u8]) -> u64 {
    ones_by_word(bytes)
}

#[inline(always)]
fn ones_by_word(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words: u64 = words.iter().map(|&word| u64::from(u64::from_ne_bytes(word).count_ones())).sum();
    in_words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}
