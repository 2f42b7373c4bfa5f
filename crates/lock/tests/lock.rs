//! The lock under its real primitives and under tokio.
#![cfg(not(feature = "loom"))]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use moonshard_lock::{Acquire, Busy, Guard, Released, ShardLock, lock_all, try_lock_all};

/// Counts how often a waiter is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<F: Future + Unpin>(future: &mut F, wakes: &Arc<Wakes>) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(&Waker::from(wakes.clone())))
}

fn woken(wakes: &Wakes) -> usize {
    wakes.0.load(Ordering::Relaxed)
}

#[test]
fn guards_and_futures_move_between_threads() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    // A `Cell` is `Send` and not `Sync`: all that the lock asks for.
    type Value = std::cell::Cell<u8>;
    send::<Guard<'_, Value>>();
    send::<ShardLock<Value>>();
    sync::<ShardLock<Value>>();
    send::<Acquire<'_, Value>>();
    sync::<Guard<'_, u8>>();
}

#[test]
fn neighbours_share_no_cache_line() {
    assert_eq!(align_of::<ShardLock<u8>>(), 128);
    assert_eq!(size_of::<ShardLock<u8>>() % 128, 0);
}

#[test]
fn a_free_lock_is_taken_in_place() {
    let lock = ShardLock::new(1);
    *lock.try_lock().unwrap() += 1;
    let held = lock.try_lock().unwrap();
    assert!(lock.try_lock().is_none() && lock.try_lock_for_spin().is_none());
    assert_eq!(Guard::release(held), Released::Free);
    assert_eq!(*lock.try_lock_for_spin().unwrap(), 2);
    assert_eq!(lock.into_inner(), 2);
}

#[test]
fn waiters_are_served_in_order_of_arrival() {
    let lock = ShardLock::new(());
    let wakes: Vec<_> = (0..5).map(|_| Arc::new(Wakes::default())).collect();
    let held = lock.try_lock().unwrap();
    let mut waiters: Vec<_> = (0..5).map(|_| lock.lock()).collect();
    for (waiter, wakes) in waiters.iter_mut().zip(&wakes) {
        assert!(poll(waiter, wakes).is_pending());
    }
    assert_eq!(lock.waiting(), 5);
    assert_eq!(Guard::release(held), Released::Offered);
    for turn in 0..5 {
        let seen: Vec<_> = wakes.iter().map(|wakes| woken(wakes)).collect();
        assert_eq!(seen, (0..5).map(|i| usize::from(i <= turn)).collect::<Vec<_>>());
        for later in turn + 1..5 {
            assert!(poll(&mut waiters[later], &wakes[later]).is_pending());
        }
        let Poll::Ready(Ok(guard)) = poll(&mut waiters[turn], &wakes[turn]) else {
            panic!("{turn} was not served")
        };
        let expected = if turn == 4 { Released::Free } else { Released::Offered };
        assert_eq!(Guard::release(guard), expected);
    }
    assert!(lock.try_lock().is_some());
}

#[test]
fn whoever_is_there_goes_before_a_waiter_that_is_not_but_not_again_and_again() {
    let lock = ShardLock::new(());
    let (wakes, later) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    let mut held = lock.try_lock().unwrap();
    let (mut waiter, mut behind) = (lock.lock(), lock.lock());
    assert!(poll(&mut waiter, &wakes).is_pending() && poll(&mut behind, &later).is_pending());
    let mut overtaken = 0;
    while Guard::release(held) == Released::Offered {
        // A second hold before the waiter has looked wakes nobody again.
        assert_eq!(Guard::release(lock.try_lock().unwrap()), Released::Offered);
        held = lock.try_lock_for_spin().unwrap();
        overtaken += 1;
        assert_eq!(woken(&wakes), overtaken);
        assert!(poll(&mut waiter, &wakes).is_pending());
        assert!(overtaken < 100, "a waiter is overtaken for ever");
    }
    assert!(overtaken > 0);
    assert!(lock.try_lock().is_none(), "it was handed to the waiter");
    assert!(poll(&mut behind, &later).is_pending() && woken(&later) == 0);
    drop(poll(&mut waiter, &wakes));
    assert_eq!(woken(&later), 1);
    assert!(matches!(poll(&mut behind, &later), Poll::Ready(Ok(_))));
}

#[test]
fn a_woken_waiter_that_leaves_wakes_the_next() {
    let lock = ShardLock::new(());
    let wakes: Vec<_> = (0..3).map(|_| Arc::new(Wakes::default())).collect();
    let held = lock.try_lock().unwrap();
    let mut waiters: Vec<_> = (0..3).map(|_| lock.lock()).collect();
    for (waiter, wakes) in waiters.iter_mut().zip(&wakes) {
        assert!(poll(waiter, wakes).is_pending());
    }
    drop(held);
    drop(waiters.remove(0));
    // With the lock in somebody's hand, only its release wakes the next.
    let held = lock.try_lock().unwrap();
    drop(waiters.remove(0));
    assert_eq!(wakes.iter().map(|wakes| woken(wakes)).collect::<Vec<_>>(), [1, 1, 0]);
    drop(held);
    assert!(matches!(poll(&mut waiters[0], &wakes[2]), Poll::Ready(Ok(_))));
    assert_eq!((woken(&wakes[2]), lock.waiting(), lock.is_locked()), (1, 0, false));
}

