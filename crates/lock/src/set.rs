//! Several locks held together.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::acquire::Acquire;
use crate::lock::{Guard, ShardLock};
use crate::queue::{Busy, Patience};

/// The guards of several locks of one slice, taken in ascending order of their index.
///
/// Kept and filled again, it does not allocate once it has been as large.
#[derive(Debug)]
pub struct LockSet<'a, T> {
    /// Ascending by index.
    held: Vec<(usize, Guard<'a, T>)>,
}

impl<T> Default for LockSet<'_, T> {
    fn default() -> Self {
        Self { held: Vec::new() }
    }
}

impl<'a, T> LockSet<'a, T> {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the locks at the given indices, which ascend (repeats are skipped): each in place if it is free, else
    /// waiting for it in order while holding those before it.
    ///
    /// Whatever the set held is released first. If one holder refuses waiters, or the future is dropped before it
    /// resolved, all are released.
    ///
    /// # Panics
    ///
    /// When an index is lower than the one before it, or there is no such lock: both would be errors of the caller,
    /// and the first one could deadlock.
    pub fn acquire<'s, L, I>(
        &'s mut self,
        locks: &'a [L],
        indices: I,
        patience: Patience,
    ) -> AcquireSet<'s, 'a, T, L, I::IntoIter>
    where
        L: AsRef<ShardLock<T>>,
        I: IntoIterator<Item = usize>,
    {
        self.release();
        AcquireSet {
            set: self,
            locks,
            rest: indices.into_iter(),
            patience,
            waiting_for: None,
            resolved: false,
            _value: PhantomData,
        }
    }

    /// Takes the locks at the given indices if all of them are free or become free within a microsecond or two each;
    /// else holds none and returns false. Otherwise as [`LockSet::acquire`], and with its panics.
    pub fn try_acquire<L, I>(&mut self, locks: &'a [L], indices: I) -> bool
    where
        L: AsRef<ShardLock<T>>,
        I: IntoIterator<Item = usize>,
    {
        self.release();
        for index in indices {
            if !self.wants(index) {
                continue;
            }
            let Some(guard) = locks[index].as_ref().try_lock_for_spin() else {
                self.release();
                return false;
            };
            self.held.push((index, guard));
        }
        true
    }

    /// The value at an index of the slice that was locked, if this set holds its lock. O(log held).
    pub fn get(&self, index: usize) -> Option<&T> {
        let position = self.position(index)?;
        Some(&self.held[position].1)
    }

    /// The value at an index of the slice that was locked, if this set holds its lock. O(log held).
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let position = self.position(index)?;
        Some(&mut self.held[position].1)
    }

    /// The held guards with their indices, ascending.
    pub fn held(&self) -> &[(usize, Guard<'a, T>)] {
        &self.held
    }

    /// The held guards with their indices, ascending.
    pub fn held_mut(&mut self) -> &mut [(usize, Guard<'a, T>)] {
        &mut self.held
    }

    /// How many locks it holds.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Releases all, and keeps the memory.
    pub fn release(&mut self) {
        self.held.clear();
    }

    fn position(&self, index: usize) -> Option<usize> {
        self.held.binary_search_by_key(&index, |(held, _)| *held).ok()
    }

    /// Whether an index is the next to take; a repeat of the last is not.
    fn wants(&self, index: usize) -> bool {
        let Some((last, _)) = self.held.last() else { return true };
        assert!(*last <= index, "locks are taken in ascending order, and {index} comes after {last}");
        *last < index
    }
}

/// Waits for several locks; see [`LockSet::acquire`].
#[must_use = "a future does nothing unless it is polled"]
pub struct AcquireSet<'s, 'a, T, L, I> {
    set: &'s mut LockSet<'a, T>,
    locks: &'a [L],
    rest: I,
    patience: Patience,
    waiting_for: Option<(usize, Acquire<'a, T>)>,
    resolved: bool,
    _value: PhantomData<T>,
}

/// Nothing in it is pinned: its parts are moved freely.
impl<T, L, I> Unpin for AcquireSet<'_, '_, T, L, I> {}

impl<'a, T, L, I> Future for AcquireSet<'_, 'a, T, L, I>
where
    L: AsRef<ShardLock<T>>,
    I: Iterator<Item = usize>,
{
    type Output = Result<(), Busy>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let (index, mut acquire) = match this.waiting_for.take() {
                Some(waiting) => waiting,
                None => match this.rest.next() {
                    None => {
                        this.resolved = true;
                        return Poll::Ready(Ok(()));
                    }
                    Some(index) if !this.set.wants(index) => continue,
                    Some(index) => {
                        let locks: &'a [L] = this.locks;
                        (index, locks[index].as_ref().lock_with(this.patience))
                    }
                },
            };
            match Pin::new(&mut acquire).poll(cx) {
                Poll::Pending => {
                    this.waiting_for = Some((index, acquire));
                    return Poll::Pending;
                }
                Poll::Ready(Ok(guard)) => this.set.held.push((index, guard)),
                Poll::Ready(Err(busy)) => {
                    this.resolved = true;
                    this.set.release();
                    return Poll::Ready(Err(busy));
                }
            }
        }
    }
}

impl<T, L, I> Drop for AcquireSet<'_, '_, T, L, I> {
    fn drop(&mut self) {
        if !self.resolved {
            self.waiting_for = None;
            self.set.release();
        }
    }
}
