//! The clients of the server: what others may know of a connection and ask of it.

use crate::effects::Waiter;
use crate::pushes::{Message, Pushed, Pushes};
use moonshard_engine::Error;
use moonshard_engine::acl::User;
use moonshard_engine::command::CommandId;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::Waker;

/// How a client is named, as CLIENT LIST shows it.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// `CLIENT SETNAME`.
    pub name: Vec<u8>,
    /// `CLIENT SETINFO LIB-NAME`.
    pub lib_name: Vec<u8>,
    /// `CLIENT SETINFO LIB-VER`.
    pub lib_ver: Vec<u8>,
    /// The user it authenticated as.
    pub user: Vec<u8>,
}

/// One-letter states of a client, as CLIENT LIST's `flags` shows them.
pub mod flag {
    /// Shows every command (`O`).
    pub const MONITOR: u32 = 1 << 0;
    /// Connected over a Unix socket (`U`).
    pub const UNIX_SOCKET: u32 = 1 << 1;
    /// Closed once its replies are written (`c`).
    pub const CLOSE_AFTER_REPLY: u32 = 1 << 2;
    /// Not evicted for memory (`e`).
    pub const NO_EVICT: u32 = 1 << 3;
    /// Does not touch keys' access time (`T`).
    pub const NO_TOUCH: u32 = 1 << 4;
    /// READONLY was sent (`r`).
    pub const READONLY: u32 = 1 << 5;
    /// Waits for a shard or another thing (`b`).
    pub const BLOCKED: u32 = 1 << 6;
    /// Has subscribed to something (`P`).
    pub const PUBSUB: u32 = 1 << 7;
    /// Between MULTI and EXEC (`x`).
    pub const MULTI: u32 = 1 << 8;
    /// Is told when keys change that it has read (`t`).
    pub const TRACKING: u32 = 1 << 9;
    /// The client to which it redirected that has gone (`R`).
    pub const BROKEN_REDIRECT: u32 = 1 << 10;
    /// Is told of all keys that begin with its prefixes (`B`).
    pub const BROADCAST: u32 = 1 << 11;
    /// Is told only of what it read right after `CLIENT CACHING YES`; not shown.
    pub const OPT_IN: u32 = 1 << 12;
    /// Is not told of what it read right after `CLIENT CACHING NO`; not shown.
    pub const OPT_OUT: u32 = 1 << 13;
    /// `CLIENT CACHING` was sent for the next command; not shown.
    pub const CACHING: u32 = 1 << 14;
    /// Is not told of its own changes; not shown.
    pub const NO_LOOP: u32 = 1 << 15;
}

/// What a client that CLIENT UNBLOCK releases with an error is answered.
pub const UNBLOCKED: Error = Error::fixed("UNBLOCKED client unblocked via CLIENT UNBLOCK");

/// What is new about a client's wait for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WaitNews {
    /// Nothing.
    None,
    /// A key may be ready, and the client's own task is to look.
    Retry,
    /// It is over.
    Over,
}

