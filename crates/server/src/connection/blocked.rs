//! A connection whose client waits for a key.

use super::{Connection, ReplyMode, Session};
use crate::clients::{WaitNews, flag};
use crate::effects::{Moment, Waiter};
use crate::server::{Server, unix_ms};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_engine::{Args, Wait};
use moonshard_lock::lock_all;
use std::future::Future;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// A timer's longest run; a wait that is longer begins it anew.
const TIMER_MAX: Duration = Duration::from_secs(24 * 3600);

/// How long to leave a shard alone on which a script is busy.
const BUSY_PAUSE: Duration = Duration::from_millis(10);

impl Session {
    /// Begins to wait for keys, all of whose shards are locked.
    pub fn wait_for(&mut self, server: &Server, wait: Wait) {
        self.wait_until_ms = wait.timeout_ms.map(|timeout_ms| unix_ms().saturating_add(timeout_ms));
        self.waiter = Some(Waiter::enter(server, self.client.clone(), self.db, self.protocol, wait));
        self.client.set_flag(flag::BLOCKED, true);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Ready once the client has waited long enough.
    pub(super) fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until_ms) = self.session.wait_until_ms else { return Poll::Pending };
        loop {
            let left = Duration::from_millis(until_ms.saturating_sub(unix_ms()));
            if left.is_zero() {
                return Poll::Ready(());
            }
            let timer =
                self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(left.min(TIMER_MAX))));
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.deadline = None;
        }
    }

    /// Gives the wait up, unless the client has been served in this moment.
    pub(super) fn time_out(&mut self) {
        if let Some(waiter) = &self.session.waiter {
            waiter.release(None);
            self.end_wait();
        }
    }

    /// Looks what is new about the wait: it may be over, or a key may be ready.
    pub(super) async fn go_on_waiting(&mut self) {
        // Taken although nothing may be waited for any more: else it would be news for ever.
        let news = self.session.client.take_wait_news();
        let Some(waiter) = self.session.waiter.clone() else { return };
        match news {
            WaitNews::None => {}
            WaitNews::Over => self.end_wait(),
            WaitNews::Retry => {
                self.retry(&waiter).await;
                if waiter.is_over() {
                    self.session.client.take_wait_news();
                    self.end_wait();
                }
            }
        }
    }

    /// Locks every shard that the waiting call may need, and tries to serve it.
    async fn retry(&mut self, waiter: &Waiter) {
        let server = self.server.clone();
        let mut shards = Vec::new();
        for key in &waiter.wait().keys {
            shards.push(shard_of_slot(slot(&key.key), server.shards.len()));
            if let Some((entry, args)) = waiter.call_of(&key.key) {
                shards.extend(server.shards_of(entry, Args::new(&args)));
            }
        }
        shards.sort_unstable();
        shards.dedup();
        let Ok(mut guards) = lock_all(&server.shards, &shards).await else {
            // A script is busy on one of them.
            tokio::time::sleep(BUSY_PAUSE).await;
            return waiter.client().retry_wait();
        };
        let moment = Moment { now_ms: unix_ms(), settings: &self.engine, origin: self.session.client.id };
        server.serve_waiter(waiter, &mut guards, moment);
        server.settle_all(&mut guards, moment);
        drop(guards);
        server.deliver();
    }

    /// Answers a wait that is over, and goes on with the requests that came meanwhile.
    fn end_wait(&mut self) {
        let Some(waiter) = self.session.waiter.take() else { return };
        if let Some(bytes) = waiter.leave(&self.server)
            && self.session.reply_mode == ReplyMode::On
        {
            self.reply.buffer_mut().extend_from_slice(&bytes);
            self.session.dependence.note_last(&self.server.persistence.log);
        }
        self.deadline = None;
        self.session.wait_until_ms = None;
        self.session.client.set_flag(flag::BLOCKED, false);
        self.session.client.last_interaction_ms.store(unix_ms(), Relaxed);
        self.backlog = !self.input().is_empty();
    }
}
