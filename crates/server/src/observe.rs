//! What becomes of the time that a command took: the slow log, the latency monitor, its command's histogram.

use crate::clients::Client;
use crate::sensitive;
use crate::server::Server;
use moonshard_engine::Args;
use moonshard_engine::command::{Entry, Flags};

impl Server {
    /// Notes that a command ran for so many nanoseconds.
    #[inline]
    pub fn observe(&self, entry: &Entry, args: Args<'_>, nanos: u64, client: &Client) {
        if self.is_notable(nanos) {
            self.observe_slow(entry, args, nanos, client);
        }
    }

    /// Whether the slow log or the latency monitor want to know of a command that took so long.
    #[inline]
    pub fn is_notable(&self, nanos: u64) -> bool {
        self.slowlog.is_slow(nanos) || self.latency.is_slow(nanos)
    }

    /// Tells the slow log and the latency monitor of a command that [`Server::is_notable`].
    #[cold]
    pub fn observe_slow(&self, entry: &Entry, args: Args<'_>, nanos: u64, client: &Client) {
        let flags = entry.command.meta.flags;
        if self.slowlog.is_slow(nanos) && !flags.contains(Flags::SKIP_SLOWLOG) {
            self.slowlog.keep(Args::new(&sensitive::redacted(entry, args)), nanos, client);
        }
        self.latency.note(if flags.contains(Flags::FAST) { "fast-command" } else { "command" }, nanos);
    }
}