/// What a connection shows to others. The connection itself writes the numbers, once a batch.
#[derive(Debug)]
pub struct Client {
    /// Its number, from 1, never used again.
    pub id: u64,
    /// The peer, as `ip:port`, or the socket's path and `:0`.
    pub addr: String,
    /// Our side, likewise.
    pub laddr: String,
    /// Our side's address as the client sees it, for a cluster view that announces nothing else.
    pub local_ip: Option<std::net::SocketAddr>,
    /// The socket's file descriptor, for display.
    pub fd: i32,
    /// Unix time in milliseconds of the accept.
    pub created_ms: u64,
    /// Unix time in milliseconds of the last batch.
    pub last_interaction_ms: AtomicU64,
    /// The I/O thread that the connection is dealt to.
    pub io_thread: AtomicUsize,
    /// Selected database.
    pub db: AtomicU32,
    /// See [`flag`].
    pub flags: AtomicU32,
    /// Protocol version, 2 or 3.
    pub resp: AtomicU8,
    /// The last command's id plus one; 0 before the first.
    pub last_command: AtomicU32,
    /// Bytes that wait in the read buffer.
    pub query_buffer: AtomicU64,
    /// Capacity of the read buffer that is free.
    pub query_buffer_free: AtomicU64,
    /// Bytes that wait to be sent.
    pub output_buffer: AtomicU64,
    /// Capacity of the reply buffer.
    pub reply_buffer: AtomicU64,
    /// Unix time in milliseconds since when more waits to be sent than the soft limit allows; 0 while it does not.
    pub over_soft_limit_since_ms: AtomicU64,
    /// Requests queued since MULTI, and the bytes they take.
    pub queued: (AtomicU32, AtomicU64),
    /// Keys watched for the next EXEC.
    pub watched: AtomicU32,
    /// What it waits for, if it does.
    pub waiter: Mutex<Option<Arc<Waiter>>>,
    /// Channels, patterns and channels of slots that it has subscribed to.
    pub subscriptions: [AtomicU32; 3],
    /// The number of the user that it is logged in as.
    pub user_serial: AtomicU64,
    /// The client that is told in its place when keys change; 0 for none.
    pub redirect: AtomicU64,
    /// Names.
    pub names: Mutex<Names>,
    killed: AtomicBool,
    unblocked: AtomicU8,
    wait_news: AtomicU8,
    debugger_news: AtomicBool,
    pushes: Pushes,
    flooded: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Client {
    /// The client of a new connection.
    pub fn new(id: u64, addr: String, laddr: String, fd: i32, now_ms: u64) -> Self {
        Self {
            id,
            addr,
            laddr,
            local_ip: None,
            fd,
            created_ms: now_ms,
            last_interaction_ms: AtomicU64::new(now_ms),
            io_thread: AtomicUsize::new(0),
            db: AtomicU32::new(0),
            flags: AtomicU32::new(0),
            resp: AtomicU8::new(2),
            last_command: AtomicU32::new(0),
            query_buffer: AtomicU64::new(0),
            query_buffer_free: AtomicU64::new(0),
            output_buffer: AtomicU64::new(0),
            reply_buffer: AtomicU64::new(0),
            over_soft_limit_since_ms: AtomicU64::new(0),
            queued: (AtomicU32::new(0), AtomicU64::new(0)),
            watched: AtomicU32::new(0),
            waiter: Mutex::new(None),
            user_serial: AtomicU64::new(0),
            names: Mutex::new(Names { user: User::DEFAULT.to_vec(), ..Names::default() }),
            killed: AtomicBool::new(false),
            unblocked: AtomicU8::new(0),
            wait_news: AtomicU8::new(WaitNews::None as u8),
            debugger_news: AtomicBool::new(false),
            subscriptions: Default::default(),
            redirect: AtomicU64::new(0),
            pushes: Pushes::default(),
            flooded: AtomicBool::new(false),
            waker: Mutex::new(None),
        }
    }

    /// Sets or clears a [`flag`].
    pub fn set_flag(&self, flag: u32, on: bool) {
        if on {
            self.flags.fetch_or(flag, Relaxed);
        } else {
            self.flags.fetch_and(!flag, Relaxed);
        }
    }

    /// Whether a [`flag`] is set.
    pub fn has_flag(&self, flag: u32) -> bool {
        self.flags.load(Relaxed) & flag != 0
    }

    /// Notes the last command.
    pub fn note_command(&self, id: CommandId) {
        self.last_command.store(u32::from(id) + 1, Relaxed);
    }

    /// Ends the connection as soon as its task runs.
    pub fn kill(&self) {
        self.killed.store(true, Relaxed);
        self.wake();
    }

    /// Whether somebody ended the connection.
    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Adds a message to be sent between replies. A client that does not come to take more than
    /// [`PUSHES_MAX`](crate::pushes::PUSHES_MAX) bytes is closed. Returns whether the client has to be woken for it.
    pub fn add_message(&self, message: &Message) -> bool {
        let first = if self.resp.load(Relaxed) == 3 { b'>' } else { b'*' };
        !self.is_killed() && self.has_to_wake(self.pushes.add_message(first, message))
    }

    /// The same for what must come after every reply that is there already; the bytes are encoded.
    pub fn add_invalidation(&self, bytes: &[u8]) -> bool {
        !self.is_killed() && self.has_to_wake(self.pushes.add_invalidation(bytes))
    }

    /// Sends a status line between replies.
    pub fn push_status(&self, line: &Message) {
        if !self.is_killed() && self.has_to_wake(self.pushes.add_message(b'+', line)) {
            self.wake();
        }
    }

    fn has_to_wake(&self, pushed: Pushed) -> bool {
        if pushed == Pushed::TooMuch {
            self.flooded.store(true, Relaxed);
            self.kill();
        }
        pushed == Pushed::First
    }

    /// Whether it was closed because it did not take what was pushed.
    pub fn is_flooded(&self) -> bool {
        self.flooded.load(Relaxed)
    }

    /// Bytes that wait to be sent: replies and pushes.
    pub fn unsent(&self) -> u64 {
        self.output_buffer.load(Relaxed) + self.pushes.len()
    }

    /// Takes what was pushed: what may go before a reply, and what must follow those that are there.
    pub fn split_pushes(&self, before: &mut Vec<u8>, after: &mut Vec<u8>) {
        self.pushes.take(before, after);
    }

    /// Appends what was pushed and not yet taken.
    pub fn take_pushes(&self, into: &mut Vec<u8>) {
        let mut after = Vec::new();
        self.pushes.take(into, &mut after);
        into.extend_from_slice(&after);
    }

    /// Whether the connection's task has something to do besides reading.
    pub fn has_news(&self) -> bool {
        self.is_killed()
            || self.pushes.any()
            || self.wait_news.load(Relaxed) > 0
            || self.debugger_news.load(Relaxed)
    }

    /// Tells the connection's task that the debugger of its script has something to say.
    pub fn note_debugger(&self) {
        self.debugger_news.store(true, Relaxed);
        self.wake();
    }

    /// Whether the debugger has had something to say since the last call.
    pub fn take_debugger_news(&self) -> bool {
        self.debugger_news.swap(false, Relaxed)
    }

    /// Whether nothing but what was pushed is to be done.
    pub fn only_has_pushes(&self) -> bool {
        !self.is_killed() && self.wait_news.load(Relaxed) == WaitNews::None as u8
    }

    /// Tells the connection's task that its wait is over.
    pub fn wake_served(&self) {
        self.wait_news.store(WaitNews::Over as u8, Relaxed);
        self.wake();
    }

    /// Tells the connection's task that a key it waits for is ready, but not all shards that it needs were free.
    pub fn retry_wait(&self) {
        // That the wait is over is not to be forgotten for it.
        let _ =
            self.wait_news.compare_exchange(WaitNews::None as u8, WaitNews::Retry as u8, Relaxed, Relaxed);
        self.wake();
    }

    /// What is new about the client's wait since the last call.
    pub fn take_wait_news(&self) -> WaitNews {
        match self.wait_news.swap(WaitNews::None as u8, Relaxed) {
            news if news == WaitNews::Over as u8 => WaitNews::Over,
            news if news == WaitNews::Retry as u8 => WaitNews::Retry,
            _ => WaitNews::None,
        }
    }

    /// Remembers whom to wake; the task calls it once, and again only when its waker changed.
    pub fn register(&self, waker: &Waker) {
        *self.waker.lock() = Some(waker.clone());
    }

    /// Makes the connection's task run.
    pub fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }

