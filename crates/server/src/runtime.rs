//! The I/O threads.
//!
//! Each is a runtime of one worker with an event loop of its own, and a connection stays with the thread that it was
//! dealt to. Against one runtime of many workers this saves the waking of sleeping workers and the stealing of tasks
//! at every request. A runtime of one *multi-threaded* worker, and not a single-threaded one, so that a long script
//! can hand its worker's other tasks to a new thread.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::runtime::{Builder, Runtime};
use tokio::task::AbortHandle;

/// One I/O thread.
struct IoThread {
    runtime: Runtime,
    connections: Arc<AtomicUsize>,
}

/// The I/O threads. See the [module](self).
pub struct IoThreads {
    threads: Vec<IoThread>,
}

impl IoThreads {
    /// Starts `count` of them, at least one.
    ///
    /// # Errors
    /// When the system has no thread or no event queue to give.
    pub fn start(count: usize) -> io::Result<Self> {
        let threads = (0..count.max(1)).map(|index| {
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .thread_stack_size(moonshard_scripting::THREAD_STACK_BYTES)
                .thread_name(format!("io-{index}"))
                .event_interval(31)
                .enable_all()
                .build()?;
            Ok(IoThread { runtime, connections: Arc::default() })
        });
        Ok(Self { threads: threads.collect::<io::Result<_>>()? })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// Runs a future on this thread until it ends.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.threads[0].runtime.block_on(future)
    }

    /// Starts a task on the first I/O thread: what is not a connection. What is returned can end it.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) -> AbortHandle {
        self.threads[0].runtime.spawn(future).abort_handle()
    }

    /// Starts a connection's task on the I/O thread that has the fewest. `make` is called there, so that what it
    /// registers with an event loop is registered with that thread's.
    pub fn spawn_connection<F, T>(&self, make: F)
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let Some(thread) = self.threads.iter().min_by_key(|thread| thread.connections.load(Relaxed)) else {
            return;
        };
        let count = Counted::new(&thread.connections);
        thread.runtime.spawn(async move {
            let _count = count;
            make().await;
        });
    }

    /// Ends all tasks at their next wait.
    pub fn stop(self) {
        for thread in self.threads {
            thread.runtime.shutdown_background();
        }
    }
}

/// Counts a connection for as long as it lives.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