#[test]
fn a_waiter_is_woken_by_its_latest_waker() {
    let lock = ShardLock::new(());
    let (old, new) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    let held = lock.try_lock().unwrap();
    let mut waiter = lock.lock();
    assert!(poll(&mut waiter, &old).is_pending());
    assert!(poll(&mut waiter, &new).is_pending());
    assert_eq!(Arc::strong_count(&old), 1, "the old waker is kept");
    drop(held);
    assert_eq!((woken(&old), woken(&new)), (0, 1));
}

#[test]
fn a_waiter_that_leaves_is_forgotten() {
    let lock = ShardLock::new(());
    let wakes: Vec<_> = (0..3).map(|_| Arc::new(Wakes::default())).collect();
    let held = lock.try_lock().unwrap();
    let mut waiters: Vec<_> = (0..3).map(|_| lock.lock()).collect();
    for (waiter, wakes) in waiters.iter_mut().zip(&wakes) {
        assert!(poll(waiter, wakes).is_pending());
    }
    // One leaves from the middle of the queue, one as it has just been woken to take the lock.
    drop(waiters.remove(1));
    drop(held);
    drop(waiters.remove(0));
    assert_eq!(wakes.iter().map(|wakes| woken(wakes)).collect::<Vec<_>>(), [1, 0, 1]);
    assert!(matches!(poll(&mut waiters[0], &wakes[2]), Poll::Ready(Ok(_))));
    assert!(wakes.iter().all(|wakes| Arc::strong_count(wakes) == 1), "a waker is kept");
    assert!(!lock.is_locked());
}

#[test]
fn the_last_waiter_that_leaves_makes_room_for_the_fast_path() {
    let lock = ShardLock::new(());
    let wakes = Arc::new(Wakes::default());
    let held = lock.try_lock().unwrap();
    let mut waiter = lock.lock();
    assert!(poll(&mut waiter, &wakes).is_pending());
    assert_eq!(lock.waiting(), 1);
    drop(waiter);
    assert_eq!(lock.waiting(), 0);
    assert_eq!(Guard::release(held), Released::Free);
}

#[test]
fn a_refusal_sends_waiters_away_and_ends_with_the_hold() {
    let lock = ShardLock::new(());
    let wakes = Arc::new(Wakes::default());
    let held = lock.try_lock().unwrap();
    let (mut early, mut patient, mut late) = (lock.lock(), lock.lock_patient(), lock.lock());
    assert!(poll(&mut early, &wakes).is_pending());
    assert!(poll(&mut patient, &wakes).is_pending());
    lock.refuse_waiters(true);
    assert!(lock.is_refusing());
    assert_eq!(woken(&wakes), 1);
    assert!(matches!(poll(&mut late, &wakes), Poll::Ready(Err(Busy))));
    assert!(poll(&mut patient, &wakes).is_pending());
    assert_eq!(Guard::release(held), Released::Offered);
    assert!(matches!(poll(&mut early, &wakes), Poll::Ready(Err(Busy))), "refused, though the hold is over");
    assert!(!lock.is_refusing());
    let held = lock.try_lock().unwrap();
    assert!(poll(&mut late, &wakes).is_pending(), "it waits behind the patient one");
    drop(held);
    drop(poll(&mut patient, &wakes));
    assert!(matches!(poll(&mut late, &wakes), Poll::Ready(Ok(_))));
}

#[test]
fn a_refusal_can_be_taken_back_and_needs_a_holder() {
    let lock = ShardLock::new(());
    let wakes = Arc::new(Wakes::default());
    lock.refuse_waiters(true);
    assert!(!lock.is_refusing());
    let held = lock.try_lock().unwrap();
    lock.refuse_waiters(true);
    lock.refuse_waiters(false);
    let mut waiter = lock.lock();
    assert!(poll(&mut waiter, &wakes).is_pending());
    drop(held);
    assert!(matches!(poll(&mut waiter, &wakes), Poll::Ready(Ok(_))));
}

#[test]
fn a_panic_in_a_holder_unlocks() {
    let lock = ShardLock::new(0);
    let wakes = Arc::new(Wakes::default());
    let mut waiter = lock.lock();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut held = lock.try_lock().unwrap();
        assert!(poll(&mut waiter, &wakes).is_pending());
        *held = 7;
        panic!("in the holder");
    }));
    assert!(panicked.is_err());
    let Poll::Ready(Ok(guard)) = poll(&mut waiter, &wakes) else { panic!("not served") };
    assert_eq!(*guard, 7);
}