    /// Marks a blocked client as released by CLIENT UNBLOCK, with an error or as if it timed out.
    pub fn unblock(&self, with_error: bool) -> bool {
        if let Some(waiter) = self.waiter.lock().clone() {
            return waiter.release(with_error.then_some(&UNBLOCKED));
        }
        if !self.has_flag(flag::BLOCKED) {
            return false;
        }
        self.unblocked.store(if with_error { 2 } else { 1 }, Relaxed);
        self.wake();
        true
    }

    /// Whether CLIENT UNBLOCK has released the client since it blocked, and if so whether with an error.
    pub fn take_unblocked(&self) -> Option<bool> {
        match self.unblocked.swap(0, Relaxed) {
            0 => None,
            how => Some(how == 2),
        }
    }
}

/// All clients by id.
#[derive(Debug, Default)]
pub struct Clients {
    by_id: Mutex<BTreeMap<u64, Arc<Client>>>,
    last_id: AtomicU64,
}

impl Clients {
    /// A number for a new client.
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Relaxed) + 1
    }

    /// Adds a client.
    pub fn add(&self, client: Arc<Client>) {
        self.by_id.lock().insert(client.id, client);
    }

    /// Removes a client.
    pub fn remove(&self, id: u64) {
        self.by_id.lock().remove(&id);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.lock().len()
    }

    /// The client of this id.
    pub fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.by_id.lock().get(&id).cloned()
    }

    /// All of them, by ascending id.
    pub fn all(&self) -> Vec<Arc<Client>> {
        self.by_id.lock().values().cloned().collect()
    }
}
