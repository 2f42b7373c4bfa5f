//! Looks at a text eight bytes at a time.

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

/// How many bytes come before the first of those that `find` finds in a word and `is_found` tells one by one.
#[inline]
fn len_before(text: &[u8], find: impl Fn(u64) -> u64, is_found: impl Fn(u8) -> bool) -> usize {
    let mut chunks = text.chunks_exact(8);
    let mut len = 0;
    for chunk in &mut chunks {
        let found = find(u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
        if found != 0 {
            return len + found.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    len + chunks.remainder().iter().take_while(|&&byte| !is_found(byte)).count()
}

/// Bytes of a string's text before its end, an escape, or a NUL.
#[inline]
pub(super) fn plain_len(text: &[u8]) -> usize {
    len_before(
        text,
        |word| equal(word, b'"') | equal(word, b'\\') | equal(word, 0),
        |byte| matches!(byte, b'"' | b'\\' | 0),
    )
}

/// Bytes before the first that is written as an escape.
#[inline]
pub(super) fn unescaped_len(text: &[u8]) -> usize {
    len_before(
        text,
        |word| {
            below(word, 32) | equal(word, 127) | equal(word, b'"') | equal(word, b'/') | equal(word, b'\\')
        },
        |byte| byte < 32 || matches!(byte, 127 | b'"' | b'/' | b'\\'),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_is_found_wherever_it_is() {
        for special in 0..=255_u8 {
            for before in 0..20 {
                for after in 0..20 {
                    let mut text = vec![b'a'; before];
                    text.push(special);
                    text.extend(vec![0xff; after]);
                    text.extend(b"\"\\\0");
                    let end = before + 1 + after;
                    let plain = if matches!(special, b'"' | b'\\' | 0) { before } else { end };
                    assert_eq!(plain_len(&text), plain, "{special} {before} {after}");
                    let escaped = special < 32 || matches!(special, 127 | b'"' | b'/' | b'\\');
                    let unescaped = if escaped { before } else { end };
                    assert_eq!(unescaped_len(&text), unescaped, "{special} {before} {after}");
                }
            }
        }
        assert_eq!((plain_len(b""), unescaped_len(b"abc"), plain_len(&[b'x'; 16])), (0, 3, 16));
    }
}
