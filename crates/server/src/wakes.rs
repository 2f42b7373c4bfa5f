//! Clients that are to be woken for what was sent to them. They are woken together, once for all that was sent by the
//! requests that an I/O thread found when it last looked: a client that is sent many messages is written to once.

use crate::clients::Client;
use crate::pushes::Message;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tokio::runtime::Handle;

/// Those that are to be woken. Whoever sends something calls [`Wakes::flush`] before it waits for anything.
#[derive(Debug, Default)]
pub struct Wakes {
    any: AtomicBool,
    clients: Arc<Mutex<Vec<Arc<Client>>>>,
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

    /// Sees to it that all who are to be woken are: when the tasks that are ready on this I/O thread have run.
    #[inline]
    pub fn flush(&self) {
        if self.any.load(Relaxed) && self.any.swap(false, Relaxed) {
            self.wake_soon();
        }
    }

    fn wake_soon(&self) {
        let clients = self.clients.clone();
        let wake_all = move || {
            let clients = std::mem::take(&mut *clients.lock());
            clients.iter().for_each(|client| client.wake());
        };
        match Handle::try_current() {
            Ok(thread) => drop(thread.spawn(async move {
                // What yields goes on after everybody else who is ready.
                tokio::task::yield_now().await;
                wake_all();
            })),
            Err(_) => wake_all(),
        }
    }
}
