//! The keyed hash of keys and members: one fold of a 128-bit product for every 16 bytes.
//!
//! The construction is foldhash's, but with a secret of the caller's in both factors, so that no input makes a
//! factor zero for every seed, and small enough (16 bytes) for every table to hold its own copy.

const MIX_A: u64 = 0x243f_6a88_85a3_08d3;
const MIX_B: u64 = 0x1319_8a2e_0370_7344;
const LENGTH: u64 = 0x9e37_79b9_7f4a_7c15;

/// The secret under which keys are hashed: the same for every table whose hashes are to be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    low: u64,
    high: u64,
}

impl Seed {
    /// A seed from 128 bits of the caller's randomness. Weak values (zero, small numbers) are mixed, so that tests
    /// may use them.
    pub const fn new(low: u64, high: u64) -> Self {
        Seed { low: fold(low ^ MIX_A, LENGTH) ^ MIX_B, high: fold(high ^ MIX_B, LENGTH) ^ MIX_A }
    }
}

/// The hash of a key under a seed. Every bit of the result is usable. O(n).
#[inline]
pub fn hash_key(seed: &Seed, key: &[u8]) -> u64 {
    let state = seed.low ^ (key.len() as u64).wrapping_mul(LENGTH);
    let (low, high) = match *key {
        [] => (0, 0),
        [a] => (u64::from(a), 0),
        [a, b] => (u64::from(a), u64::from(b)),
        [a, b, c] => (u64::from(a), u64::from(b) | u64::from(c) << 8),
        _ => match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
            (Some(_), Some(_)) if key.len() > 16 => return hash_long(state, seed.high, key),
            (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
            _ => (word32(key.first_chunk::<4>()), word32(key.last_chunk::<4>())),
        },
    };
    fold(fold(low ^ state, high ^ seed.high), MIX_A)
}

/// Keys above 16 bytes: block by block, and the last 16 bytes once more, which covers the tail.
fn hash_long(mut state: u64, secret: u64, mut key: &[u8]) -> u64 {
    let tail = key.last_chunk::<16>();
    while let Some((block, rest)) = key.split_first_chunk::<16>() {
        state = fold_block(state, secret, block);
        key = rest;
    }
    if !key.is_empty() {
        state = tail.map_or(state, |tail| fold_block(state, secret, tail));
    }
    fold(state, MIX_A)
}

#[inline]
fn fold_block(state: u64, secret: u64, block: &[u8; 16]) -> u64 {
    let both = u128::from_le_bytes(*block);
    fold(both as u64 ^ state, (both >> 64) as u64 ^ secret)
}

#[inline]
fn word32(bytes: Option<&[u8; 4]>) -> u64 {
    bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
}

#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pearson's statistic of `keys` thrown into 256 cells by eight bits of the hash.
    fn chi_square(keys: &[Vec<u8>], shift: u32) -> f64 {
        let seed = Seed::new(1, 2);
        let mut cells = [0u32; 256];
        for key in keys {
            cells[(hash_key(&seed, key) >> shift) as usize & 255] += 1;
        }
        let expected = keys.len() as f64 / 256.0;
        cells.iter().map(|&n| (f64::from(n) - expected).powi(2) / expected).sum()
    }

    #[test]
    fn every_group_of_bits_is_even() {
        let count = if cfg!(miri) { 2_000 } else { 50_000 };
        let families: [fn(usize) -> Vec<u8>; 4] = [
            |n| format!("key:{n}").into_bytes(),
            |n| (n as u32).to_be_bytes().to_vec(),
            |n| format!("user:{{account}}:{n:08}:a-rather-long-suffix-of-a-key").into_bytes(),
            |n| vec![b'x'; n % 3].into_iter().chain((n as u64).to_le_bytes()).collect(),
        ];
        for (family, make) in families.iter().enumerate() {
            let keys: Vec<_> = (0..count).map(make).collect();
            for shift in (0..=56).step_by(8) {
                let chi = chi_square(&keys, shift);
                // 255 degrees of freedom: mean 255, deviation 22.6.
                assert!((150.0..390.0).contains(&chi), "family {family}, shift {shift}: {chi}");
            }
        }
    }

    #[test]
    fn lengths_seeds_and_every_byte_matter() {
        let seed = Seed::new(0, 0);
        let mut seen = std::collections::HashSet::new();
        for len in 0..100 {
            let mut key = vec![0u8; len];
            assert!(seen.insert(hash_key(&seed, &key)), "length {len}");
            for at in 0..len {
                key[at] = 1;
                assert!(seen.insert(hash_key(&seed, &key)), "length {len}, byte {at}");
                key[at] = 0;
            }
            assert_ne!(hash_key(&seed, &key), hash_key(&Seed::new(0, 1), &key));
            assert_ne!(hash_key(&seed, &key), hash_key(&Seed::new(1, 0), &key));
        }
    }
}
