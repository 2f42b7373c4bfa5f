//! Model checks: loom runs each model under all interleavings (up to a bound on preemptions), and fails it on a data
//! race on the value, on a task that is never woken (a deadlock to loom), and on a leaked waker.
#![cfg(feature = "loom")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;
use moonshard_lock::{Busy, Guard, Released, ShardLock, lock_all};

fn model(preemptions: usize, check: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.check(check);
}

/// Polls once and tells whether the future resolved.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    block_on(poll_fn(|cx| {
        Poll::Ready(match Pin::new(&mut *future).poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    }))
}

fn add(lock: &ShardLock<Vec<u32>>, id: u32) {
    block_on(lock.lock()).unwrap().push(id);
}

#[test]
fn two_tasks_exclude_each_other_and_both_are_served() {
    model(8, || {
        let lock = Arc::new(ShardLock::new(0));
        let other = {
            let lock = lock.clone();
            thread::spawn(move || *block_on(lock.lock()).unwrap() += 1)
        };
        *block_on(lock.lock()).unwrap() += 1;
        other.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 2);
    });
}

#[test]
fn three_tasks_are_all_served() {
    model(4, || {
        let lock = Arc::new(ShardLock::new(0));
        let others = [(); 2].map(|()| {
            let lock = lock.clone();
            thread::spawn(move || *block_on(lock.lock()).unwrap() += 1)
        });
        *block_on(lock.lock()).unwrap() += 1;
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(*lock.try_lock().unwrap(), 3);
    });
}

#[test]
fn a_thread_that_blocks_is_served_beside_a_task() {
    model(8, || {
        let lock = Arc::new(ShardLock::new(0));
        let other = {
            let lock = lock.clone();
            thread::spawn(move || *lock.blocking_lock() += 1)
        };
        *block_on(lock.lock()).unwrap() += 1;
        other.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 2);
    });
}

#[test]
fn a_newcomer_may_go_first_and_loses_no_waiter() {
    model(8, || {
        let lock = Arc::new(ShardLock::new(Vec::new()));
        let held = lock.try_lock().unwrap();
        let (mut first, mut second) = (lock.lock(), lock.lock());
        assert!(poll_once(&mut first).is_none());
        assert!(poll_once(&mut second).is_none());
        let newcomer = {
            let lock = lock.clone();
            thread::spawn(move || {
                if let Some(mut value) = lock.try_lock_for_spin() {
                    value.push(3);
                }
            })
        };
        assert_eq!(Guard::release(held), Released::Offered);
        block_on(&mut first).unwrap().push(1);
        block_on(&mut second).unwrap().push(2);
        newcomer.join().unwrap();
        let mut seen = lock.try_lock().unwrap().clone();
        seen.retain(|&id| id != 3);
        assert_eq!(seen, [1, 2]);
    });
}

#[test]
fn a_waiter_that_was_overtaken_is_handed_the_lock() {
    model(8, || {
        let lock = Arc::new(ShardLock::new(0));
        let held = lock.try_lock().unwrap();
        let mut waiter = lock.lock();
        assert!(poll_once(&mut waiter).is_none());
        drop(held);
        let overtaking = lock.try_lock().unwrap();
        assert!(poll_once(&mut waiter).is_none());
        let newcomer = {
            let lock = lock.clone();
            thread::spawn(move || drop(lock.try_lock_for_spin()))
        };
        assert_eq!(Guard::release(overtaking), Released::HandedOn);
        *block_on(&mut waiter).unwrap() += 1;
        newcomer.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), 1);
    });
}

#[test]
fn waiters_and_newcomers_that_come_and_go_are_all_served() {
    model(3, || {
        let lock = Arc::new(ShardLock::new(0));
        let held = lock.try_lock().unwrap();
        let mut leaver = lock.lock();
        assert!(poll_once(&mut leaver).is_none());
        let others = [(); 2].map(|()| {
            let lock = lock.clone();
            thread::spawn(move || *block_on(lock.lock()).unwrap() += 1)
        });
        drop(held);
        drop(leaver);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(*lock.try_lock().unwrap(), 2);
        assert_eq!(lock.waiting(), 0);
    });
}

#[test]
fn a_waiter_that_leaves_takes_nothing_along() {
    model(4, || {
        let lock = Arc::new(ShardLock::new(Vec::new()));
        let held = lock.try_lock().unwrap();
        let leaver = {
            let lock = lock.clone();
            thread::spawn(move || {
                let mut future = lock.lock();
                // Queued or not, handed the lock or not: it goes.
                let _ = poll_once(&mut future);
            })
        };
        let waiter = {
            let lock = lock.clone();
            thread::spawn(move || add(&lock, 1))
        };
        drop(held);
        leaver.join().unwrap();
        waiter.join().unwrap();
        assert_eq!(*lock.try_lock().unwrap(), [1]);
    });
}

