//! Registers of six bits without gaps: a register starts at the lowest bit that is free and goes on in the next byte.

/// Bits of a register.
pub(super) const BITS: usize = 6;
const MASK: u16 = (1 << BITS) - 1;

#[inline]
pub(super) fn get(registers: &[u8], index: usize) -> u8 {
    let (byte, shift) = (index * BITS / 8, index * BITS % 8);
    (window(registers, byte) >> shift & MASK) as u8
}

#[inline]
pub(super) fn set(registers: &mut [u8], index: usize, rank: u8) {
    let (byte, shift) = (index * BITS / 8, index * BITS % 8);
    let new = (window(registers, byte) & !(MASK << shift)) | (u16::from(rank) & MASK) << shift;
    // The last register ends with the last byte.
    for (place, new) in registers[byte..].iter_mut().zip(new.to_le_bytes()) {
        *place = new;
    }
}

/// Sets a register if it is less; whether it was.
#[inline]
pub(super) fn raise(registers: &mut [u8], index: usize, rank: u8) -> bool {
    let less = get(registers, index) < rank;
    if less {
        set(registers, index, rank);
    }
    less
}

/// A byte and the one after it.
#[inline]
fn window(registers: &[u8], byte: usize) -> u16 {
    u16::from_le_bytes([registers[byte], registers.get(byte + 1).copied().unwrap_or(0)])
}

/// Visits all registers, four at a time: three bytes have them.
#[inline]
pub(super) fn each_four(registers: &[u8], mut visit: impl FnMut(usize, [u8; 4])) {
    let (threes, _) = registers.as_chunks::<3>();
    for (at, &[a, b, c]) in threes.iter().enumerate() {
        let all = u32::from_le_bytes([a, b, c, 0]);
        let mask = u32::from(MASK);
        visit(at, [0, 6, 12, 18].map(|shift| (all >> shift & mask) as u8));
    }
}