#[test]
fn several_locks_are_held_together() {
    let locks: Vec<_> = (0..4).map(ShardLock::new).collect();
    let wakes = Arc::new(Wakes::default());
    let mut all = Box::pin(lock_all(&locks, &[0, 2, 3]));
    let Poll::Ready(Ok(mut guards)) = poll(&mut all, &wakes) else { panic!("they are free") };
    assert_eq!(
        guards.iter().map(|(index, value)| (*index, **value)).collect::<Vec<_>>(),
        [(0, 0), (2, 2), (3, 3)]
    );
    *guards[2].1 = 30;
    assert!(locks[1].try_lock().is_some() && locks[3].try_lock().is_none());
    assert_eq!(try_lock_all(&locks, &[1, 2]).err(), Some(2));
    assert!(!locks[1].is_locked());
    drop(guards);
    assert!(locks[3].try_lock().is_some_and(|value| *value == 30));
    assert!(locks.iter().all(|lock| !lock.is_locked()));
}

#[test]
fn whoever_waits_for_one_of_several_locks_holds_none() {
    let locks: Vec<_> = (0..3).map(ShardLock::new).collect();
    let wakes = Arc::new(Wakes::default());
    let held = locks[1].try_lock().unwrap();

    let mut dropped = Box::pin(lock_all(&locks, &[0, 1, 2]));
    assert!(poll(&mut dropped, &wakes).is_pending());
    assert!(!locks[0].is_locked() && !locks[2].is_locked());
    drop(dropped);
    assert!(locks[1].waiting() == 0);

    let mut refused = Box::pin(lock_all(&locks, &[0, 1, 2]));
    assert!(poll(&mut refused, &wakes).is_pending());
    locks[1].refuse_waiters(true);
    assert!(matches!(poll(&mut refused, &wakes), Poll::Ready(Err(Busy))));
    assert!(!locks[0].is_locked());
    locks[1].refuse_waiters(false);

    let mut served = Box::pin(lock_all(&locks, &[0, 1, 2]));
    assert!(poll(&mut served, &wakes).is_pending());
    drop(held);
    assert!(matches!(poll(&mut served, &wakes), Poll::Ready(Ok(guards)) if guards.len() == 3));
}

#[test]
#[should_panic(expected = "ascending order")]
fn several_locks_are_not_taken_downwards() {
    let locks: Vec<_> = (0..2).map(ShardLock::new).collect();
    let _ = try_lock_all(&locks, &[1, 0]);
}

/// A small generator of random numbers (xorshift), so that a run can be repeated from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Adds through one lock, through a set of locks, with cancellation and refusal, and yields while holding them.
async fn stress_task(locks: Arc<Vec<ShardLock<u64>>>, seed: u64, rounds: u64) -> u64 {
    let mut random = Random(seed);
    let mut added = 0;
    for _ in 0..rounds {
        let at = random.below(locks.len() as u64) as usize;
        match random.below(8) {
            0 => {
                let indices: Vec<usize> = (at..locks.len()).collect();
                if let Ok(mut guards) = lock_all(&locks[..], &indices).await {
                    tokio::task::yield_now().await;
                    for (_, value) in &mut guards {
                        **value += 1;
                        added += 1;
                    }
                }
            }
            1 => {
                let _ = tokio::time::timeout(std::time::Duration::ZERO, locks[at].lock()).await;
            }
            2 => {
                let mut held = locks[at].lock_patient().await.expect("the patient are served");
                locks[at].refuse_waiters(true);
                tokio::task::yield_now().await;
                *held += 1;
                added += 1;
            }
            3 => {
                let mut held = locks[at].lock_patient().await.expect("the patient are served");
                tokio::task::yield_now().await;
                *held += 1;
                added += 1;
            }
            _ => {
                if let Ok(mut held) = locks[at].lock().await {
                    *held += 1;
                    added += 1;
                }
            }
        }
    }
    added
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_and_threads_lose_nothing() {
    let seed = 0x5eed_0000_0001;
    println!("seed {seed:#x}");
    let locks: Arc<Vec<_>> = Arc::new((0..3).map(|_| ShardLock::new(0)).collect());
    let tasks: Vec<_> =
        (0..32).map(|task| tokio::spawn(stress_task(locks.clone(), seed + task * 7919, 400))).collect();
    let blocking = {
        let locks = locks.clone();
        std::thread::spawn(move || {
            for round in 0..1000 {
                *locks[round % 3].blocking_lock() += 1;
            }
            1000
        })
    };
    let mut added = 0;
    for task in tasks {
        added += task.await.unwrap();
    }
    added += blocking.join().unwrap();
    assert!(locks.iter().all(|lock| !lock.is_locked() && lock.waiting() == 0));
    assert_eq!(locks.iter().map(|lock| *lock.try_lock().unwrap()).sum::<u64>(), added);
}
