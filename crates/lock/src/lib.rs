//! The shard's lock: in place when free, a queue without blocking a thread when not.
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
//! # Waiting
//!
//! Whoever queued is woken in the order of arrival. A holder that leaves while others wait frees the lock and wakes the
//! head of the queue, which takes the lock when its task is polled, unless somebody who was there has taken it in
//! between. Handing the lock over instead would let it stand still until that task is polled, and on a thread that is
//! busy with other connections this takes many times as long as the lock is held: meanwhile all who come have to queue as
//! well, and each of them pays for being woken on another thread.
//!
//! Nobody starves: a waiter that was woken and overtaken a few times is handed the lock ([`Guard::release`] tells). A
//! queued [`Acquire`] is polled or dropped when its task is woken: kept aside unpolled, it could own the lock, or be
//! the one that was to wake the others.
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
