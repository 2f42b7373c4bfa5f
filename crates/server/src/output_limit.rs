//! `client-output-buffer-limit`: how much may wait to be sent to a client before it is closed.

use crate::clients::{Client, flag};
use crate::config::{OutputBufferLimit, Settings};
use crate::server::{Server, unix_ms};
use std::sync::atomic::Ordering::Relaxed;

/// Bytes that are not counted: in Redis each client has a buffer of this size that its limits do not look at.
pub const UNCOUNTED: u64 = 16 * 1024;
/// What may wait for a client that has not authenticated, besides [`UNCOUNTED`].
const UNAUTHENTICATED_MAX: u64 = 1024;
/// What may wait for a monitor where its class has no limit: commands of others must not fill the memory.
const MONITOR_MAX: u64 = 64 << 20;

impl Client {
    /// Bytes that wait to be sent, as far as they count.
    pub fn output_memory(&self) -> u64 {
        self.unsent().saturating_sub(UNCOUNTED)
    }

    /// The limit of the client's class. As in Redis a monitor is an ordinary client.
    fn output_limit(&self, settings: &Settings) -> OutputBufferLimit {
        let limits = &settings.client_output_buffer_limit;
        let mut limit = if self.has_flag(flag::PUBSUB) { limits.pubsub } else { limits.normal };
        if limit.hard_bytes == 0 && self.has_flag(flag::MONITOR) {
            limit.hard_bytes = MONITOR_MAX;
        }
        limit
    }

    /// Whether too much waits to be sent: more than the hard limit, or for too long more than the soft one.
    pub fn exceeds_output_limit(&self, settings: &Settings) -> bool {
        let waiting = self.output_memory();
        let since = &self.over_soft_limit_since_ms;
        if waiting == 0 {
            if since.load(Relaxed) != 0 {
                since.store(0, Relaxed);
            }
            return false;
        }
        let limit = self.output_limit(settings);
        if limit.hard_bytes > 0 && waiting >= limit.hard_bytes {
            return true;
        }
        if limit.soft_bytes == 0 || waiting < limit.soft_bytes {
            since.store(0, Relaxed);
            return false;
        }
        let now_ms = unix_ms();
        match since.load(Relaxed) {
            0 => {
                since.store(now_ms, Relaxed);
                false
            }
            since_ms => now_ms.saturating_sub(since_ms) > limit.soft_seconds as u64 * 1000,
        }
    }

    /// Notes that less waits now: below the soft limit its time begins anew.
    pub fn note_progress(&self, settings: &Settings) {
        let since = &self.over_soft_limit_since_ms;
        if since.load(Relaxed) != 0 && self.output_memory() < self.output_limit(settings).soft_bytes {
            since.store(0, Relaxed);
        }
    }

    /// Whether too much waits for a client that has not authenticated.
    pub fn exceeds_unauthenticated_limit(&self) -> bool {
        self.output_memory() > UNAUTHENTICATED_MAX
    }
}

impl Server {
    /// Counts and logs a client that is closed because too much waits to be sent to it.
    pub fn note_output_overrun(&self, client: &Client) {
        self.stats.output_buffer_disconnections.fetch_add(1, Relaxed);
        tracing::warn!(
            id = client.id,
            client = client.addr,
            unsent = client.unsent(),
            "client closed for overcoming of output buffer limits"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        let text = format!("client-output-buffer-limit {text}");
        let launch = crate::config::Config::from_text(text.as_bytes()).unwrap();
        Settings::clone(&launch.config.load())
    }

    fn client(unsent: u64) -> Client {
        let client = Client::new(1, "a:1".into(), "b:2".into(), 3, 0);
        client.output_buffer.store(unsent, Relaxed);
        client
    }

    #[test]
    fn a_hard_limit_counts_beyond_the_first_buffer() {
        let settings = settings("normal 1000 0 0");
        assert!(!client(UNCOUNTED + 999).exceeds_output_limit(&settings));
        assert!(client(UNCOUNTED + 1000).exceeds_output_limit(&settings));
        assert!(!client(u64::MAX / 2).exceeds_output_limit(&Settings::default()));
    }

    #[test]
    fn a_soft_limit_has_to_be_exceeded_without_a_break() {
        let settings = settings("normal 0 1000 5");
        let client = client(UNCOUNTED + 1000);
        assert!(!client.exceeds_output_limit(&settings));
        let since_ms = client.over_soft_limit_since_ms.load(Relaxed);
        assert!(since_ms > 0 && !client.exceeds_output_limit(&settings));
        client.over_soft_limit_since_ms.store(since_ms - 6000, Relaxed);
        assert!(client.exceeds_output_limit(&settings));
        client.output_buffer.store(UNCOUNTED + 999, Relaxed);
        assert!(!client.exceeds_output_limit(&settings));
        assert_eq!(client.over_soft_limit_since_ms.load(Relaxed), 0);
    }

    #[test]
    fn pushes_count_and_are_bounded() {
        let client = client(0);
        client.set_flag(flag::MONITOR, true);
        client.push_status(&vec![b'x'; (UNCOUNTED + 9) as usize].into());
        assert_eq!(client.output_memory(), 10);
        client.push_status(&vec![b'x'; MONITOR_MAX as usize - 1024 * 17 - 1].into());
        assert!(!client.is_killed() && !client.exceeds_output_limit(&Settings::default()));
        client.output_buffer.store(UNCOUNTED + 2048, Relaxed);
        assert!(
            client.exceeds_output_limit(&Settings::default()),
            "monitors have a limit where their class has none"
        );
        client.push_status(&vec![b'x'; 2048].into());
        assert!(client.is_killed() && client.is_flooded());
        assert_eq!(client.unsent(), UNCOUNTED + 2048, "the pushes are thrown away");
    }
}
