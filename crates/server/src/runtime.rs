//! The I/O threads.
//!
//! Each is a runtime of one worker with an event loop of its own, and a connection lives on one of them. Against one
//! runtime of many workers this saves the waking of sleeping workers and the stealing of tasks at every request. A
//! runtime of one *multi-threaded* worker, and not a single-threaded one, so that a long script can hand its worker's
//! other tasks to a new thread.
//!
//! Of the threads there are, only as many are in use as the load needs: see [`balance`](crate::balance).

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

/// The I/O threads, owned. See the [module](self).
pub struct IoThreads {
    runtimes: Vec<Runtime>,
    pool: Arc<IoPool>,
}

/// One I/O thread, for those who give it work.
struct IoThread {
    handle: Handle,
    connections: Arc<AtomicUsize>,
}

/// Where connections live.
pub struct IoPool {
    threads: Vec<IoThread>,
    /// How many of the threads, from the first, are in use.
    active: AtomicUsize,
}

impl IoThreads {
    /// Starts `count` of them, at least one.
    ///
    /// # Errors
    /// When the system has no thread or no event queue to give.
    pub fn start(count: usize) -> io::Result<Self> {
        let runtimes = (0..count.max(1)).map(|index| {
            Builder::new_multi_thread()
                .worker_threads(1)
                .thread_stack_size(moonshard_scripting::THREAD_STACK_BYTES)
                .thread_name(format!("io-{index}"))
                .event_interval(31)
                .enable_all()
                .build()
        });
        let runtimes = runtimes.collect::<io::Result<Vec<_>>>()?;
        let of =
            |runtime: &Runtime| IoThread { handle: runtime.handle().clone(), connections: Arc::default() };
        let pool = IoPool { threads: runtimes.iter().map(of).collect(), active: AtomicUsize::new(1) };
        Ok(Self { runtimes, pool: Arc::new(pool) })
    }

    /// Where connections live.
    pub fn pool(&self) -> &Arc<IoPool> {
        &self.pool
    }

    /// Runs a future on this thread until it ends.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtimes[0].block_on(future)
    }

    /// Starts a task on the first I/O thread: what is not a connection. What is returned can end it.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, future: F) -> AbortHandle {
        self.runtimes[0].spawn(future).abort_handle()
    }

    /// Ends all tasks at their next wait.
    pub fn stop(self) {
        for runtime in self.runtimes {
            runtime.shutdown_background();
        }
    }
}

impl IoPool {
    /// How many threads there are.
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// How many of them are in use.
    pub fn active(&self) -> usize {
        self.active.load(Relaxed)
    }

    /// Uses so many of them from now on, for new connections.
    pub fn set_active(&self, count: usize) {
        self.active.store(count.clamp(1, self.threads.len()), Relaxed);
    }

    /// The thread in use that has the fewest connections.
    pub fn roomiest(&self) -> usize {
        let connections = |&index: &usize| self.threads[index].connections.load(Relaxed);
        (0..self.active()).min_by_key(connections).unwrap_or(0)
    }

    /// How long a thread has been busy since it started.
    pub fn busy(&self, index: usize) -> Duration {
        self.threads[index].handle.metrics().worker_total_busy_duration(0)
    }

    /// Starts a connection's task on a thread. `make` is called there, so that what it registers with an event loop
    /// is registered with that thread's.
    pub fn spawn_connection<F, T>(&self, index: usize, make: F)
    where
        F: FnOnce() -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let thread = &self.threads[index];
        let count = Counted::new(&thread.connections);
        thread.handle.spawn(async move {
            let _count = count;
            make().await;
        });
    }
}

/// Counts a connection for as long as it lives on its thread.
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
