//! A connection: reads requests, runs them in batches, writes the replies.
//!
//! There is one loop for every client, over TCP and Unix sockets alike. It parses what has arrived, runs it
//! ([`run`]), and writes all replies with one call, before it waits for more. Reading goes on while replies wait to
//! be sent, so that a client may send any number of requests before it reads.

mod batch;
mod blocked;
mod buffers;
mod debugged;
mod dependence;
mod general;
mod launch;
mod run;
mod session;

pub use dependence::last_record;
pub use launch::launch;
pub use session::{ReplyMode, Session};

use crate::clients::Client;
use crate::config::Settings;
use crate::persistence::Place;
use crate::server::{Server, engine_settings};
use batch::{Batch, BatchMemory, REQUESTS_MAX};
use buffers::{Buffers, KEEP_LEN};
use launch::Registration;
use moonshard_protocol::{Limits, Reply};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Bytes by which a read buffer grows, at least.
const READ_LEN: usize = 16 * 1024;
/// While this many bytes of replies wait to be sent, no further request is read or run.
const UNSENT_PAUSE: usize = 64 << 20;

/// What a wait ended with.
enum Wake {
    /// Bytes arrived.
    Read,
    /// The peer has gone, or the connection failed.
    Closed,
    /// Somebody wants something of this connection: see [`Client::has_news`].
    News,
    /// Everything is sent.
    Flushed,
    /// What the client waited for did not come in time.
    TimedOut,
}

/// What a connection is waiting for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Requests,
    Flush,
    /// The end of a wait for a key; requests may arrive, but wait as well.
    Key,
    /// What goes to and fro between the client and the debugger of its script.
    Debugger,
}

/// How serving a connection ended.
pub enum End<S> {
    /// For good.
    Closed,
    /// On this I/O thread: it is to live on another.
    Moving(Box<Connection<S>>),
}

/// One client's connection over a stream.
pub struct Connection<S> {
    server: Arc<Server>,
    stream: S,
    session: Session,
    /// The configuration as of `generation`, and the engine's part of it.
    settings: Arc<Settings>,
    engine: Arc<moonshard_engine::Settings>,
    generation: u64,
    /// Microseconds of the batch's moment beyond its milliseconds.
    micros: u16,
    /// What was read, and what it takes to run it; `None` while the connection is idle.
    buffers: Option<Box<Buffers>>,
    reply: Reply,
    /// Bytes of the reply buffer that were sent.
    sent: usize,
    /// Whether the read buffer may hold requests that were not run because too many replies wait.
    backlog: bool,
    /// Whether what was pushed waits for more of it, until the other ready tasks of this thread have run.
    gathering: bool,
    /// Whether replies that wait for the log have let the other ready tasks of this thread run first.
    lingering: bool,
    waker: Option<Waker>,
    /// When the wait for a key is given up.
    deadline: Option<Pin<Box<Sleep>>>,
    registration: Registration,
}

impl<S> Connection<S> {
    /// A connection over an accepted stream.
    fn new(server: Arc<Server>, stream: S, client: Arc<Client>, registration: Registration) -> Self {
        let generation = server.config.generation();
        let settings = server.config.load_full();
        let engine = Arc::new(engine_settings(&settings, server.seed));
        let session = Session::new(client, &server.acl);
        let reply = Reply::new(session.protocol);
        Self {
            server,
            stream,
            session,
            settings,
            engine,
            generation,
            micros: 0,
            buffers: None,
            reply,
            sent: 0,
            backlog: false,
            gathering: false,
            lingering: false,
            waker: None,
            deadline: None,
            registration,
        }
    }

