//! LZF: the compression of long strings within the format.
//!
//! A run of up to 32 literal bytes is `000lllll` and the bytes. A reference is `lllooooo oooooooo` for three to eight
//! bytes, or `111ooooo llllllll oooooooo` for nine and more, that were seen up to 8 KiB ago.

/// Longest run of literals.
const LITERALS_MAX: usize = 32;
/// Farthest reference, in bytes.
const DISTANCE_MAX: usize = 1 << 13;
/// Shortest and longest reference, in bytes.
const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 264;
/// Most bytes that one byte of compressed data becomes: three of a reference become 264.
pub const EXPANSION_MAX: usize = MATCH_MAX / 3;

/// Compresses, with memory that is kept from one string to the next.
#[derive(Debug, Default)]
pub struct Compressor {
    /// Where three bytes with this hash were last seen; one more than the position, 0 for nowhere.
    seen: Vec<u32>,
}

impl Compressor {
    /// Appends `input`, compressed, to `out`; false, with `out` as it was, if that would take more than `len_max`
    /// bytes. O(len).
    pub fn compress(&mut self, input: &[u8], len_max: usize, out: &mut Vec<u8>) -> bool {
        if input.len() <= MATCH_MIN || u32::try_from(input.len()).is_err() {
            return false;
        }
        let bits = input.len().next_power_of_two().trailing_zeros().clamp(6, 14);
        self.seen.clear();
        self.seen.resize(1 << bits, 0);
        let (start, mut at, mut literals) = (out.len(), 0, 0);
        while at + MATCH_MIN <= input.len() {
            let before = self.note(input, at, bits);
            match before.and_then(|before| matching(input, before, at)) {
                Some((distance, len)) => {
                    push_literals(&input[literals..at], out);
                    push_reference(distance, len, out);
                    for inside in at + 1..(at + len).min(input.len() - MATCH_MIN + 1) {
                        self.note(input, inside, bits);
                    }
                    at += len;
                    literals = at;
                }
                None => at += 1,
            }
            // What waits as literals will take its own length at least.
            if out.len() - start + (at - literals) > len_max {
                out.truncate(start);
                return false;
            }
        }
        push_literals(&input[literals..], out);
        let fits = out.len() - start <= len_max;
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// Remembers the position, and tells where the same three bytes may have been before.
    #[inline]
    fn note(&mut self, input: &[u8], at: usize, bits: u32) -> Option<usize> {
        let three = u32::from_le_bytes([input[at], input[at + 1], input[at + 2], 0]);
        let hash = three.wrapping_mul(0x9E37_79B1) >> (32 - bits);
        let before = std::mem::replace(&mut self.seen[hash as usize], at as u32 + 1);
        (before as usize).checked_sub(1)
    }
}

/// The distance and length of what at `before` is the same as at `at`.
#[inline]
fn matching(input: &[u8], before: usize, at: usize) -> Option<(usize, usize)> {
    let distance = at - before;
    if distance > DISTANCE_MAX {
        return None;
    }
    let len_max = MATCH_MAX.min(input.len() - at);
    let len = input[before..].iter().zip(&input[at..at + len_max]).take_while(|(a, b)| a == b).count();
    (len >= MATCH_MIN).then_some((distance, len))
}

fn push_literals(literals: &[u8], out: &mut Vec<u8>) {
    for run in literals.chunks(LITERALS_MAX) {
        out.push(run.len() as u8 - 1);
        out.extend_from_slice(run);
    }
}

fn push_reference(distance: usize, len: usize, out: &mut Vec<u8>) {
    let (offset, len) = (distance - 1, len - 2);
    let high = (offset >> 8) as u8;
    if len < 7 {
        out.push((len as u8) << 5 | high);
    } else {
        out.push(7 << 5 | high);
        out.push((len - 7) as u8);
    }
    out.push(offset as u8);
}

/// Appends the `len` bytes that `input` stands for to `out`; `None`, with `out` in any state, if they are not that
/// many or the input makes no sense. Nothing is allocated for a length that the input cannot have.
pub fn decompress(input: &[u8], len: usize, out: &mut Vec<u8>) -> Option<()> {
    if len > input.len().saturating_mul(EXPANSION_MAX) {
        return None;
    }
    let start = out.len();
    out.reserve(len);
    let mut rest = input.iter();
    while let Some(&control) = rest.next() {
        let control = usize::from(control);
        if control < LITERALS_MAX {
            let run;
            (run, rest) = {
                let (run, rest) = rest.as_slice().split_at_checked(control + 1)?;
                (run, rest.iter())
            };
            if run.len() > start + len - out.len() {
                return None;
            }
            out.extend_from_slice(run);
            continue;
        }
        let mut copied = control >> 5;
        if copied == 7 {
            copied += usize::from(*rest.next()?);
        }
        copied += 2;
        let distance = ((control & 0x1f) << 8 | usize::from(*rest.next()?)) + 1;
        if distance > out.len() - start || copied > start + len - out.len() {
            return None;
        }
        let from = out.len() - distance;
        if distance >= copied {
            out.extend_from_within(from..from + copied);
        } else {
            // It overlaps what it makes: a repetition.
            (from..from + copied).for_each(|at| out.push(out[at]));
        }
    }
    (out.len() - start == len).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn compressed(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        let done = Compressor::default().compress(input, input.len().saturating_sub(4), &mut out);
        assert!(out.starts_with(b"before"));
        assert!(done || out.len() == 6);
        done.then(|| out.split_off(6))
    }

    fn decompressed(input: &[u8], len: usize) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        decompress(input, len, &mut out)?;
        Some(out.split_off(6))
    }

