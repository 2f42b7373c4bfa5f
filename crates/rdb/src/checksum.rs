//! The checksum of payloads and files: CRC-64 with Jones' polynomial.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A checksum over bytes that come piece by piece.
#[derive(Clone)]
pub struct Checksum(Digest<'static, u64, Table<16>>);

impl Checksum {
    /// Of no bytes.
    pub fn new() -> Self {
        Self(CRC.digest())
    }

    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> u64 {
        CRC.checksum(bytes)
    }

    /// Takes in further bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes so far.
    pub fn value(&self) -> u64 {
        self.0.clone().finalize()
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checksum({:016x})", self.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_redis() {
        assert_eq!(Checksum::of(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let mut pieces = Checksum::new();
        pieces.update(b"1234");
        pieces.update(b"56789");
        assert_eq!(pieces.value(), Checksum::of(b"123456789"));
        assert_eq!(Checksum::new().value(), 0);
    }
}