    /// The same connection over what `change` makes of its stream.
    fn with_stream<T>(self, change: impl FnOnce(S) -> io::Result<T>) -> io::Result<Connection<T>> {
        Ok(Connection {
            stream: change(self.stream)?,
            server: self.server,
            session: self.session,
            settings: self.settings,
            engine: self.engine,
            generation: self.generation,
            micros: self.micros,
            buffers: self.buffers,
            reply: self.reply,
            sent: self.sent,
            backlog: self.backlog,
            gathering: false,
            lingering: false,
            waker: None,
            // A timer belongs to its event loop: the wait goes on with a new one.
            deadline: None,
            registration: self.registration,
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Serves the client until one side ends it, or it is dealt to another I/O thread than this one, `thread`.
    async fn serve(mut self, thread: usize) -> End<S> {
        loop {
            let want = match () {
                () if self.session.closing => Want::Flush,
                () if self.session.waiter.is_some() => Want::Key,
                () if self.session.debugger.is_some() => Want::Debugger,
                () => Want::Requests,
            };
            match self.wait(want).await {
                Wake::Read if matches!(want, Want::Key | Want::Debugger) => {}
                Wake::Read => self.process().await,
                Wake::TimedOut => self.time_out(),
                Wake::News if self.session.client.is_killed() => {
                    if self.session.client.is_flooded() {
                        self.server.note_output_overrun(&self.session.client);
                    }
                    break;
                }
                Wake::News => {
                    // A reply that was waited for goes before what has changed since.
                    self.go_on_waiting().await;
                    self.session.client.take_pushes(self.reply.buffer_mut());
                    self.session.dependence.note_seen(&self.server.persistence.log);
                    self.hear_debugger();
                }
                Wake::Closed | Wake::Flushed => break,
            }
            self.feed_debugger();
            self.publish();
            if self.over_limits() {
                break;
            }
            if self.session.client.io_thread.load(Relaxed) != thread {
                return End::Moving(Box::new(self));
            }
        }
        if let Some(waiter) = self.session.waiter.take() {
            waiter.leave(&self.server);
        }
        if let Some(link) = self.session.debugger.take() {
            link.hang_up();
        }
        self.session.end_transaction(&self.server);
        self.session.subscriptions.clear(&self.server.pubsub, &self.session.client);
        self.server.untrack(&self.session.client);
        End::Closed
    }

    /// Runs every complete request of the read buffer.
    async fn process(&mut self) {
        self.backlog = false;
        let Some(mut buffers) = self.buffers.take() else { return };
        self.session.client.query_buffer.store(buffers.input.len() as u64, Relaxed);
        loop {
            let Buffers { input, parser, memory, .. } = &mut *buffers;
            let limits = Limits {
                bulk_len_max: self.settings.proto_max_bulk_len,
                unauthenticated: !self.session.authenticated,
            };
            // A client may authenticate itself by any request, and the next is then read with other limits.
            let requests_max = if self.session.authenticated { REQUESTS_MAX } else { 1 };
            let parsed = parser.parse(input, requests_max, limits);
            let found = parser.len();
            if found > 0 {
                let batch = Batch::new(memory, parser, input, &self.server);
                let ran = self.run_batch(&batch).await;
                let args = batch.into_args();
                if self.session.is_held_up() && !self.session.closing {
                    memory.take_back(args);
                    let consumed = parser.consume_first(ran);
                    buffers.drop_input(consumed);
                    break;
                }
                if parser.consumed() <= KEEP_LEN {
                    memory.take_back(args);
                } else {
                    // A large batch may have had many arguments, and would keep the room for them.
                    *memory = BatchMemory::default();
                }
            }
            let consumed = parser.consumed();
            parser.consume();
            buffers.drop_input(consumed);
            if self.session.closing {
                break;
            }
            if let Err(error) = parsed {
                self.reply.set_encoding(self.session.protocol);
                self.reply.error(&error.reply());
                self.session.closing = true;
                break;
            }
            if found < requests_max {
                break;
            }
            if self.unsent() > UNSENT_PAUSE {
                self.backlog = true;
                break;
            }
        }
        self.buffers = Some(buffers);
    }

    /// What has arrived and was not run.
    fn input(&self) -> &[u8] {
        self.buffers.as_ref().map_or(&[], |buffers| &buffers.input)
    }

    /// Sends what waits to be sent and reads what has arrived; ends with the first thing to do.
    async fn wait(&mut self, want: Want) -> Wake {
        poll_fn(|cx| self.poll_wait(cx, want)).await
    }

    fn poll_wait(&mut self, cx: &mut Context<'_>, want: Want) -> Poll<Wake> {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.session.client.register(cx.waker());
            self.waker = Some(cx.waker().clone());
            self.session.dependence.move_away();
            self.session.walk_place = Place::default();
        }
        if self.session.client.has_news() {
            if !self.gathering && self.session.client.only_has_pushes() {
                // Those who are about to run may have more to say: all of it is sent with one call.
                self.gathering = true;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.gathering = false;
            return Poll::Ready(Wake::News);
        }
        if want == Want::Key && self.poll_deadline(cx).is_ready() {
            return Poll::Ready(Wake::TimedOut);
        }
        if self.session.awaits_walk > 0 {
            let session = &mut self.session;
            let walk = &self.server.persistence.walk;
            if walk.poll_rounds(session.awaits_walk, &mut session.walk_place, cx).is_pending() {
                return Poll::Pending;
            }
            self.session.awaits_walk = 0;
        }
        if self.session.dependence.is_any() {
            let log = &self.server.persistence.log;
            if !self.session.dependence.is_met(log) {
                // Nothing more is read either, or a client that never stops would move the end of the wait away.
                if !std::mem::replace(&mut self.lingering, true) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                self.server.hasten_log();
                if self.session.dependence.poll(log, cx).is_pending() {
                    return Poll::Pending;
                }
            }
            self.session.dependence.clear();
            self.lingering = false;
        }
        match self.poll_send(cx) {
            Poll::Ready(Err(_)) => return Poll::Ready(Wake::Closed),
            Poll::Ready(Ok(())) if want == Want::Flush => return Poll::Ready(Wake::Flushed),
            Poll::Ready(Ok(())) => {}
            Poll::Pending if want == Want::Flush || self.unsent() > UNSENT_PAUSE => return Poll::Pending,
            Poll::Pending => {}
        }
        if want == Want::Key && self.input().len() > KEEP_LEN {
            // Enough has arrived to go on with.
            return Poll::Pending;
        }
        if self.backlog && want == Want::Requests {
            return Poll::Ready(Wake::Read);
        }
        self.poll_receive(cx)
    }

    fn unsent(&self) -> usize {
        self.reply.len() - self.sent
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unsent() > 0 {
            let bytes = &self.reply.as_bytes()[self.sent..];
            let Poll::Ready(sent) = Pin::new(&mut self.stream).poll_write(cx, bytes) else {
                self.drop_sent();
                return Poll::Pending;
            };
            let sent = sent?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.sent += sent;
            self.server.stats.output_bytes.fetch_add(sent as u64, Relaxed);
            self.server.stats.writes.fetch_add(1, Relaxed);
            self.session.client.output_buffer.store(self.unsent() as u64, Relaxed);
            self.session.client.note_progress(&self.settings);
        }
        let buffer = self.reply.buffer_mut();
        buffer.clear();
        self.sent = 0;
        if buffer.capacity() > KEEP_LEN {
            *buffer = Vec::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Drops what was sent once it is the larger part, so that a client that reads, but never all, does not make the
    /// buffer grow.
    fn drop_sent(&mut self) {
        if self.sent > KEEP_LEN && self.sent > self.unsent() {
            self.reply.buffer_mut().drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Takes buffers, on the way to having something to do.
    fn take_buffers(&mut self) -> Box<Buffers> {
        let mut buffers = Buffers::take();
        if self.reply.capacity() == 0 {
            std::mem::swap(self.reply.buffer_mut(), &mut buffers.output);
        }
        buffers
    }

    /// Leaves the buffers with the I/O thread, if nothing is in them.
    fn leave_buffers(&mut self) {
        let idle = |buffers: &mut Box<Buffers>| buffers.input.is_empty();
        if self.reply.is_empty()
            && let Some(mut buffers) = self.buffers.take_if(idle)
        {
            buffers.output = std::mem::take(self.reply.buffer_mut());
            buffers.leave();
            self.session.client.query_buffer_free.store(0, Relaxed);
            self.session.client.reply_buffer.store(0, Relaxed);
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        let buffers = match self.buffers.take() {
            Some(buffers) => buffers,
            None => self.take_buffers(),
        };
        let Buffers { input, parser, .. } = &mut **self.buffers.insert(buffers);
        // A large argument gets its room at once, in steps that its sender has to earn.
        let missing = parser.missing(input.len()).min(input.len().max(READ_LEN));
        input.reserve(missing.max(READ_LEN));
        let mut buf = ReadBuf::uninit(input.spare_capacity_mut());
        let Poll::Ready(outcome) = Pin::new(&mut self.stream).poll_read(cx, &mut buf) else {
            self.leave_buffers();
            return Poll::Pending;
        };
        let read = buf.filled().len();
        if outcome.is_err() || read == 0 {
            return Poll::Ready(Wake::Closed);
        }
        // SAFETY: `read` bytes of the spare capacity were filled, as `ReadBuf` tracks.
        unsafe { input.set_len(input.len() + read) };
        self.server.stats.input_bytes.fetch_add(read as u64, Relaxed);
        self.server.stats.reads.fetch_add(1, Relaxed);
        Poll::Ready(Wake::Read)
    }

    /// Whether the client has exceeded a limit on what the server keeps for it.
    fn over_limits(&self) -> bool {
        if self.input().len() > self.settings.client_query_buffer_limit {
            self.server.stats.query_buffer_disconnections.fetch_add(1, Relaxed);
            tracing::warn!(
                client = self.session.client.addr,
                "closing client that reached max query buffer length"
            );
            return true;
        }
        let client = &self.session.client;
        let overrun = client.exceeds_output_limit(&self.settings)
            || (!self.session.authenticated && client.exceeds_unauthenticated_limit());
        if overrun {
            self.server.note_output_overrun(client);
        }
        overrun
    }

    /// Shows the connection's state to others.
    fn publish(&self) {
        let client = &self.session.client;
        let (used, capacity) =
            self.buffers.as_ref().map_or((0, 0), |buffers| (buffers.input.len(), buffers.input.capacity()));
        client.query_buffer.store(used as u64, Relaxed);
        client.query_buffer_free.store((capacity - used) as u64, Relaxed);
        client.output_buffer.store(self.unsent() as u64, Relaxed);
        client.reply_buffer.store(self.reply.capacity() as u64, Relaxed);
    }

    /// Takes over a changed configuration, and what has changed about the client's user.
    fn refresh_settings(&mut self) {
        self.session.refresh_user(&self.server.acl);
        let generation = self.server.config.generation();
        if generation != self.generation {
            self.generation = generation;
            self.settings = self.server.config.load_full();
            self.engine = Arc::new(engine_settings(&self.settings, self.server.seed));
        }
    }
}
