//! What becomes of the time that a command took: the slow log, the latency monitor, its command's histogram.

use crate::clients::Client;
use crate::sensitive;
use crate::server::Server;
use moonshard_engine::Args;
use moonshard_engine::ScriptRef;
use moonshard_engine::command::{Entry, Flags, Route};
use moonshard_scripting::Sha;
use std::sync::atomic::Ordering::Relaxed;

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
        nanos >= self.notable_nanos.load(Relaxed)
    }

    /// Tells the slow log and the latency monitor of a command that [`Server::is_notable`].
    #[cold]
    pub fn observe_slow(&self, entry: &Entry, args: Args<'_>, nanos: u64, client: &Client) {
        let flags = entry.command.meta.flags;
        if self.slowlog.is_slow(nanos) && !flags.contains(Flags::SKIP_SLOWLOG) {
            let script = script_text(entry, args).map(Sha::of);
            self.slowlog.keep(Args::new(&sensitive::redacted(entry, args)), script, nanos, client);
        }
        self.latency.note(if flags.contains(Flags::FAST) { "fast-command" } else { "command" }, nanos);
        if self.latency.is_slow(nanos)
            && let Some(event) = self.script_event(entry, args)
        {
            self.latency.note_script(event, nanos);
        }
    }

    /// The latency monitor's event for a script or function that is known: `script:` and its SHA1, or `function:` and
    /// its name.
    fn script_event(&self, entry: &Entry, args: Args<'_>) -> Option<String> {
        if entry.command.meta.route != Route::Script {
            return None;
        }
        let registry = &self.scripts.registry;
        let sha = match ScriptRef::of(entry.command, args) {
            ScriptRef::Text(text) => Some(Sha::of(text)),
            ScriptRef::Sha(sha) => Sha::from_client(sha),
            ScriptRef::Function(name) => {
                let known = registry.libraries().has_function(name);
                return known.then(|| format!("function:{}", String::from_utf8_lossy(name)));
            }
        };
        sha.filter(|sha| registry.get(sha).is_some()).map(|sha| format!("script:{sha}"))
    }
}

/// The text of the script that a command calls, if it calls it by its text.
fn script_text<'a>(entry: &Entry, args: Args<'a>) -> Option<&'a [u8]> {
    if entry.command.meta.route != Route::Script {
        return None;
    }
    match ScriptRef::of(entry.command, args) {
        ScriptRef::Text(text) => Some(text),
        _ => None,
    }
}