#[test]
fn a_waiter_that_leaves_as_it_is_served_passes_the_lock_on() {
    model(8, || {
        let lock = Arc::new(ShardLock::new(Vec::new()));
        let held = lock.try_lock().unwrap();
        let (mut first, mut second) = (lock.lock(), lock.lock());
        assert!(poll_once(&mut first).is_none());
        assert!(poll_once(&mut second).is_none());
        let newcomer = {
            let lock = lock.clone();
            thread::spawn(move || add(&lock, 0))
        };
        drop(held);
        drop(first);
        block_on(&mut second).unwrap().push(2);
        newcomer.join().unwrap();
        let mut seen = lock.try_lock().unwrap().clone();
        seen.sort_unstable();
        assert_eq!(seen, [0, 2]);
    });
}

#[test]
fn a_guard_released_elsewhere_races_with_a_leaving_head() {
    model(8, || {
        let lock = Arc::new(ShardLock::new(Vec::new()));
        let (has_lock, go) = loom::sync::mpsc::channel();
        let holder = {
            let lock = lock.clone();
            thread::spawn(move || {
                let mut held = lock.try_lock().unwrap();
                has_lock.send(()).unwrap();
                held.push(0);
            })
        };
        go.recv().unwrap();
        let (mut first, mut second) = (lock.lock(), lock.lock());
        let _ = poll_once(&mut first);
        // If the first has the lock in hand by now, the second queues behind it.
        if poll_once(&mut second).is_none() {
            drop(first);
            block_on(&mut second).unwrap().push(2);
        }
        holder.join().unwrap();
        drop(second);
        assert!(lock.try_lock().is_some());
    });
}

#[test]
fn a_refusal_reaches_every_waiter_and_ends_with_the_hold() {
    model(4, || {
        let lock = Arc::new(ShardLock::new(0));
        let held = lock.try_lock().unwrap();
        let others = [(); 2].map(|()| {
            let lock = lock.clone();
            thread::spawn(move || {
                if let Ok(mut value) = block_on(lock.lock()) {
                    *value += 1;
                }
            })
        });
        lock.refuse_waiters(true);
        drop(held);
        for other in others {
            other.join().unwrap();
        }
        assert!(!lock.is_refusing() && !lock.is_locked());
        assert_eq!(lock.waiting(), 0);
        *lock.try_lock().unwrap() += 1;
    });
}

#[test]
fn a_refusal_passes_the_patient_by() {
    model(4, || {
        let lock = Arc::new(ShardLock::new(Vec::new()));
        let held = lock.try_lock().unwrap();
        let patient = {
            let lock = lock.clone();
            thread::spawn(move || {
                let mut held = block_on(lock.lock_patient()).unwrap();
                held.push(1);
                assert!(!lock.is_refusing(), "a refusal outlived its hold");
            })
        };
        let refusable = {
            let lock = lock.clone();
            thread::spawn(move || block_on(lock.lock()).map(|mut value| value.push(2)))
        };
        lock.refuse_waiters(true);
        drop(held);
        patient.join().unwrap();
        let served = refusable.join().unwrap().is_ok();
        let seen = lock.try_lock().unwrap();
        assert!(seen.contains(&1));
        assert_eq!(seen.contains(&2), served);
    });
}

#[test]
fn a_refused_waiter_may_leave_at_any_time() {
    model(8, || {
        let lock = Arc::new(ShardLock::new(0));
        let held = lock.try_lock().unwrap();
        let leaver = {
            let lock = lock.clone();
            thread::spawn(move || {
                let mut future = lock.lock();
                let _ = poll_once(&mut future);
            })
        };
        lock.refuse_waiters(true);
        drop(held);
        leaver.join().unwrap();
        assert!(!lock.is_locked());
    });
}

fn add_to_all(locks: &[ShardLock<u32>], indices: &[usize]) -> Result<(), Busy> {
    for (_, value) in &mut block_on(lock_all(locks, indices))? {
        **value += 1;
    }
    Ok(())
}

fn values(locks: &[ShardLock<u32>]) -> Vec<u32> {
    locks.iter().map(|lock| *lock.try_lock().unwrap()).collect()
}

#[test]
fn sets_that_overlap_do_not_deadlock() {
    model(3, || {
        let locks = Arc::new([(); 3].map(|()| ShardLock::new(0)));
        let others = [&[0, 1][..], &[1, 2]].map(|indices| {
            let locks = locks.clone();
            thread::spawn(move || add_to_all(&*locks, indices).unwrap())
        });
        add_to_all(&*locks, &[0, 2]).unwrap();
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(values(&*locks), [2, 2, 2]);
    });
}

#[test]
fn a_set_that_is_refused_or_dropped_holds_nothing() {
    model(3, || {
        let locks = Arc::new([(); 2].map(|()| ShardLock::new(0)));
        let held = locks[1].try_lock().unwrap();
        let set = {
            let locks = locks.clone();
            thread::spawn(move || add_to_all(&*locks, &[0, 1]).is_ok())
        };
        let dropped = {
            let locks = locks.clone();
            thread::spawn(move || {
                let _ = poll_once(&mut Box::pin(lock_all(&*locks, &[0, 1])));
            })
        };
        locks[1].refuse_waiters(true);
        drop(held);
        let served = u32::from(set.join().unwrap());
        dropped.join().unwrap();
        assert_eq!(values(&*locks), [served, served]);
    });
}
