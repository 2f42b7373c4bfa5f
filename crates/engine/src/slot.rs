//! Keys hash to slots, slots to shards.

use memchr::memchr;

/// Slots of a cluster.
pub const SLOTS: u16 = 16384;

/// The part of `key` that is hashed: what stands between the first `{` and the next `}` when that is not empty,
/// else all of it.
pub fn hash_tag(key: &[u8]) -> &[u8] {
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
    crc16::State::<crc16::XMODEM>::calculate(hash_tag(key)) % SLOTS
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
}
