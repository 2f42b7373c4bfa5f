//! The estimate of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (arXiv:1702.01284),
//! with Redis' order of operations, so that every digit is the same.

use super::{INDEX_BITS, REGISTERS};

/// 0.5 / ln 2.
const ALPHA: f64 = 0.721_347_520_444_481_7;
/// The greatest rank that a hash gives, less one.
const RANK_MAX: usize = (u64::BITS - INDEX_BITS) as usize;

/// How many registers have each value.
#[derive(Clone, Debug)]
pub(super) struct Histogram([[u32; 64]; 4]);

impl Default for Histogram {
    fn default() -> Self {
        Self([[0; 64]; 4])
    }
}

impl Histogram {
    #[inline]
    pub(super) fn add(&mut self, rank: u8, registers: usize) {
        self.0[0][usize::from(rank & 63)] += registers as u32;
    }

    /// Each of the four has counters of its own: equal neighbours would wait for each other's.
    #[inline]
    pub(super) fn add_four(&mut self, ranks: [u8; 4]) {
        for (counters, rank) in self.0.iter_mut().zip(ranks) {
            counters[usize::from(rank & 63)] += 1;
        }
    }

    fn of(&self, rank: usize) -> f64 {
        f64::from(self.0.iter().map(|counters| counters[rank]).sum::<u32>())
    }

    pub(super) fn estimate(&self) -> u64 {
        let m = REGISTERS as f64;
        let mut z = m * tau((m - self.of(RANK_MAX + 1)) / m);
        for rank in (1..=RANK_MAX).rev() {
            z += self.of(rank);
            z *= 0.5;
        }
        z += m * sigma(self.of(0) / m);
        (ALPHA * m * m / z).round() as u64
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}
