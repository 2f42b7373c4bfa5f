//! Several locks held together.

use crate::lock::{Guard, ShardLock};
use crate::queue::Busy;
use crate::sync::ATTEMPTS;

/// The guards of several locks of one slice with their indices, ascending.
pub type Guards<'a, T> = Vec<(usize, Guard<'a, T>)>;

/// Takes the locks at `indices`, which ascend without repeats, and waits for them if need be.
///
/// While one of them is held by somebody else, none is held here: that one is waited for alone, and then all are tried
/// again. So a long hold of one lock does not become a hold of the others. Only when others have come in between again
/// and again are the locks taken one by one, each waited for with those before it in hand; that is where the ascending
/// order matters.
///
/// Dropped before it resolved, the future releases what it held.
///
/// # Errors
/// [`Busy`] if the holder of one of them refuses waiters.
///
/// # Panics
/// As [`try_lock_all`].
pub async fn lock_all<'a, T, L>(locks: &'a [L], indices: &[usize]) -> Result<Guards<'a, T>, Busy>
where
    T: 'a,
    L: AsRef<ShardLock<T>>,
{
    for _ in 0..ATTEMPTS {
        match try_lock_all(locks, indices) {
            Ok(guards) => return Ok(guards),
            Err(held) => drop(locks[held].as_ref().lock().await?),
        }
    }
    let mut guards = Guards::with_capacity(indices.len());
    for &index in indices {
        guards.push((index, locks[index].as_ref().lock().await?));
    }
    Ok(guards)
}

/// Takes the locks at `indices` if each is free or becomes free within a microsecond or two; else holds none.
///
/// # Errors
/// The index of the first one that was not free.
///
/// # Panics
/// When the indices do not ascend, or there is no such lock: errors of the caller, of which the first could deadlock.
pub fn try_lock_all<'a, T, L>(locks: &'a [L], indices: &[usize]) -> Result<Guards<'a, T>, usize>
where
    T: 'a,
    L: AsRef<ShardLock<T>>,
{
    assert!(indices.is_sorted_by(|a, b| a < b), "locks are taken in ascending order, and not as {indices:?}");
    let mut guards = Guards::with_capacity(indices.len());
    for &index in indices {
        guards.push((index, locks[index].as_ref().try_lock_for_spin().ok_or(index)?));
    }
    Ok(guards)
}
