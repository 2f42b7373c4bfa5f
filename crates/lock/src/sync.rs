//! The primitives the lock is made of; the feature `loom` swaps them for ones that loom can explore.

#[cfg(not(feature = "loom"))]
pub(crate) use plain::*;
#[cfg(feature = "loom")]
pub(crate) use under_loom::*;

#[cfg(not(feature = "loom"))]
mod plain {
    use std::future::Future;
    use std::marker::PhantomData;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::Thread;

    pub(crate) use parking_lot::{Mutex, MutexGuard};
    pub(crate) use std::sync::atomic::AtomicU32;

    /// Looks at the lock word this often before it queues. One `pause` takes 10 to 45 ns on current x86, so this is
    /// one to three microseconds: about what a batch of short commands holds a shard for.
    pub(crate) const SPINS: u32 = 64;
    /// Tries to take several locks at once before they are waited for one by one.
    pub(crate) const ATTEMPTS: u32 = 16;
    /// So often a waiter that was woken is overtaken by somebody who came later; then the lock is handed to it.
    pub(crate) const OVERTAKEN_MAX: u32 = 4;

    pub(crate) fn spin() {
        std::hint::spin_loop();
    }

    pub(crate) fn lock_mutex<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock()
    }

    /// The guarded value.
    pub(crate) struct ValueCell<T>(std::cell::UnsafeCell<T>);

    /// Stands for the time in which a value may be touched; loom checks it, here it is nothing.
    pub(crate) struct Access<T>(PhantomData<fn() -> T>);

    impl<T> ValueCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        pub(crate) fn access(&self) -> Access<T> {
            Access(PhantomData)
        }

        pub(crate) fn ptr(&self, _access: &Access<T>) -> *mut T {
            self.0.get()
        }

        pub(crate) fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    impl<T> Access<T> {
        pub(crate) fn end(&mut self) {}
    }

    struct Parked(Thread);

    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.unpark();
        }
    }

    /// Runs a future to its end on this thread, which parks while it waits.
    pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
        let waker = Waker::from(Arc::new(Parked(std::thread::current())));
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            match future.as_mut().poll(&mut cx) {
                Poll::Ready(output) => return output,
                Poll::Pending => std::thread::park(),
            }
        }
    }
}

#[cfg(feature = "loom")]
mod under_loom {
    use std::sync::PoisonError;

    pub(crate) use loom::future::block_on;
    pub(crate) use loom::sync::atomic::AtomicU32;
    pub(crate) use loom::sync::{Mutex, MutexGuard};

    /// A model gains nothing from spinning but interleavings.
    pub(crate) const SPINS: u32 = 1;
    /// So that both ways are walked.
    pub(crate) const ATTEMPTS: u32 = 1;
    pub(crate) const OVERTAKEN_MAX: u32 = 1;

    pub(crate) fn spin() {
        loom::thread::yield_now();
    }

    pub(crate) fn lock_mutex<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) struct ValueCell<T>(loom::cell::UnsafeCell<T>);

    /// Loom fails the model when two of these for one cell are alive at a time, or do not happen one after another.
    pub(crate) struct Access<T>(Option<loom::cell::MutPtr<T>>);

    // SAFETY: the access stands for the exclusive right to the value, which may move to another thread with a `T: Send`.
    unsafe impl<T: Send> Send for Access<T> {}
    // SAFETY: a shared access only gives out what a shared guard does: `&T`.
    unsafe impl<T: Sync> Sync for Access<T> {}

    impl<T> ValueCell<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::cell::UnsafeCell::new(value))
        }

        pub(crate) fn access(&self) -> Access<T> {
            Access(Some(self.0.get_mut()))
        }

        pub(crate) fn ptr(&self, access: &Access<T>) -> *mut T {
            access.0.as_ref().map_or(std::ptr::null_mut(), |value| value.with(|p| p))
        }

        pub(crate) fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    impl<T> Access<T> {
        pub(crate) fn end(&mut self) {
            self.0.take();
        }
    }
}
