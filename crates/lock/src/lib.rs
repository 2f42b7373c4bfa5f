//! The shard's lock: in place when free, first come first served without blocking a thread when not.
//!
//! A [`ShardLock`] guards one shard (its keyspace and its Lua VM) against the tasks of all connections.
//!
//! # In place
//!
//! A command runs on the connection's own task, under the shard's lock, with no hop to another thread. Nearly always
//! the lock is free, so taking it is one compare-and-swap and giving it back is another, with no allocation. A command
//! holds it for about a microsecond, so a task that finds it held first spins for about as long; only then does it
//! queue. A task never blocks its thread: it leaves its waker in the queue and returns to its runtime.
//!
//! # Hand-off
//!
//! A holder that leaves while others wait does not free the lock: it makes the head of the queue the owner and wakes
//! it. Nobody can slip in between, so whoever queued is served in the order of arrival and no connection starves
//! behind others that happen to run on a warm thread. While anybody waits, a newcomer's [`ShardLock::try_lock`] fails
//! and its [`ShardLock::lock`] goes to the end of the queue. The price is that the lock stands still from the
//! hand-off until the new owner's task is polled: a task that handed a lock on ([`Guard::release`] tells) and has
//! more to do should yield to its runtime soon, because the new owner may be next on its own thread. For the same
//! reason a queued [`Acquire`] is polled or dropped when its task is woken: kept aside unpolled, it would own the lock.
//!
//! # Refusal
//!
//! While a script runs for long, its shard answers "busy" instead of letting clients wait: see
//! [`ShardLock::refuse_waiters`]. A waiter with [`Patience::Patient`] is exempt. Refusal ends with the hold that it was
//! declared in.
//!
//! # Several locks
//!
//! Whoever holds one lock and wants another takes them **in ascending order of their index**, and never waits for a
//! lock whose index is lower than that of one it holds. Then, among all waiting tasks, the one that waits for the
//! highest index waits for a holder that itself waits for nothing, so no circle of waiting can close. [`lock_all`] keeps
//! the rule, and as a rule waits with nothing in hand. A task that holds a guard takes no other.
//!
//! # Panics in a holder
//!
//! There is no poisoning: a guard dropped by unwinding unlocks like any other. The holder's owner decides what a shard
//! is worth after a panic.

mod acquire;
mod lock;
mod queue;
mod set;
mod sync;

pub use acquire::Acquire;
pub use lock::{Guard, Released, ShardLock};
pub use queue::{Busy, Patience};
pub use set::{Guards, lock_all, try_lock_all};
