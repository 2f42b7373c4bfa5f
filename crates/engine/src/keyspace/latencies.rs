//! How long a command's calls took: counts of calls by time, four steps to a power of two.

/// Steps to a power of two, as bits.
const STEP_BITS: u32 = 2;
const STEPS: usize = 1 << STEP_BITS;
/// Powers of two that are told apart, from nanoseconds to about a second. What takes longer counts as the longest.
const POWERS: usize = 30;

/// Counts of calls by the time that they took. A kilobyte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies([u64; STEPS * POWERS]);

impl Default for Latencies {
    fn default() -> Self {
        Self([0; STEPS * POWERS])
    }
}

/// The step that a time in nanoseconds falls into.
#[inline]
const fn step_of(nanos: u64) -> usize {
    let nanos = if nanos < STEPS as u64 { STEPS as u64 } else { nanos };
    let power = nanos.ilog2() - STEP_BITS;
    let step = power as usize * STEPS + ((nanos >> power) as usize & (STEPS - 1));
    let last = STEPS * POWERS - 1;
    if step > last { last } else { step }
}

/// The longest time, in nanoseconds, that falls into a step.
const fn longest_of(step: usize) -> u64 {
    let power = step / STEPS;
    ((STEPS + step % STEPS + 1) as u64) << power
}

impl Latencies {
    /// Counts a call. O(1).
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.0[step_of(nanos)] += 1;
    }

    /// Adds calls that were counted elsewhere.
    pub fn add(&mut self, more: &Self) {
        self.0.iter_mut().zip(&more.0).for_each(|(to, count)| *to += count);
    }

    /// The calls.
    pub fn calls(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The time, in nanoseconds, within which so many percent of the calls were done, rounded up to a step.
    pub fn percentile(&self, percent: f64) -> u64 {
        let wanted = ((self.calls() as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut sum = 0;
        for (step, &count) in self.0.iter().enumerate() {
            sum += count;
            if sum >= wanted {
                return longest_of(step);
            }
        }
        0
    }

    /// For each power of two, in nanoseconds, within which more calls were done than within the one before: that
    /// power, and the calls done within it.
    pub fn by_powers(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut sum = 0;
        let powers = self.0.chunks(STEPS).enumerate();
        powers.filter_map(move |(power, counts)| {
            let calls: u64 = counts.iter().sum();
            sum += calls;
            (calls > 0).then_some((longest_of(power * STEPS + STEPS - 1), sum))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_within_its_step() {
        let mut last = 0;
        for nanos in (4..5000).chain((5000..1 << 31).step_by(99_991)) {
            let step = step_of(nanos);
            assert!(step >= last && nanos <= longest_of(step), "{nanos}");
            assert!(step == 0 || nanos >= longest_of(step - 1), "{nanos}");
            last = step;
        }
        assert_eq!(step_of(0), 0);
        assert_eq!(step_of(u64::MAX), STEPS * POWERS - 1);
    }

    #[test]
    fn percentiles_and_powers() {
        let mut latencies = Latencies::default();
        (0..99).for_each(|_| latencies.record(1000));
        latencies.record(1_000_000);
        assert_eq!(latencies.calls(), 100);
        assert_eq!(latencies.percentile(50.0), 1024);
        assert_eq!(latencies.percentile(99.0), 1024);
        assert_eq!(latencies.percentile(99.9), 1 << 20);
        assert_eq!(latencies.by_powers().collect::<Vec<_>>(), [(1024, 99), (1 << 20, 100)]);
        let mut twice = latencies.clone();
        twice.add(&latencies);
        assert_eq!(twice.calls(), 200);
    }
}
