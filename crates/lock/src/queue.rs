//! Who waits for a lock, in order of arrival.

use std::collections::VecDeque;
use std::fmt;
use std::task::Waker;

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
    waker: Waker,
}

impl Waiter {
    /// The waker, to be used (or dropped) after the queue's mutex was released: it may run foreign code.
    pub(crate) fn into_waker(self) -> Waker {
        self.waker
    }
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
        self.waiting.push_back(Waiter { ticket, patience, waker });
        ticket
    }

    /// Makes the head of the queue the owner. The caller owns the lock and gives it up by this.
    pub(crate) fn hand_to_head(&mut self) -> Option<Waker> {
        debug_assert!(self.handed_to.is_none(), "two owners of one lock");
        let head = self.waiting.pop_front()?;
        self.handed_to = Some(head.ticket);
        Some(head.waker)
    }

    /// Takes what was handed to this ticket, if it was.
    pub(crate) fn take_handed(&mut self, ticket: Ticket) -> bool {
        let handed = self.handed_to == Some(ticket);
        if handed {
            self.handed_to = None;
        }
        handed
    }

    /// How a waiter stands; one that still waits will be woken by `waker`. O(log waiters).
    pub(crate) fn standing(&mut self, ticket: Ticket, waker: &Waker) -> Standing {
        if self.take_handed(ticket) {
            return Standing::Served;
        }
        match self.place(ticket) {
            Some(place) => {
                let held = &mut self.waiting[place].waker;
                let replaced = (!held.will_wake(waker)).then(|| std::mem::replace(held, waker.clone()));
                Standing::Waiting { _replaced: replaced }
            }
            None => Standing::Refused,
        }
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
