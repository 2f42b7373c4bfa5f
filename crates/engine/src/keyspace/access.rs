//! The 24 bits by which an entry remembers its use: a date for LRU, a date and a counter for LFU.

use crate::rng::Rng;
use crate::settings::Settings;

/// A new key's LFU counter: high enough not to be evicted at once.
const LFU_COUNTER_NEW: u32 = 5;
const LRU_BITS: u32 = 24;
const LRU_MAX: u64 = (1 << LRU_BITS) - 1;

/// Reads and writes an entry's access bits.
#[derive(Clone, Copy, Debug)]
pub struct AccessClock {
    now_ms: u64,
    lfu: bool,
    log_factor: u32,
    decay_minutes: u32,
}

/// What a file says of a key's use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The last one was so many seconds ago.
    Seconds(u64),
    /// The counter of LFU.
    Counter(u8),
}

impl AccessClock {
    /// The clock that dates or counts the uses which a snapshot at `now_ms` tells: those that eviction goes by.
    pub fn of_snapshot(now_ms: u64, settings: &Settings) -> Option<Self> {
        let tells = settings.eviction.is_lru() || settings.eviction.is_lfu();
        tells.then(|| Self::new(now_ms, settings))
    }

    /// The bits of a key of which this was told, as far as it means something now.
    pub fn told(&self, told: Option<Use>) -> u32 {
        match told {
            Some(Use::Counter(counter)) if self.lfu => self.used_often(counter.into()),
            Some(Use::Seconds(seconds)) if !self.lfu => self.idle_since(seconds),
            _ => self.fresh(),
        }
    }

    /// The clock at `now_ms`, in the form that the eviction policy wants.
    #[inline]
    pub const fn new(now_ms: u64, settings: &Settings) -> Self {
        Self {
            now_ms,
            lfu: settings.eviction.is_lfu(),
            log_factor: settings.lfu_log_factor,
            decay_minutes: settings.lfu_decay_minutes,
        }
    }

    const fn seconds(&self) -> u32 {
        ((self.now_ms / 1000) & LRU_MAX) as u32
    }

    const fn minutes(&self) -> u32 {
        ((self.now_ms / 60_000) & 0xFFFF) as u32
    }

    /// The bits of a new key.
    #[inline]
    pub const fn fresh(&self) -> u32 {
        if self.lfu { (self.minutes() << 8) | LFU_COUNTER_NEW } else { self.seconds() }
    }

    /// Whether uses are counted rather than dated.
    pub const fn is_lfu(&self) -> bool {
        self.lfu
    }

    /// The bits of a key that was last used so many seconds ago.
    pub const fn idle_since(&self, seconds: u64) -> u32 {
        ((self.now_ms / 1000).wrapping_sub(seconds) & LRU_MAX) as u32
    }

    /// The bits of a key whose LFU counter has this value, up to 255.
    pub const fn used_often(&self, frequency: u32) -> u32 {
        (self.minutes() << 8) | frequency
    }

    /// The bits after one more access.
    #[inline]
    pub fn touched(&self, bits: u32, rng: &mut Rng) -> u32 {
        if !self.lfu {
            return self.seconds();
        }
        let counter = self.frequency(bits);
        (self.minutes() << 8) | self.incremented(counter, rng)
    }

    /// The counter grows with a probability that falls as it is larger.
    fn incremented(&self, counter: u32, rng: &mut Rng) -> u32 {
        if counter == 255 {
            return 255;
        }
        let base = counter.saturating_sub(LFU_COUNTER_NEW);
        let chance = 1.0 / (f64::from(base) * f64::from(self.log_factor) + 1.0);
        let drawn = (rng.next() >> 11) as f64 / (1u64 << 53) as f64;
        if drawn < chance { counter + 1 } else { counter }
    }

    /// The LFU counter of `bits`, less what it lost while the key was idle.
    pub const fn frequency(&self, bits: u32) -> u32 {
        let (minutes, counter) = (bits >> 8, bits & 0xFF);
        if self.decay_minutes == 0 {
            return counter;
        }
        let idle = self.minutes().wrapping_sub(minutes) & 0xFFFF;
        counter.saturating_sub(idle / self.decay_minutes)
    }

    /// Seconds since the last access of LRU `bits`.
    pub const fn idle_seconds(&self, bits: u32) -> u64 {
        (self.seconds().wrapping_sub(bits) as u64) & LRU_MAX
    }
}