    #[test]
    fn repetitions_shrink_and_noise_does_not() {
        for (input, len_max) in [
            ([b'a'; 1000].to_vec(), 20),
            (b"abcdefgh".repeat(1000), 140),
            ((0..=255).cycle().take(10_000).collect(), 400),
            ((0..2000).flat_map(|i: u32| format!("field:{i} ").into_bytes()).collect(), 13_000),
        ] {
            let small = compressed(&input).unwrap();
            assert!(small.len() <= len_max, "{} of {}", small.len(), input.len());
            assert_eq!(decompressed(&small, input.len()), Some(input));
        }
        let mut noise = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (noise >> 56) as u8
        })
        .take(4096)
        .collect();
        assert_eq!(compressed(&noise), None);
        assert_eq!(compressed(b""), None);
    }

    #[test]
    fn what_is_no_compression_is_refused() {
        assert_eq!(decompressed(&[0, b'a'], 1), Some(b"a".to_vec()));
        assert_eq!(decompressed(&[0, b'a', 0x20, 0], 4), Some(b"aaaa".to_vec()));
        for (input, len) in [
            (&[0, b'a'][..], 2),
            (&[0, b'a'], 0),
            (&[0, b'a'], usize::MAX),
            (&[1, b'a'], 2),
            (&[0x20, 0], 3),
            (&[0, b'a', 0x20, 1], 4),
            (&[0, b'a', 0x20], 4),
            (&[0, b'a', 0xe0, 5], 10),
            (&[0, b'a', 0x20, 0], 3),
        ] {
            assert_eq!(decompressed(input, len), None, "{input:?} {len}");
        }
    }

    proptest! {
        #[test]
        fn it_comes_back(parts in prop::collection::vec((0usize..40, 1usize..300), 0..60)) {
            let words: Vec<Vec<u8>> = (0..40u8).map(|i| (0..=i).map(|j| i ^ j.wrapping_mul(7)).collect()).collect();
            let input: Vec<u8> =
                parts.iter().flat_map(|&(word, count)| words[word].iter().cycle().copied().take(count)).collect();
            if let Some(small) = compressed(&input) {
                prop_assert!(small.len() + 4 <= input.len());
                prop_assert_eq!(decompressed(&small, input.len()), Some(input));
            }
        }

        #[test]
        fn any_bytes_are_safe(input in prop::collection::vec(any::<u8>(), 0..200), len in 0usize..4000) {
            if let Some(out) = decompressed(&input, len) {
                prop_assert_eq!(out.len(), len);
            }
        }
    }
}
