//! How many I/O threads are in use.
//!
//! A second thread only helps while a core has nothing else to do. Otherwise it takes its time from the first one, or
//! from the clients on the same machine, and makes every request dearer: fewer requests are found at each look for
//! events, and the threads wait for each other at the shards. So connections are kept together on as few threads as
//! can serve them, and are spread as soon as those are busy while cores are idle.

use crate::runtime::IoPool;
use crate::server::Server;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// How often the load is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Looks in a row that must agree before anything is changed.
const AGREEING: u32 = 3;
/// A thread that is busy for a larger part of its time cannot take more.
const BUSY: f64 = 0.75;
/// Threads that would all be below this with one thread less are too many.
const RELAXED: f64 = 0.40;
/// Idle cores from which on another thread has one to run on.
const IDLE_CORES: f64 = 0.40;

/// What the load asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Stay,
    Widen,
    Narrow,
}

/// What to do with so many threads of which each was `busy` for a part of the time, beside `idle_cores`.
fn judge(busy: &[f64], threads: usize, idle_cores: f64) -> Verdict {
    let active = busy.len();
    if active < threads && idle_cores > IDLE_CORES && busy.iter().all(|&part| part > BUSY) {
        return Verdict::Widen;
    }
    if active > 1 && busy.iter().sum::<f64>() < (active - 1) as f64 * RELAXED {
        return Verdict::Narrow;
    }
    Verdict::Stay
}

/// Runs until the server ends. Does nothing where there is only one thread.
pub async fn run(server: Arc<Server>, pool: Arc<IoPool>) {
    if pool.len() == 1 {
        return;
    }
    let mut meter = Meter::new(&pool);
    let (mut last, mut agreeing) = (Verdict::Stay, 0);
    while !server.shutdown.is_requested() {
        tokio::time::sleep(LOOK).await;
        let active = pool.active();
        let (busy, idle_cores) = meter.read(&pool);
        let verdict = judge(&busy[..active], pool.len(), idle_cores);
        agreeing = if verdict == last { agreeing + 1 } else { 1 };
        last = verdict;
        if agreeing < AGREEING || verdict == Verdict::Stay {
            continue;
        }
        agreeing = 0;
        let active = if verdict == Verdict::Widen { active + 1 } else { active - 1 };
        tracing::debug!(active, "I/O threads in use");
        server.use_io_threads(active);
    }
}

impl Server {
    /// Uses so many I/O threads, at least one and at most those there are, and deals all connections anew to them.
    /// Each moves when it next has something to do.
    pub fn use_io_threads(&self, active: usize) {
        let Some(pool) = self.io.get() else { return };
        pool.set_active(active);
        for (at, client) in self.clients.all().iter().enumerate() {
            client.io_thread.store(at % pool.active(), Relaxed);
        }
    }

    /// How many I/O threads are in use.
    pub fn io_threads_in_use(&self) -> usize {
        self.io.get().map_or(1, |pool| pool.active())
    }
}

/// Reads how busy the threads and the machine were since the last look.
struct Meter {
    at: Instant,
    busy: Vec<Duration>,
    idle_ticks: Option<u64>,
    /// The recent idle cores, smoothed: the system counts in ticks of ten milliseconds.
    idle_cores: f64,
}

impl Meter {
    fn new(pool: &IoPool) -> Self {
        Self {
            at: Instant::now(),
            busy: (0..pool.len()).map(|index| pool.busy(index)).collect(),
            idle_ticks: idle_ticks(),
            idle_cores: 0.0,
        }
    }

    /// For each thread the part of the time that it was busy, and the cores that were idle.
    fn read(&mut self, pool: &IoPool) -> (Vec<f64>, f64) {
        const TICKS_A_SECOND: f64 = 100.0;
        let elapsed = self.at.elapsed().as_secs_f64().max(0.001);
        self.at = Instant::now();
        let parts = self.busy.iter_mut().enumerate().map(|(index, before)| {
            let now = pool.busy(index);
            let part = now.saturating_sub(*before).as_secs_f64() / elapsed;
            *before = now;
            part.min(1.0)
        });
        let parts = parts.collect();
        let ticks = idle_ticks();
        // Where the system does not tell, a core is taken to be free.
        let idle = match (self.idle_ticks, ticks) {
            (Some(before), Some(now)) => now.saturating_sub(before) as f64 / TICKS_A_SECOND / elapsed,
            _ => 1.0,
        };
        self.idle_ticks = ticks;
        self.idle_cores = (self.idle_cores + idle) / 2.0;
        (parts, self.idle_cores)
    }
}

/// Ticks of a hundredth of a second that all cores together were idle since the system started.
fn idle_ticks() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    // "cpu  user nice system idle iowait ..."
    stat.lines().next()?.split_ascii_whitespace().nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_beside_an_idle_core_asks_for_another() {
        assert_eq!(judge(&[0.95], 2, 0.9), Verdict::Widen);
        assert_eq!(judge(&[0.95, 0.9], 4, 2.0), Verdict::Widen);
    }

    #[test]
    fn no_thread_is_added_without_a_core_or_a_need_or_a_thread() {
        assert_eq!(judge(&[0.95], 2, 0.1), Verdict::Stay);
        assert_eq!(judge(&[0.5], 2, 0.9), Verdict::Stay);
        assert_eq!(judge(&[0.95, 0.5], 4, 2.0), Verdict::Stay);
        assert_eq!(judge(&[0.95, 0.95], 2, 2.0), Verdict::Stay);
    }

    #[test]
    fn threads_that_have_little_to_do_are_given_up() {
        assert_eq!(judge(&[0.2, 0.1], 2, 1.5), Verdict::Narrow);
        assert_eq!(judge(&[0.2], 2, 1.5), Verdict::Stay);
        assert_eq!(judge(&[0.6, 0.5], 2, 0.5), Verdict::Stay);
    }

    #[test]
    fn what_widened_does_not_narrow_at_once() {
        // A load that just filled one thread is spread over two: far from narrow again.
        assert_eq!(judge(&[BUSY / 2.0 + 0.05, BUSY / 2.0 + 0.05], 2, 0.5), Verdict::Stay);
    }
}
