//! Who waits for a lock, in order of arrival.

use std::collections::VecDeque;
use std::fmt;
use std::task::Waker;

use crate::sync::OVERTAKEN_MAX;

/// Whether a waiter gives up when the holder refuses waiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Gets [`Busy`] while the holder refuses waiters.
    Refusable,
    /// Waits until it is served, whatever the holder says.
    Patient,
}

/// The lock's holder will be long and refuses waiters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shard is busy")
    }
}

impl std::error::Error for Busy {}

/// Names one waiter of one lock; a later waiter has a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// A place in the queue.
pub(crate) struct Waiter {
    ticket: Ticket,
    patience: Patience,
    /// `None` once it was woken, until it has looked how it stands.
    waker: Option<Waker>,
    /// How often it was woken and found the lock taken by somebody who had come later.
    overtaken: u32,
}

impl Waiter {
    /// The waker, to be used (or dropped) after the queue's mutex was released: it may run foreign code.
    pub(crate) fn into_waker(self) -> Option<Waker> {
        self.waker
    }
}

/// What becomes of a lock that its owner gives up.
pub(crate) enum Passed {
    /// Nobody waits for it.
    Nobody,
    /// It becomes free. The head of the queue is woken, unless it was already, and may take it.
    Offered(Option<Waker>),
    /// It belongs to the head of the queue, which is woken.
    Handed(Option<Waker>),
}

/// What a waiter finds about its ticket.
pub(crate) enum Standing {
    /// The lock was handed to it: it is the owner from now on.
    Served,
    /// It still waits. Holds the waker that the new one replaced, to be dropped outside the mutex.
    Waiting { _replaced: Option<Waker> },
    /// It was sent away.
    Refused,
}

/// The waiters of one lock. A ticket is in `waiting`, or it is `handed_to`, or its waiter was refused or has left.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Waiter>,
    /// The waiter that owns the lock and has not yet noticed.
    handed_to: Option<Ticket>,
    next_ticket: u64,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Appends a waiter.
    pub(crate) fn push(&mut self, patience: Patience, waker: Waker) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiting.push_back(Waiter { ticket, patience, waker: Some(waker), overtaken: 0 });
        ticket
    }

    /// The owner gives the lock up: to be free for whoever comes first, or, once the head of the queue was overtaken
    /// often enough, to be the head's.
    pub(crate) fn pass(&mut self) -> Passed {
        debug_assert!(self.handed_to.is_none(), "two owners of one lock");
        let Some(head) = self.waiting.front_mut() else { return Passed::Nobody };
        if head.overtaken < OVERTAKEN_MAX {
            return Passed::Offered(head.waker.take());
        }
        self.handed_to = Some(head.ticket);
        Passed::Handed(self.waiting.pop_front().and_then(Waiter::into_waker))
    }

    /// The waker of the head, unless it was woken already.
    pub(crate) fn take_head_waker(&mut self) -> Option<Waker> {
        self.waiting.front_mut()?.waker.take()
    }

    /// Whether this is the head of the queue.
    pub(crate) fn is_head(&self, ticket: Ticket) -> bool {
        self.waiting.front().is_some_and(|head| head.ticket == ticket)
    }

    /// Takes the head out of the queue.
    pub(crate) fn pop_head(&mut self) -> Option<Waiter> {
        self.waiting.pop_front()
    }

    /// Takes what was handed to this ticket, if it was.
    pub(crate) fn take_handed(&mut self, ticket: Ticket) -> bool {
        let handed = self.handed_to == Some(ticket);
        if handed {
            self.handed_to = None;
        }
        handed
    }

    /// How a waiter stands that does not get the lock now; if it still waits, it will be woken by `waker`.
    /// O(log waiters).
    pub(crate) fn standing(&mut self, ticket: Ticket, waker: &Waker) -> Standing {
        let Some(place) = self.place(ticket) else { return Standing::Refused };
        let waiter = &mut self.waiting[place];
        let replaced = match &mut waiter.waker {
            Some(held) if held.will_wake(waker) => None,
            Some(held) => Some(std::mem::replace(held, waker.clone())),
            woken => {
                waiter.overtaken += 1;
                *woken = Some(waker.clone());
                None
            }
        };
        Standing::Waiting { _replaced: replaced }
    }

    /// Takes a waiter out of the queue, if it is still in it. O(waiters).
    pub(crate) fn remove(&mut self, ticket: Ticket) -> Option<Waiter> {
        let place = self.place(ticket)?;
        self.waiting.remove(place)
    }

    /// Takes all refusable waiters out of the queue.
    pub(crate) fn remove_refusable(&mut self) -> Vec<Waiter> {
        let mut refused = Vec::new();
        for waiter in std::mem::take(&mut self.waiting) {
            match waiter.patience {
                Patience::Refusable => refused.push(waiter),
                Patience::Patient => self.waiting.push_back(waiter),
            }
        }
        refused
    }

    /// Tickets rise from head to tail.
    fn place(&self, ticket: Ticket) -> Option<usize> {
        self.waiting.binary_search_by_key(&ticket, |w| w.ticket).ok()
    }
}
