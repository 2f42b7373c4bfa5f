//! The random numbers of scripts: the same on every machine.

/// Redis' copy of `lrand48`: a linear congruence of 48 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lrand48(u64);

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
/// One more than the largest number drawn.
const RANGE: u32 = 1 << 31;

impl Default for Lrand48 {
    fn default() -> Self {
        Self(0x1234_ABCD_330E)
    }
}

impl Lrand48 {
    /// Starts over from a seed.
    pub(super) const fn seed(&mut self, seed: i32) {
        self.0 = ((seed as u32 as u64) << 16) | 0x330E;
    }

    /// The next number in `0.0..1.0`.
    pub(super) fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        let drawn = (self.0 >> 17) as u32;
        // Redis takes the number modulo its largest.
        f64::from(drawn % (RANGE - 1)) / f64::from(RANGE - 1)
    }
}
