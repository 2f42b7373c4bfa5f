//! Looks at a text many bytes at a time.

use std::mem::MaybeUninit;

/// Sixteen bytes. A mask has a bit for each, the lowest for the first.
#[cfg(target_arch = "x86_64")]
mod block {
    use std::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128,
        _mm_set1_epi8,
    };

    #[derive(Clone, Copy)]
    pub(super) struct Block(__m128i);

    impl Block {
        #[inline(always)]
        pub(super) fn new(bytes: &[u8; 16]) -> Self {
            // SAFETY: sixteen bytes are there, in any alignment.
            Self(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
        }

        /// Which bytes are this one.
        #[inline(always)]
        pub(super) fn equal(self, byte: u8) -> Self {
            // SAFETY: all processors of this architecture have these instructions.
            Self(unsafe { _mm_cmpeq_epi8(self.0, _mm_set1_epi8(byte as i8)) })
        }

        /// Which bytes are at most this one.
        #[inline(always)]
        pub(super) fn at_most(self, byte: u8) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm_cmpeq_epi8(_mm_min_epu8(self.0, _mm_set1_epi8(byte as i8)), self.0) })
        }

        /// The bytes with these bits set.
        #[inline(always)]
        pub(super) fn with(self, bits: u8) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm_or_si128(self.0, _mm_set1_epi8(bits as i8)) })
        }

        #[inline(always)]
        pub(super) fn or(self, other: Self) -> Self {
            // SAFETY: as above.
            Self(unsafe { _mm_or_si128(self.0, other.0) })
        }

        /// The mask of what a comparison found.
        #[inline(always)]
        pub(super) fn mask(self) -> u32 {
            // SAFETY: as above.
            unsafe { _mm_movemask_epi8(self.0) as u32 }
        }
    }
}

/// Sixteen bytes. A mask has a bit for each, the lowest for the first.
#[cfg(not(target_arch = "x86_64"))]
mod block {
    #[derive(Clone, Copy)]
    pub(super) struct Block([u8; 16]);

    impl Block {
        #[inline(always)]
        pub(super) fn new(bytes: &[u8; 16]) -> Self {
            Self(*bytes)
        }

        #[inline(always)]
        fn map(self, found: impl Fn(u8) -> bool) -> Self {
            Self(self.0.map(|byte| if found(byte) { 0xff } else { 0 }))
        }

        /// Which bytes are this one.
        #[inline(always)]
        pub(super) fn equal(self, byte: u8) -> Self {
            self.map(|other| other == byte)
        }

        /// Which bytes are at most this one.
        #[inline(always)]
        pub(super) fn at_most(self, byte: u8) -> Self {
            self.map(|other| other <= byte)
        }

        /// The bytes with these bits set.
        #[inline(always)]
        pub(super) fn with(self, bits: u8) -> Self {
            Self(self.0.map(|byte| byte | bits))
        }

        #[inline(always)]
        pub(super) fn or(self, other: Self) -> Self {
            Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
        }

        /// The mask of what a comparison found.
        #[inline(always)]
        pub(super) fn mask(self) -> u32 {
            self.0.iter().rev().fold(0, |mask, &byte| mask << 1 | u32::from(byte >> 7))
        }
    }
}

use block::Block;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = ONES << 7;

/// Where bytes below `limit`, which is at most 128, are: the lowest bit that is set belongs to the first of them.
#[inline]
const fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(ONES * limit as u64) & !word & HIGH_BITS
}

/// Where this byte is, in the same way.
#[inline]
const fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * byte as u64), 1)
}

