//! MONITOR: clients that see every command.

use crate::clients::Client;
use crate::connection::Session;
use crate::pushes::Message;
use crate::sensitive;
use crate::server::unix_micros;
use moonshard_engine::Args;
use moonshard_engine::command::{Entry, Flags};
use parking_lot::Mutex;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The clients that watch.
#[derive(Debug, Default)]
pub struct Monitors {
    count: AtomicUsize,
    clients: Mutex<Vec<Arc<Client>>>,
}

impl Monitors {
    /// Whether anybody watches.
    #[inline]
    pub fn any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    /// Adds a watcher; once is enough.
    pub fn add(&self, client: &Arc<Client>) {
        let mut clients = self.clients.lock();
        if clients.iter().all(|other| other.id != client.id) {
            clients.push(client.clone());
        }
        self.count.store(clients.len(), Relaxed);
    }

    /// Removes a watcher.
    pub fn remove(&self, id: u64) {
        let mut clients = self.clients.lock();
        clients.retain(|client| client.id != id);
        self.count.store(clients.len(), Relaxed);
    }

    /// Shows a command to all watchers, unless it is one that must not be seen.
    pub fn feed(&self, session: &Session, entry: &Entry, args: Args<'_>) {
        if self.any() && !entry.command.meta.flags.contains(Flags::ADMIN) {
            let args = sensitive::redacted(entry, args);
            self.send(&line(session.db, &session.client.addr, Args::new(&args)));
        }
    }

    /// Shows a command that a script has run; tells whether anybody watches.
    pub fn feed_script(&self, db: usize, args: Args<'_>) -> bool {
        if self.any() {
            self.send(&line(db, "lua", args));
        }
        self.any()
    }

    fn send(&self, line: &Message) {
        for client in self.clients.lock().iter() {
            client.push_status(line);
        }
    }
}

/// The line that shows a command, as a status reply without its first byte.
fn line(db: usize, addr: &str, args: Args<'_>) -> Message {
    let micros = unix_micros();
    let mut line = Vec::with_capacity(64);
    // Writing to a Vec does not fail.
    let _ = write!(line, "{}.{:06} [{db} {addr}]", micros / 1_000_000, micros % 1_000_000);
    for arg in args.iter() {
        line.extend_from_slice(b" \"");
        for &byte in arg {
            match byte {
                b'\\' | b'"' => line.extend_from_slice(&[b'\\', byte]),
                b'\n' => line.extend_from_slice(b"\\n"),
                b'\r' => line.extend_from_slice(b"\\r"),
                b'\t' => line.extend_from_slice(b"\\t"),
                0x07 => line.extend_from_slice(b"\\a"),
                0x08 => line.extend_from_slice(b"\\b"),
                b' '..=b'~' => line.push(byte),
                _ => drop(write!(line, "\\x{byte:02x}")),
            }
        }
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    line.into()
}
