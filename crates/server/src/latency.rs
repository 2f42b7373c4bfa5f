//! The latency monitor: when something took longer than `latency-monitor-threshold`, and how long every command takes.

use crate::server::unix_ms;
use moonshard_engine::command::CommandId;
use moonshard_engine::keyspace::Latencies;
use parking_lot::Mutex;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Samples that are kept of one event.
const SAMPLES_MAX: usize = 160;
/// Events that are told apart.
const EVENTS_MAX: usize = 128;

/// When an event took long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Unix time in seconds.
    pub unix_seconds: u64,
    /// How long it took, in milliseconds.
    pub millis: u64,
}

/// What is known of one event: the oldest sample first.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The samples, one a second at most.
    pub samples: Vec<Sample>,
    /// The longest ever, in milliseconds.
    pub millis_max: u64,
}

/// The latency monitor. See the [module](self).
#[derive(Debug, Default)]
pub struct Latency {
    /// From how many milliseconds on an event is sampled; 0 for never.
    threshold_ms: AtomicU64,
    tracks: AtomicBool,
    events: Mutex<BTreeMap<Cow<'static, str>, Series>>,
    /// Of commands that no shard counts.
    calls: Mutex<BTreeMap<CommandId, Latencies>>,
}

impl Latency {
    /// Sets from how many milliseconds on an event is sampled (0 for never), and whether it is shown how
    /// long commands take.
    pub fn configure(&self, threshold_ms: u64, tracks: bool) {
        self.threshold_ms.store(threshold_ms, Relaxed);
        self.tracks.store(tracks, Relaxed);
    }

    /// From how many milliseconds on an event is sampled; 0 for never.
    pub fn threshold_ms(&self) -> u64 {
        self.threshold_ms.load(Relaxed)
    }

    /// Samples an event if it took long.
    #[inline]
    pub fn note(&self, event: &'static str, nanos: u64) {
        if self.is_slow(nanos) {
            self.sample(event.into(), nanos / 1_000_000, unix_ms() / 1000);
        }
    }

    /// Samples a script or function that took long, as an event of this name. Of too many different ones, the later are
    /// not told apart.
    #[cold]
    pub fn note_script(&self, event: String, nanos: u64) {
        let events = self.events.lock();
        let event = if events.len() < EVENTS_MAX || events.contains_key(event.as_str()) {
            Cow::Owned(event)
        } else {
            Cow::Borrowed("script:other")
        };
        drop(events);
        self.sample(event, nanos / 1_000_000, unix_ms() / 1000);
    }

    /// The shortest time, in nanoseconds, that the monitor samples.
    pub fn slow_nanos(&self) -> u64 {
        match self.threshold_ms() {
            0 => u64::MAX,
            millis => millis.saturating_mul(1_000_000),
        }
    }

    /// Whether the monitor is on, and something took longer than it tolerates.
    #[inline]
    pub fn is_slow(&self, nanos: u64) -> bool {
        nanos >= self.slow_nanos()
    }

    fn sample(&self, event: Cow<'static, str>, millis: u64, unix_seconds: u64) {
        let mut events = self.events.lock();
        let series = events.entry(event).or_default();
        series.millis_max = series.millis_max.max(millis);
        match series.samples.last_mut() {
            Some(last) if last.unix_seconds == unix_seconds => last.millis = last.millis.max(millis),
            _ => {
                if series.samples.len() == SAMPLES_MAX {
                    series.samples.remove(0);
                }
                series.samples.push(Sample { unix_seconds, millis });
            }
        }
    }

    /// Whether it is shown how long commands take.
    pub fn tracks(&self) -> bool {
        self.tracks.load(Relaxed)
    }

    /// Counts a call of a command that no shard counts.
    pub fn record(&self, id: CommandId, nanos: u64) {
        self.calls.lock().entry(id).or_default().record(nanos);
    }

    /// How long calls took of commands that no shard counts.
    pub fn calls(&self) -> BTreeMap<CommandId, Latencies> {
        self.calls.lock().clone()
    }

    /// Forgets how long calls took.
    pub fn reset_calls(&self) {
        self.calls.lock().clear();
    }

    /// All events.
    pub fn events(&self) -> BTreeMap<Cow<'static, str>, Series> {
        self.events.lock().clone()
    }

    /// Forgets an event, or all; tells how many were known.
    pub fn reset(&self, event: Option<&[u8]>) -> usize {
        let mut events = self.events.lock();
        let before = events.len();
        events.retain(|name, _| event.is_some_and(|event| !event.eq_ignore_ascii_case(name.as_bytes())));
        before - events.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_keeps_its_longest() {
        let latency = Latency::default();
        latency.sample("command".into(), 5, 100);
        latency.sample("command".into(), 3, 100);
        latency.sample("command".into(), 4, 101);
        let series = &latency.events()["command"];
        assert_eq!(series.samples.iter().map(|sample| sample.millis).collect::<Vec<_>>(), [5, 4]);
        assert_eq!(series.millis_max, 5);
        assert_eq!(latency.reset(Some(b"other")), 0);
        assert_eq!(latency.reset(Some(b"COMMAND")), 1);
    }

    #[test]
    fn below_the_threshold_nothing_is_sampled() {
        let latency = Latency::default();
        latency.note("command", 10_000_000);
        latency.configure(10, true);
        latency.note("command", 9_999_999);
        assert!(latency.events().is_empty());
        latency.note("command", 10_000_000);
        assert_eq!(latency.events().len(), 1);
    }

    #[test]
    fn samples_are_bounded() {
        let latency = Latency::default();
        (0..1000).for_each(|second| latency.sample("command".into(), 1, second));
        let series = &latency.events()["command"];
        assert_eq!((series.samples.len(), series.samples[0].unix_seconds), (SAMPLES_MAX, 840));
    }
}