#[inline(always)]
fn word_at(text: &[u8], at: usize) -> u64 {
    text[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline(always)]
fn half_word_at(text: &[u8], at: usize) -> u32 {
    text[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Where bytes of a block are that end a string, begin an escape, or are NUL.
#[inline(always)]
pub(super) fn not_plain(bytes: &[u8; 16]) -> u32 {
    let block = Block::new(bytes);
    block.equal(b'"').or(block.equal(b'\\')).or(block.equal(0)).mask()
}

/// Where bytes of a block are that are written as escapes.
#[inline(always)]
fn escaped(bytes: &[u8; 16]) -> u32 {
    let block = Block::new(bytes);
    let quotes = block.equal(b'"').or(block.equal(b'\\')).or(block.equal(b'/'));
    quotes.or(block.equal(127)).or(block.at_most(31)).mask()
}

/// The same in a word.
#[inline(always)]
fn escaped_in_word(word: u64) -> u64 {
    below(word, 32) | equal(word, 127) | equal(word, b'"') | equal(word, b'/') | equal(word, b'\\')
}

/// Whether this byte is written as an escape.
#[inline(always)]
fn is_escaped(byte: u8) -> bool {
    byte < 32 || matches!(byte, 127 | b'"' | b'/' | b'\\')
}

/// Bytes before the first that is written as an escape.
#[inline]
pub(super) fn unescaped_len(text: &[u8]) -> usize {
    let mut len = 0;
    while let Some(bytes) = text[len..].first_chunk() {
        let found = escaped(bytes);
        if found != 0 {
            return len + found.trailing_zeros() as usize;
        }
        len += size_of_val(bytes);
    }
    len + text[len..].iter().take_while(|&&byte| !is_escaped(byte)).count()
}

/// Copies what comes before the first byte that is written as an escape, and returns its length. May write anything
/// behind it. Both are equally long, or there is nothing to copy to.
#[inline(always)]
pub(super) fn copy_unescaped(text: &[u8], to: &mut [MaybeUninit<u8>]) -> usize {
    let len = text.len().min(to.len());
    let (text, to) = (&text[..len], &mut to[..len]);
    if len < 16 {
        return copy_short(text, to);
    }
    let mut at = 0;
    while let Some(bytes) = text[at..].first_chunk::<16>() {
        put(to, at, *bytes);
        let found = escaped(bytes);
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += 16;
    }
    // The last sixteen, some of them once more.
    let from = len - 16;
    let Some(bytes) = text.last_chunk::<16>() else { return at };
    put(to, from, *bytes);
    match escaped(bytes) {
        0 => len,
        found => from + found.trailing_zeros() as usize,
    }
}

/// As `copy_unescaped`, of less than sixteen bytes: what is longer than half of it as two halves that overlap.
#[inline(always)]
fn copy_short(text: &[u8], to: &mut [MaybeUninit<u8>]) -> usize {
    let len = text.len();
    if len >= 8 {
        let (first, last) = (word_at(text, 0), word_at(text, len - 8));
        put(to, 0, first.to_le_bytes());
        put(to, len - 8, last.to_le_bytes());
        return match (escaped_in_word(first), escaped_in_word(last)) {
            (0, 0) => len,
            (0, found) => len - 8 + found.trailing_zeros() as usize / 8,
            (found, _) => found.trailing_zeros() as usize / 8,
        };
    }
    if len >= 4 {
        let (first, last) = (half_word_at(text, 0), half_word_at(text, len - 4));
        put(to, 0, first.to_le_bytes());
        put(to, len - 4, last.to_le_bytes());
        let found = escaped_in_word(u64::from(first) | u64::from(last) << 32);
        let at = found.trailing_zeros() as usize / 8;
        return if found == 0 {
            len
        } else if at < 4 {
            at
        } else {
            len + at - 8
        };
    }
    for (at, (&byte, to)) in text.iter().zip(to).enumerate() {
        if is_escaped(byte) {
            return at;
        }
        to.write(byte);
    }
    len
}

#[inline(always)]
fn put<const N: usize>(to: &mut [MaybeUninit<u8>], at: usize, bytes: [u8; N]) {
    if let Some(to) = to[at..].first_chunk_mut::<N>() {
        // SAFETY: there is room for as many.
        unsafe { to.as_mut_ptr().cast::<[u8; N]>().write(bytes) };
    }
}

/// What is where in 64 bytes of a JSON text.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    pub(super) commas: u64,
    /// Brackets and braces.
    pub(super) braces: u64,
}

/// Looks at the next 64 bytes of a text, or at the last ones.
#[inline(always)]
pub(super) fn marks(text: &[u8]) -> Marks {
    match text.first_chunk() {
        Some(bytes) => marks_of(bytes),
        None => {
            let mut bytes = [0; 64];
            bytes[..text.len()].copy_from_slice(text);
            marks_of(&bytes)
        }
    }
}

#[inline(always)]
fn marks_of(bytes: &[u8; 64]) -> Marks {
    let mut marks = Marks::default();
    for (number, bytes) in bytes.as_chunks().0.iter().enumerate() {
        let block = Block::new(bytes);
        // Brackets and braces differ by one bit, and nothing else in a text of JSON becomes a brace by it.
        let upper = block.with(0x20);
        let braces = upper.equal(b'{').or(upper.equal(b'}'));
        let place = |mask: u32| u64::from(mask) << (16 * number);
        marks.quotes |= place(block.equal(b'"').mask());
        marks.backslashes |= place(block.equal(b'\\').mask());
        marks.commas |= place(block.equal(b',').mask());
        marks.braces |= place(braces.mask());
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_is_found_wherever_it_is() {
        for special in 0..=255_u8 {
            for before in 0..40 {
                for after in 0..20 {
                    let mut text = vec![b'a'; before];
                    text.push(special);
                    text.extend(vec![0xff; after]);
                    let mut copy = vec![MaybeUninit::new(0); text.len()];
                    let copied = copy_unescaped(&text, &mut copy);
                    let expected = if is_escaped(special) { before } else { text.len() };
                    assert_eq!(copied, expected, "{special} {before} {after}");
                    // SAFETY: all of it was written by `vec!`.
                    let copied: Vec<u8> =
                        copy[..copied].iter().map(|byte| unsafe { byte.assume_init() }).collect();
                    assert_eq!(copied, text[..expected], "{special} {before} {after}");
                    let unescaped = if is_escaped(special) { before } else { text.len() };
                    assert_eq!(unescaped_len(&text), unescaped, "{special} {before} {after}");
                }
            }
        }
        assert_eq!((unescaped_len(b""), unescaped_len(b"abc")), (0, 3));
        assert_eq!(copy_unescaped(b"", &mut []), 0);
    }

    #[test]
    fn marks_are_where_the_bytes_are() {
        for byte in 0..=255_u8 {
            for at in 0..64 {
                let mut text = [b'a'; 70];
                text[at] = byte;
                for len in [70, 64, at + 1] {
                    let Marks { quotes, backslashes, commas, braces } = marks(&text[..len]);
                    let here = |is: bool| if is { 1 << at } else { 0 };
                    assert_eq!(quotes, here(byte == b'"'), "{byte} {at}");
                    assert_eq!(backslashes, here(byte == b'\\'), "{byte} {at}");
                    assert_eq!(commas, here(byte == b','), "{byte} {at}");
                    assert_eq!(braces, here(matches!(byte, b'{' | b'}' | b'[' | b']')), "{byte} {at}");
                }
            }
        }
    }
}
