//! Clients that wait for a key: BLPOP and its kin.

use crate::clients::Client;
use crate::server::Server;
use moonshard_engine::command::{CommandTable, Entry};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, Error, Wait};
use moonshard_protocol::{Encoding, Reply};
use parking_lot::Mutex;
use std::sync::Arc;

/// How a wait stands.
#[derive(Debug)]
enum State {
    Waiting,
    /// Over, with these bytes for the client, who has not taken them yet.
    Served(Vec<u8>),
    Over,
}

/// A client that waits, and for what.
#[derive(Debug)]
pub struct Waiter {
    client: Arc<Client>,
    /// The database of its keys.
    pub db: usize,
    encoding: Encoding,
    wait: Wait,
    state: Mutex<State>,
}

/// What an attempt to serve a waiting client came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It has its reply.
    Served,
    /// It goes on waiting.
    NotYet,
    /// It does not wait any more.
    Over,
}

impl Waiter {
    /// A client that begins to wait for keys of database `db`, all of whose shards are locked.
    pub fn enter(
        server: &Server,
        client: Arc<Client>,
        db: usize,
        encoding: Encoding,
        wait: Wait,
    ) -> Arc<Self> {
        let waiter = Arc::new(Self { client, db, encoding, wait, state: Mutex::new(State::Waiting) });
        for (at, key) in waiter.wait.keys.iter().enumerate() {
            // A key that is named twice is waited for once.
            if waiter.wait.keys[..at].iter().all(|before| before.key != key.key) {
                let shard = shard_of_slot(slot(&key.key), server.shards.len());
                server.shards[shard].waits.add(db, &key.key, waiter.clone());
            }
        }
        *waiter.client.waiter.lock() = Some(waiter.clone());
        waiter
    }

    /// What it waits for.
    pub const fn wait(&self) -> &Wait {
        &self.wait
    }

    /// Who waits.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Takes the waiter out of all tables and takes its reply, if it has one. Returns whether it was served.
    pub fn leave(self: &Arc<Self>, server: &Server) -> Option<Vec<u8>> {
        for key in &self.wait.keys {
            let shard = shard_of_slot(slot(&key.key), server.shards.len());
            server.shards[shard].waits.remove(self.db, &key.key, |other| Arc::ptr_eq(other, self));
        }
        *self.client.waiter.lock() = None;
        match std::mem::replace(&mut *self.state.lock(), State::Over) {
            State::Served(bytes) => Some(bytes),
            State::Waiting | State::Over => None,
        }
    }

    /// Whether the wait is over.
    pub fn is_over(&self) -> bool {
        !matches!(*self.state.lock(), State::Waiting)
    }

    /// Ends the wait with the reply to a timeout or an error. Returns whether it still waited.
    pub fn release(&self, error: Option<&Error>) -> bool {
        let mut state = self.state.lock();
        if !matches!(*state, State::Waiting) {
            return false;
        }
        let mut reply = Reply::new(self.encoding);
        match error {
            Some(error) => error.write(&mut reply),
            None => reply.null_array(),
        }
        *state = State::Served(reply.into_bytes());
        self.client.wake_served();
        true
    }

    /// The call that serves it by `key`.
    pub fn call_of(&self, key: &[u8]) -> Option<(&'static Entry, Vec<&[u8]>)> {
        let call = &self.wait.keys.iter().find(|waited| *waited.key == *key)?.call;
        let args: Vec<&[u8]> = call.iter().map(|arg| &**arg).collect();
        let entry = CommandTable::get().resolve(Args::new(&args)).ok()?;
        Some((entry, args))
    }

    /// Serves it by what `run` writes, unless it has gone or `run` finds that it cannot be served.
    pub(super) fn serve(&self, run: impl FnOnce(&mut Reply) -> bool) -> Attempt {
        // Held while the command runs: who leaves in this moment either gets the element or leaves it.
        let mut state = self.state.lock();
        if !matches!(*state, State::Waiting) {
            return Attempt::Over;
        }
        let mut reply = Reply::new(self.encoding);
        if !run(&mut reply) {
            return Attempt::NotYet;
        }
        *state = State::Served(reply.into_bytes());
        self.client.wake_served();
        Attempt::Served
    }
}
