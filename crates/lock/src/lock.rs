//! The lock itself, and the guard that stands for holding it.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::Ordering::{Acquire as AcquireOrdering, Relaxed, Release};
use std::task::Waker;

use crate::acquire::Acquire;
use crate::queue::{Passed, Patience, Queue, Standing, Ticket, Waiter};
use crate::sync::{Access, AtomicU32, Mutex, MutexGuard, SPINS, ValueCell, block_on, lock_mutex, spin};

/// Free: nobody holds the lock and nobody waits.
const FREE: u32 = 0;
/// Somebody owns the lock.
const LOCKED: u32 = 1;
/// The queue is not empty. Set and cleared under the queue's mutex only.
const QUEUED: u32 = 2;
/// The holder refuses waiters. Set and cleared under the queue's mutex only.
const REFUSING: u32 = 4;

/// A mutual exclusion lock for async tasks; the crate's page has its rules.
///
/// It fills whole pairs of cache lines, so neighbours in a slice do not slow each other (x86 prefetches pairs).
//
// Invariants of `state`:
// - FREE -> LOCKED and QUEUED -> QUEUED | LOCKED (by whoever wins the swap) and LOCKED -> FREE (by the owner) need no
//   mutex. Every other change is made under the queue's mutex.
// - So an owner that finds QUEUED or REFUSING set gives the lock up under the mutex.
// - REFUSING is set only together with LOCKED.
// - QUEUED is set if and only if the queue is not empty, seen from under its mutex.
#[repr(align(128))]
pub struct ShardLock<T> {
    state: AtomicU32,
    queue: Mutex<Queue>,
    value: ValueCell<T>,
}

// SAFETY: the lock gives out access to the value to one thread at a time, and orders each holder after the one before:
// by release and acquire on `state`, or by the queue's mutex at a hand-off. So it only moves the value between threads.
unsafe impl<T: Send> Sync for ShardLock<T> {}

/// What became of a lock that was released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// Nobody waited: the lock is free.
    Free,
    /// The lock is free, and the first waiter was woken to take it, unless somebody else does before.
    Offered,
    /// The first waiter owns the lock and was woken; the lock stands still until that task is polled.
    HandedOn,
}

/// What came of asking for a place in the queue.
pub(crate) enum Entry {
    /// The lock had become free, and is the caller's.
    Locked,
    /// The holder refuses waiters.
    Busy,
    /// The caller waits.
    Queued(Ticket),
}

impl<T> ShardLock<T> {
    /// A free lock around a value.
    pub fn new(value: T) -> Self {
        Self {
            state: AtomicU32::new(FREE),
            queue: Mutex::new(Queue::default()),
            value: ValueCell::new(value),
        }
    }

