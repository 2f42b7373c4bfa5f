//! How far the log has come, and who waits for that.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::task::{Context, Poll, Waker};

/// Numbers of records; of each, everything up to it is meant.
#[derive(Debug, Default)]
pub struct Progress {
    /// On the disk.
    synced: AtomicU64,
    /// So safe that a reply which waits for it may be sent.
    acknowledged: AtomicU64,
    waiting: Mutex<Vec<(u64, Waker)>>,
    /// How many have waited of late: those that were woken last, and those that waited on.
    regulars: AtomicUsize,
    /// How often all who wait were woken whether they waited in vain or not.
    rounds: AtomicU64,
}

/// What a task waits for already.
#[derive(Debug, Default)]
pub struct Place {
    /// The record; 0 for none.
    number: u64,
    /// The round in which that was noted.
    round: u64,
}

impl Progress {
    /// The last record that is on the disk.
    pub fn synced(&self) -> u64 {
        self.synced.load(Relaxed)
    }

    /// Whether replies that depend on the record `number` may be sent.
    #[inline]
    pub fn has_acknowledged(&self, number: u64) -> bool {
        self.acknowledged.load(SeqCst) >= number
    }

    /// Ready once replies that depend on the record `number` may be sent. The task keeps its `place` for as long as it waits
    /// for that record with the same waker.
    pub fn poll_acknowledged(&self, number: u64, place: &mut Place, cx: &Context<'_>) -> Poll<()> {
        if self.has_acknowledged(number) {
            return Poll::Ready(());
        }
        if place.number == number && place.round == self.rounds.load(SeqCst) {
            // What waits for a record stays there until that is acknowledged.
            return Poll::Pending;
        }
        let mut waiting = self.waiting.lock();
        // Under the lock: whoever acknowledges takes it afterwards, and finds this waker.
        if self.acknowledged.load(SeqCst) >= number {
            return Poll::Ready(());
        }
        waiting.push((number, cx.waker().clone()));
        *place = Place { number, round: self.rounds.load(SeqCst) };
        Poll::Pending
    }

    /// Whether all wait again that have waited of late.
    pub fn is_full(&self) -> bool {
        self.waiting.lock().len() >= self.regulars.load(Relaxed)
    }

    /// Wakes whoever waits, to look whether that is still so.
    pub fn wake_all(&self) {
        let waiting = {
            let mut waiting = self.waiting.lock();
            self.rounds.fetch_add(1, SeqCst);
            std::mem::take(&mut *waiting)
        };
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Tells how far the log is, and wakes whoever waited for that.
    pub fn publish(&self, synced: u64, acknowledged: u64) {
        self.synced.store(synced, Relaxed);
        if self.acknowledged.swap(acknowledged, SeqCst) == acknowledged {
            return;
        }
        let mut ready = Vec::new();
        let mut waiting = self.waiting.lock();
        self.regulars.store(waiting.len(), Relaxed);
        waiting.retain_mut(|(number, waker)| {
            let waits = *number > acknowledged;
            if !waits {
                ready.push(std::mem::replace(waker, Waker::noop().clone()));
            }
            waits
        });
        drop(waiting);
        ready.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn whoever_waits_is_woken_once_its_record_is_safe() {
        let progress = Progress::default();
        let (early, late) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let (early_waker, late_waker) = (Waker::from(early.clone()), Waker::from(late.clone()));
        let poll = |number, place: &mut Place, waker: &Waker| {
            progress.poll_acknowledged(number, place, &Context::from_waker(waker))
        };
        let (mut early_place, mut late_place) = (Place::default(), Place::default());
        assert!(poll(0, &mut early_place, &early_waker).is_ready());
        assert!(poll(1, &mut early_place, &early_waker).is_pending());
        // However often it asks, it is noted once.
        for _ in 0..3 {
            assert!(poll(3, &mut late_place, &late_waker).is_pending());
        }
        assert_eq!(progress.waiting.lock().len(), 2);
        progress.publish(0, 0);
        assert_eq!((early.0.load(Relaxed), late.0.load(Relaxed)), (0, 0));
        assert!(progress.is_full(), "nobody was woken yet");
        progress.publish(2, 2);
        // One of two waits on.
        assert!(!progress.is_full());
        assert_eq!((early.0.load(Relaxed), late.0.load(Relaxed)), (1, 0));
        assert!(poll(2, &mut early_place, &early_waker).is_ready());
        assert!(poll(3, &mut early_place, &early_waker).is_pending() && progress.is_full());
        assert_eq!(progress.synced(), 2);
        // Who was woken in vain waits again.
        progress.wake_all();
        assert!(poll(3, &mut late_place, &late_waker).is_pending());
        progress.publish(3, 3);
        progress.publish(3, 3);
        assert_eq!((early.0.load(Relaxed), late.0.load(Relaxed)), (2, 2));
    }
}
