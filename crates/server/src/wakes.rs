//! Clients that are to be woken for what was sent to them. They are woken together, once for all that a batch of
//! requests sent.

use crate::clients::Client;
use crate::pushes::Message;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Those that are to be woken. Whoever sends something calls [`Wakes::flush`] before it waits for anything.
#[derive(Debug, Default)]
pub struct Wakes {
    any: AtomicBool,
    clients: Mutex<Vec<Arc<Client>>>,
}

impl Wakes {
    /// Sends a message to clients.
    pub fn send(&self, to: &[Arc<Client>], message: &Message) {
        let mut first = to.iter().filter(|client| client.add_message(message)).peekable();
        if first.peek().is_some() {
            self.clients.lock().extend(first.cloned());
            self.any.store(true, Relaxed);
        }
    }

    /// Tells a client that keys it knows have changed; the bytes are encoded.
    pub fn invalidate(&self, client: &Arc<Client>, bytes: &[u8]) {
        if client.add_invalidation(bytes) {
            self.clients.lock().push(client.clone());
            self.any.store(true, Relaxed);
        }
    }

    /// Wakes all that are to be woken.
    #[inline]
    pub fn flush(&self) {
        if self.any.load(Relaxed) {
            self.wake_all();
        }
    }

    #[cold]
    fn wake_all(&self) {
        self.any.store(false, Relaxed);
        let clients = std::mem::take(&mut *self.clients.lock());
        clients.iter().for_each(|client| client.wake());
    }
}
