//! The log of what was denied (ACL LOG).

use moonshard_engine::acl::{Context, Reason};
use parking_lot::Mutex;
use std::collections::VecDeque;

/// What is denied again within this many milliseconds is counted with what was denied before.
const GROUPED_MS: u64 = 60_000;
/// Among how many of the latest entries one like a new one is looked for.
const SEARCHED: usize = 10;

/// Something that was denied, once or several times.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// How often.
    pub count: u64,
    /// Why.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// The command, key or channel.
    pub object: Vec<u8>,
    /// To whom.
    pub user: Vec<u8>,
    /// Unix time in milliseconds of the last time.
    pub at_ms: u64,
    /// The client, the last time, as CLIENT LIST shows it.
    pub client_info: Vec<u8>,
}

impl LogEntry {
    fn is_like(&self, other: &Self) -> bool {
        self.reason == other.reason
            && self.context == other.context
            && self.at_ms.abs_diff(other.at_ms) <= GROUPED_MS
            && self.object == other.object
            && self.user == other.user
    }
}

/// The log. See the [module](self).
#[derive(Debug, Default)]
pub struct Log(Mutex<VecDeque<LogEntry>>);

impl Log {
    /// Adds an entry, or counts it with one like it, and keeps `len_max` of them.
    pub fn add(&self, new: LogEntry, len_max: usize) {
        let mut entries = self.0.lock();
        let like = entries.iter().take(SEARCHED).position(|entry| entry.is_like(&new));
        match like.and_then(|at| entries.remove(at)) {
            Some(old) => entries.push_front(LogEntry { count: old.count + 1, ..new }),
            None => {
                entries.push_front(new);
                entries.truncate(len_max);
            }
        }
    }

    /// The latest `count` entries, the youngest first.
    pub fn last(&self, count: usize) -> Vec<LogEntry> {
        self.0.lock().iter().take(count).cloned().collect()
    }

    /// Forgets everything.
    pub fn reset(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(object: &str, at_ms: u64) -> LogEntry {
        LogEntry {
            count: 1,
            reason: Reason::Key,
            context: Context::TopLevel,
            object: object.into(),
            user: b"u".to_vec(),
            at_ms,
            client_info: at_ms.to_string().into_bytes(),
        }
    }

    #[test]
    fn what_is_alike_is_counted_for_a_minute() {
        let log = Log::default();
        log.add(entry("a", 1000), 10);
        log.add(entry("b", 1000), 10);
        log.add(entry("a", 61_000), 10);
        let counts = |log: &Log| -> Vec<(String, u64)> {
            let text = |entry: &LogEntry| String::from_utf8(entry.object.clone()).unwrap();
            log.last(99).iter().map(|entry| (text(entry), entry.count)).collect()
        };
        assert_eq!(counts(&log), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        assert_eq!(log.last(1)[0].client_info, b"61000");
        log.add(entry("a", 121_001), 10);
        assert_eq!(counts(&log).len(), 3);
        log.add(entry("c", 121_001), 2);
        assert_eq!(counts(&log), [("c".to_owned(), 1), ("a".to_owned(), 1)]);
        log.reset();
        assert!(log.last(99).is_empty());
    }
}
