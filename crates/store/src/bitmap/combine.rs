//! Several bitmaps made into one.

/// How bitmaps are combined; where one is shorter than the longest, its bits are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combination {
    /// Bits that all have.
    And,
    /// Bits that any has.
    Or,
    /// Bits that an odd number of them has.
    Xor,
    /// Bits that the first has not.
    Not,
    /// Bits of the first that none of the others has.
    Diff,
    /// Bits of the others that the first has not.
    Diff1,
    /// Bits of the first that any of the others has.
    AndOr,
    /// Bits that exactly one has.
    One,
}

/// Bytes that are combined at a time: what is written stays in the cache from one source to the next.
const BLOCK: usize = if cfg!(test) { 64 } else { 16 * 1024 };

/// The combination of some bitmaps, as long as the longest of them. O(n) for all their bytes.
pub fn combine(how: Combination, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut out = Vec::with_capacity(len);
    let mut twice = Vec::new();
    while out.len() < len {
        let start = out.len();
        let end = (start + BLOCK).min(len);
        let blocks = sources
            .iter()
            .map(|source| source.get(start..).map_or(&[][..], |rest| &rest[..rest.len().min(BLOCK)]));
        out.extend_from_slice(blocks.clone().next().unwrap_or_default());
        out.resize(end, 0);
        combine_block(how, &mut out[start..], blocks, &mut twice);
    }
    out
}

/// Combines one block of the sources; `out` has the first source's.
fn combine_block<'a>(
    how: Combination,
    out: &mut [u8],
    blocks: impl Iterator<Item = &'a [u8]> + Clone,
    twice: &mut Vec<u8>,
) {
    let others = blocks.clone().skip(1);
    match how {
        Combination::And => others.for_each(|other| {
            let (both, beyond) = out.split_at_mut(other.len());
            apply(both, other, |a, b| a & b);
            beyond.fill(0);
        }),
        Combination::Or => others.for_each(|other| apply(out, other, |a, b| a | b)),
        Combination::Xor => others.for_each(|other| apply(out, other, |a, b| a ^ b)),
        Combination::Not => out.iter_mut().for_each(|byte| *byte = !*byte),
        Combination::Diff => others.for_each(|other| apply(out, other, |a, b| a & !b)),
        Combination::Diff1 | Combination::AndOr => {
            let first = blocks.clone().next().unwrap_or_default();
            out.fill(0);
            others.for_each(|other| apply(out, other, |a, b| a | b));
            if how == Combination::Diff1 {
                apply(out, first, |a, b| a & !b);
            } else {
                let (both, beyond) = out.split_at_mut(first.len());
                apply(both, first, |a, b| a & b);
                beyond.fill(0);
            }
        }
        Combination::One => {
            // What two have stays out, however many more have it.
            twice.clear();
            twice.resize(out.len(), 0);
            for other in others {
                for ((byte, twice), other) in out.iter_mut().zip(&mut *twice).zip(other) {
                    *twice |= *byte & other;
                    *byte |= other;
                }
            }
            apply(out, twice, |a, b| a & !b);
        }
    }
}

/// Changes each byte by the one at its place; compiles to vector instructions.
#[inline]
fn apply(out: &mut [u8], other: &[u8], change: impl Fn(u8, u8) -> u8) {
    for (byte, &other) in out.iter_mut().zip(other) {
        *byte = change(*byte, other);
    }
}
