//! The primitives the journals are made of; the feature `loom` swaps them for ones that loom can explore.

#[cfg(not(feature = "loom"))]
pub(crate) use plain::*;
#[cfg(feature = "loom")]
pub(crate) use under_loom::*;

#[cfg(not(feature = "loom"))]
mod plain {
    pub(crate) use parking_lot::{Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::AtomicU64;

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock()
    }
}

#[cfg(feature = "loom")]
mod under_loom {
    pub(crate) use loom::sync::atomic::AtomicU64;
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    use std::sync::PoisonError;

    pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