    /// Takes the lock if it is free, without waiting. One compare-and-swap; two if others were woken to take it.
    #[inline]
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        match self.state.compare_exchange(FREE, LOCKED, AcquireOrdering, Relaxed) {
            Ok(_) => Some(self.guard()),
            Err(QUEUED) => self.overtake(),
            Err(_) => None,
        }
    }

    /// Takes a free lock before those who were woken to take it.
    #[cold]
    fn overtake(&self) -> Option<Guard<'_, T>> {
        let taken = self.state.compare_exchange(QUEUED, QUEUED | LOCKED, AcquireOrdering, Relaxed);
        taken.is_ok().then(|| self.guard())
    }

    /// Takes the lock if it is free or becomes free within a microsecond or two, without queueing.
    ///
    /// Gives up at once when the holder refuses waiters.
    #[inline]
    pub fn try_lock_for_spin(&self) -> Option<Guard<'_, T>> {
        match self.try_lock() {
            Some(guard) => Some(guard),
            None => self.spin_for_lock(),
        }
    }

    #[cold]
    fn spin_for_lock(&self) -> Option<Guard<'_, T>> {
        for _ in 0..SPINS {
            let state = self.state.load(Relaxed);
            if state & LOCKED == 0 {
                if let Some(guard) = self.try_lock() {
                    return Some(guard);
                }
            } else if state & REFUSING != 0 {
                return None;
            }
            spin();
        }
        None
    }

    /// Waits for a microsecond or two at most, until nobody owns the lock.
    fn spin_while_locked(&self) {
        for _ in 0..SPINS {
            if self.state.load(Relaxed) & LOCKED == 0 {
                return;
            }
            spin();
        }
    }

    /// Waits for the lock, in order of arrival; resolves to [`Busy`](crate::Busy) while the holder refuses waiters.
    ///
    /// The place in the queue is taken when the future is first polled, not before.
    #[inline]
    pub fn lock(&self) -> Acquire<'_, T> {
        Acquire::new(self, Patience::Refusable)
    }

    /// Waits for the lock, in order of arrival, through any refusal: it never resolves to an error.
    #[inline]
    pub fn lock_patient(&self) -> Acquire<'_, T> {
        Acquire::new(self, Patience::Patient)
    }

    /// Waits for the lock with the given patience.
    #[inline]
    pub fn lock_with(&self, patience: Patience) -> Acquire<'_, T> {
        Acquire::new(self, patience)
    }

    /// Waits for the lock on a plain thread, which parks; through any refusal. Never call it from an async task.
    pub fn blocking_lock(&self) -> Guard<'_, T> {
        loop {
            if let Some(guard) = self.try_lock_for_spin() {
                return guard;
            }
            // A patient waiter is always served in the end: the error does not come.
            if let Ok(guard) = block_on(self.lock_patient()) {
                return guard;
            }
        }
    }

    /// Starts (or ends) the refusal of waiters, for the present hold of the lock; on a free lock it does nothing.
    ///
    /// When it starts, all refusable waiters are woken and get [`Busy`](crate::Busy), also if the lock is released
    /// before they notice. Until it ends, whoever finds the lock held gets the same at once. It ends with the hold,
    /// whether the lock becomes free or is handed on.
    ///
    /// For the holder, or for whoever knows by other means that the holder stays: called by a third party that is
    /// too late, it hits the next holder. O(waiters).
    pub fn refuse_waiters(&self, on: bool) {
        let mut queue = lock_mutex(&self.queue);
        if !on {
            self.state.fetch_and(!REFUSING, Relaxed);
            return;
        }
        if !self.add_while_held(REFUSING) {
            return;
        }
        let refused = queue.remove_refusable();
        self.clear_queued_if_empty(&queue);
        drop(queue);
        for waker in refused.into_iter().filter_map(Waiter::into_waker) {
            waker.wake();
        }
    }

    /// Whether the present holder refuses waiters. A hint: it may change at any time.
    #[inline]
    pub fn is_refusing(&self) -> bool {
        self.state.load(Relaxed) & REFUSING != 0
    }

    /// Whether somebody owns the lock. A hint: it may change at any time.
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.state.load(Relaxed) & LOCKED != 0
    }

    /// How many tasks wait in the queue, for statistics. Takes the queue's mutex if there are any.
    pub fn waiting(&self) -> usize {
        if self.state.load(Relaxed) & QUEUED == 0 { 0 } else { lock_mutex(&self.queue).len() }
    }

    /// Takes the value out of a lock that nobody else can see.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }

    /// For the owner only.
    pub(crate) fn guard(&self) -> Guard<'_, T> {
        Guard { lock: self, access: self.value.access(), _value: PhantomData }
    }

    /// Takes the lock if it is free by now, else a place at the end of the queue.
    pub(crate) fn enter(&self, patience: Patience, waker: Waker) -> Entry {
        let mut queue = lock_mutex(&self.queue);
        let mut state = self.state.load(Relaxed);
        loop {
            let (to, order) = match state {
                _ if state & LOCKED == 0 => (state | LOCKED, AcquireOrdering),
                _ if state & REFUSING != 0 && patience == Patience::Refusable => return Entry::Busy,
                _ if state & QUEUED != 0 => break,
                _ => (state | QUEUED, Relaxed),
            };
            match self.state.compare_exchange(state, to, order, Relaxed) {
                Ok(_) if state & LOCKED == 0 => return Entry::Locked,
                Ok(_) => break,
                Err(now) => state = now,
            }
        }
        Entry::Queued(queue.push(patience, waker))
    }

    /// How a waiter stands. After `Served` the caller owns the lock; after `Refused` the ticket is void.
    pub(crate) fn standing(&self, ticket: Ticket, waker: &Waker) -> Standing {
        let mut queue = lock_mutex(&self.queue);
        for attempt in 0..2 {
            if queue.take_handed(ticket) {
                return Standing::Served;
            }
            if !queue.is_head(ticket) {
                break;
            }
            if let Some(head) = self.take_as_head(&mut queue) {
                drop(queue);
                drop(head);
                return Standing::Served;
            }
            if attempt == 0 {
                // Somebody was faster, and has it for a moment as a rule.
                drop(queue);
                self.spin_while_locked();
                queue = lock_mutex(&self.queue);
            }
        }
        queue.standing(ticket, waker)
    }

    /// Takes the lock, if it is free, for the head of the queue, which leaves the queue. Under the queue's mutex.
    fn take_as_head(&self, queue: &mut Queue) -> Option<Waiter> {
        let to = if queue.len() == 1 { LOCKED } else { LOCKED | QUEUED };
        let taken = self.state.compare_exchange(QUEUED, to, AcquireOrdering, Relaxed);
        if taken.is_ok() { queue.pop_head() } else { None }
    }

    /// Gives up a ticket. If the lock had just been handed to it, or was free for it to take, it goes on to the next.
    pub(crate) fn leave(&self, ticket: Ticket) {
        let mut queue = lock_mutex(&self.queue);
        if queue.take_handed(ticket) {
            self.pass_on(queue);
            return;
        }
        let left = queue.remove(ticket);
        let mut next = None;
        if left.is_some() {
            self.clear_queued_if_empty(&queue);
            if self.state.load(Relaxed) & LOCKED == 0 {
                next = queue.take_head_waker();
            }
        }
        drop(queue);
        drop(left);
        if let Some(waker) = next {
            waker.wake();
        }
    }

    /// For the owner only, once.
    #[inline]
    fn unlock(&self) -> Released {
        match self.state.compare_exchange(LOCKED, FREE, Release, Relaxed) {
            Ok(_) => Released::Free,
            Err(_) => self.unlock_slow(),
        }
    }

    #[cold]
    fn unlock_slow(&self) -> Released {
        self.pass_on(lock_mutex(&self.queue))
    }

    /// The owner frees the lock, or gives it to the head of the queue; any refusal ends.
    fn pass_on(&self, mut queue: MutexGuard<'_, Queue>) -> Released {
        let (locked, waker, released) = match queue.pass() {
            Passed::Nobody => (0, None, Released::Free),
            Passed::Offered(waker) => (0, waker, Released::Offered),
            Passed::Handed(waker) => (LOCKED, waker, Released::HandedOn),
        };
        let queued = if queue.is_empty() { 0 } else { QUEUED };
        // A plain store loses nothing: the caller owns the lock and holds the mutex, so nobody else changes the state.
        self.state.store(locked | queued, Release);
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
        released
    }

    /// Sets a bit if somebody owns the lock; tells whether it did. Under the queue's mutex.
    fn add_while_held(&self, bit: u32) -> bool {
        let mut state = self.state.load(Relaxed);
        while state & LOCKED != 0 {
            match self.state.compare_exchange(state, state | bit, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    fn clear_queued_if_empty(&self, queue: &Queue) {
        if queue.is_empty() {
            self.state.fetch_and(!QUEUED, Relaxed);
        }
    }
}

impl<T> AsRef<ShardLock<T>> for ShardLock<T> {
    fn as_ref(&self) -> &ShardLock<T> {
        self
    }
}

impl<T> fmt::Debug for ShardLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardLock")
            .field("locked", &self.is_locked())
            .field("refusing", &self.is_refusing())
            .finish_non_exhaustive()
    }
}

/// The right to the value, until it is dropped. It may be held across an await and moved between threads.
#[must_use = "dropping the guard unlocks at once"]
pub struct Guard<'a, T> {
    lock: &'a ShardLock<T>,
    access: Access<T>,
    /// A guard is `Send` and `Sync` when a `&mut T` is.
    _value: PhantomData<&'a mut T>,
}

impl<'a, T> Guard<'a, T> {
    /// Unlocks, as dropping does, and tells what became of the lock.
    #[inline]
    pub fn release(guard: Self) -> Released {
        let mut guard = std::mem::ManuallyDrop::new(guard);
        guard.access.end();
        guard.lock.unlock()
    }

    /// The lock that this guard holds.
    #[inline]
    pub fn lock(guard: &Self) -> &'a ShardLock<T> {
        guard.lock
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard exists only for the owner of the lock, so until it is dropped no other reference to the value
        // exists but those borrowed from this guard, which the borrow checker keeps apart.
        unsafe { &*self.lock.value.ptr(&self.access) }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`, and the guard is borrowed mutably.
        unsafe { &mut *self.lock.value.ptr(&self.access) }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.access.end();
        self.lock.unlock();
    }
}

impl<T: fmt::Debug> fmt::Debug for Guard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
