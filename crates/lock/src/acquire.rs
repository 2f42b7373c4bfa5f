//! The future that waits for one lock.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::lock::{Entry, Guard, ShardLock};
use crate::queue::{Busy, Patience, Standing, Ticket};

/// Waits for a lock; see [`ShardLock::lock`].
///
/// Dropped before it resolved, it leaves the queue; if the lock had just been handed to it, the lock goes on to the
/// next. Polled after it resolved, it asks for the lock anew.
#[must_use = "a future does nothing unless it is polled"]
#[derive(Debug)]
pub struct Acquire<'a, T> {
    lock: &'a ShardLock<T>,
    patience: Patience,
    ticket: Option<Ticket>,
}

impl<'a, T> Acquire<'a, T> {
    #[inline]
    pub(crate) fn new(lock: &'a ShardLock<T>, patience: Patience) -> Self {
        Self { lock, patience, ticket: None }
    }
}

impl<'a, T> Future for Acquire<'a, T> {
    type Output = Result<Guard<'a, T>, Busy>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let lock = self.lock;
        let Some(ticket) = self.ticket else {
            if let Some(guard) = lock.try_lock_for_spin() {
                return Poll::Ready(Ok(guard));
            }
            return match lock.enter(self.patience, cx.waker().clone()) {
                Entry::Locked => Poll::Ready(Ok(lock.guard())),
                Entry::Busy => Poll::Ready(Err(Busy)),
                Entry::Queued(ticket) => {
                    self.ticket = Some(ticket);
                    Poll::Pending
                }
            };
        };
        match lock.standing(ticket, cx.waker()) {
            Standing::Waiting { .. } => Poll::Pending,
            Standing::Served => {
                self.ticket = None;
                Poll::Ready(Ok(lock.guard()))
            }
            Standing::Refused => {
                self.ticket = None;
                Poll::Ready(Err(Busy))
            }
        }
    }
}

impl<T> Drop for Acquire<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.lock.leave(ticket);
        }
    }
}
