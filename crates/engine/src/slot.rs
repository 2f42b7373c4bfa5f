//! Keys hash to slots, slots to shards.

use memchr::memchr;

/// Slots of a cluster.
pub const SLOTS: u16 = 16384;

/// The part of `key` that is hashed: what stands between the first `{` and the next `}` when that is not empty,
/// else all of it.
#[inline]
pub fn hash_tag(key: &[u8]) -> &[u8] {
    if has_brace(key) { tag_in_braces(key) } else { key }
}

/// Whether an opening brace is in `key`. For keys as short as most are it takes fewer instructions than calling a search.
#[inline]
fn has_brace(key: &[u8]) -> bool {
    const LEN_MAX: usize = 64;
    const BRACES: u64 = u64::from_le_bytes([b'{'; 8]);
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    // The top bit of some byte is set if and only if some byte of the word is a brace.
    let in_word = |bytes: &[u8; 8]| {
        let differing = u64::from_le_bytes(*bytes) ^ BRACES;
        differing.wrapping_sub(ONES) & !differing & (ONES << 7)
    };
    match key.last_chunk::<8>() {
        None => key.contains(&b'{'),
        Some(_) if key.len() > LEN_MAX => memchr(b'{', key).is_some(),
        Some(tail) => {
            key.as_chunks::<8>().0.iter().fold(in_word(tail), |found, word| found | in_word(word)) != 0
        }
    }
}

#[inline(never)]
fn tag_in_braces(key: &[u8]) -> &[u8] {
    let Some(open) = memchr(b'{', key) else { return key };
    let tag = &key[open + 1..];
    match memchr(b'}', tag) {
        Some(len) if len > 0 => &tag[..len],
        _ => key,
    }
}

/// The slot of `key`: CRC16 (XMODEM) of its hash tag, modulo [`SLOTS`].
#[inline]
pub fn slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) % SLOTS
}

/// The generator polynomial of CRC16/XMODEM.
const POLYNOMIAL: u16 = 0x1021;

/// `TABLES[n][b]` is the remainder of byte `b` followed by `n` zero bytes.
static TABLES: [[u16; 256]; 8] = tables();

const fn tables() -> [[u16; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut remainder = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            remainder = (remainder << 1) ^ if remainder & 0x8000 != 0 { POLYNOMIAL } else { 0 };
            bit += 1;
        }
        tables[0][byte] = remainder;
        byte += 1;
    }
    let mut zeros = 1;
    while zeros < 8 {
        let mut byte = 0;
        while byte < 256 {
            let shorter = tables[zeros - 1][byte];
            tables[zeros][byte] = (shorter << 8) ^ tables[0][(shorter >> 8) as usize];
            byte += 1;
        }
        zeros += 1;
    }
    tables
}

/// CRC16/XMODEM, eight bytes a step. Byte by byte, as the crate `crc16` has it, this was a seventh of the
/// instructions of a pipelined GET.
#[inline]
fn crc16(bytes: &[u8]) -> u16 {
    let mut crc = 0u16;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        let [high, low] = crc.to_be_bytes();
        crc = TABLES[7][usize::from(chunk[0] ^ high)]
            ^ TABLES[6][usize::from(chunk[1] ^ low)]
            ^ TABLES[5][usize::from(chunk[2])]
            ^ TABLES[4][usize::from(chunk[3])]
            ^ TABLES[3][usize::from(chunk[4])]
            ^ TABLES[2][usize::from(chunk[5])]
            ^ TABLES[1][usize::from(chunk[6])]
            ^ TABLES[0][usize::from(chunk[7])];
    }
    for &byte in rest {
        crc = (crc << 8) ^ TABLES[0][usize::from((crc >> 8) as u8 ^ byte)];
    }
    crc
}

/// The shard of a slot. A modulus, so that any range of slots that a node owns spreads over all of its shards.
#[inline]
pub const fn shard_of_slot(slot: u16, shards: usize) -> usize {
    slot as usize % shards
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_redis_cluster() {
        // Answers of CLUSTER KEYSLOT.
        for (key, expected) in [("", 0), ("foo", 12182), ("bar", 5061), ("{user1000}.following", 3443)] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
        assert_eq!(hash_tag(b"foo{}{bar}"), b"foo{}{bar}");
        assert_eq!(hash_tag(b"foo{{bar}}zap"), b"{bar");
        assert_eq!(hash_tag(b"foo{bar}{zap}"), b"bar");
        assert_eq!(hash_tag(b"{open"), b"{open");
    }

    #[test]
    fn a_tag_is_found_wherever_it_is() {
        for len in 3..100 {
            for at in 0..=len - 3 {
                // Bytes that differ from a brace in one bit, and by one, are none.
                let mut key: Vec<u8> = (0..len).map(|n| [b'z', b'|', 0xfb, b'[', 0][n % 5]).collect();
                assert_eq!(hash_tag(&key), key, "{len}");
                key[at..at + 3].copy_from_slice(b"{t}");
                assert_eq!(hash_tag(&key), b"t", "{len} {at}");
            }
        }
    }

    #[test]
    fn eight_bytes_a_step_is_the_same_remainder() {
        let bytes: Vec<u8> = (0..100u8).map(|n| n.wrapping_mul(37) ^ 0xA5).collect();
        for len in 0..bytes.len() {
            let expected = crc16::State::<crc16::XMODEM>::calculate(&bytes[..len]);
            assert_eq!(super::crc16(&bytes[..len]), expected, "of {len} bytes");
        }
    }
}
