//! How many I/O threads are in use.
//!
//! A second thread only helps while a core has nothing else to do. Otherwise it takes its time from the first one, or
//! from the clients on the same machine, and makes every request dearer: fewer requests are found at each look for
//! events, and the threads wait for each other at the shards. So connections are kept together on as few threads as
//! can serve them, and are spread as soon as those are busy while cores are idle. Whether that helps is then measured: the
//! core that was idle may be one that the clients need, once there is more to do for them. A thread that has brought
//! little is given up again, and is not tried again soon.

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

/// Looks after a thread was added until its use is measured, and for how many.
const SETTLING: u32 = 2;
const MEASURED: u32 = 4;
/// Of what another thread could bring at best, the part that it has to bring.
const WORTH: f64 = 0.15;
/// Commands a second from which on their number says how much is done.
const TELLING_RATE: f64 = 5_000.0;
/// How long a thread that was not worth it is not tried again; each time twice as long.
const PATIENCE: std::ops::RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(32);

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

/// Tries whether an added thread is worth it.
#[derive(Debug, Default)]
struct Trial {
    /// Commands a second at the last looks, the latest first.
    recent: [f64; AGREEING as usize],
    /// What they were before the thread was added that is tried, and the looks since then.
    tried: Option<(f64, u32)>,
    /// The threads with it.
    threads: usize,
    /// What they were since then, summed up.
    sum: f64,
    /// How long nothing is tried after a failure, and for how many looks that is still so.
    wait: Duration,
    looks_left: u32,
}

impl Trial {
    /// A thread was added, with which there are so many.
    fn begin(&mut self, threads: usize) {
        let before = self.recent.iter().sum::<f64>() / self.recent.len() as f64;
        (self.tried, self.threads, self.sum) = (Some((before, 0)), threads, 0.0);
    }

    /// Whether no thread may be added now.
    const fn forbids(&self) -> bool {
        self.tried.is_some() || self.looks_left > 0
    }

    /// Takes note of the commands a second since the last look, with `active` threads, which may have had little to do.
    /// Returns whether the last one is to be given up.
    fn look(&mut self, rate: f64, active: usize, is_relaxed: bool) -> bool {
        self.recent.rotate_right(1);
        self.recent[0] = rate;
        self.looks_left = self.looks_left.saturating_sub(1);
        if is_relaxed {
            // Another load may come.
            (self.tried, self.wait, self.looks_left) = (None, Duration::ZERO, 0);
        }
        if active != self.threads {
            // The load has fallen, and taken the thread with it.
            self.tried = None;
        }
        let Some((before, looks)) = &mut self.tried else { return false };
        *looks += 1;
        if *looks > SETTLING {
            self.sum += rate;
        }
        if *looks < SETTLING + MEASURED {
            return false;
        }
        let gained = self.sum / f64::from(MEASURED) / *before - 1.0;
        let is_worth_it = *before < TELLING_RATE || gained * (active - 1) as f64 >= WORTH;
        self.tried = None;
        if is_worth_it {
            self.wait = Duration::ZERO;
        } else {
            self.wait = (self.wait * 2).clamp(*PATIENCE.start(), *PATIENCE.end());
            self.looks_left = (self.wait.as_millis() / LOOK.as_millis()) as u32;
        }
        !is_worth_it
    }
}

/// Runs until the server ends. Does nothing where there is only one thread.
pub async fn run(server: Arc<Server>, pool: Arc<IoPool>) {
    if pool.len() == 1 {
        return;
    }
    let mut meter = Meter::new(&pool);
    let mut trial = Trial::default();
    let (mut last, mut agreeing) = (Verdict::Stay, 0);
    while !server.shutdown.is_requested() {
        tokio::time::sleep(LOOK).await;
        let active = pool.active();
        let Reading { busy, idle_cores, rate } = meter.read(&pool, &server);
        let busy = &busy[..active];
        let is_relaxed = busy.iter().all(|&part| part < RELAXED);
        let is_given_up = trial.look(rate, active, is_relaxed);
        let verdict = match judge(busy, pool.len(), idle_cores) {
            _ if is_given_up => Verdict::Narrow,
            Verdict::Widen if trial.forbids() => Verdict::Stay,
            verdict => verdict,
        };
        agreeing = if verdict == last { agreeing + 1 } else { 1 };
        last = verdict;
        if !is_given_up && (agreeing < AGREEING || verdict == Verdict::Stay) {
            continue;
        }
        agreeing = 0;
        let active = if verdict == Verdict::Widen {
            trial.begin(active + 1);
            active + 1
        } else {
            active - 1
        };
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

/// What was measured since the last look.
struct Reading {
    /// For each thread the part of the time that it was busy.
    busy: Vec<f64>,
    /// The cores that were idle.
    idle_cores: f64,
    /// Commands a second.
    rate: f64,
}

/// Reads how busy the threads and the machine were since the last look.
struct Meter {
    at: Instant,
    commands: u64,
    busy: Vec<Duration>,
    idle_ticks: Option<u64>,
    /// The recent idle cores, smoothed: the system counts in ticks of ten milliseconds.
    idle_cores: f64,
}

impl Meter {
    fn new(pool: &IoPool) -> Self {
        Self {
            at: Instant::now(),
            commands: 0,
            busy: (0..pool.len()).map(|index| pool.busy(index)).collect(),
            idle_ticks: idle_ticks(),
            idle_cores: 0.0,
        }
    }

    fn read(&mut self, pool: &IoPool, server: &Server) -> Reading {
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
        let commands = server.stats.commands.load(Relaxed);
        let rate = commands.saturating_sub(self.commands) as f64 / elapsed;
        self.commands = commands;
        Reading { busy: parts, idle_cores: self.idle_cores, rate }
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

    /// What a trial says of a thread that was added to `active - 1` at `before` commands a second, and then served `after`.
    fn tried(trial: &mut Trial, active: usize, before: f64, after: f64) -> bool {
        (0..AGREEING).for_each(|_| assert!(!trial.look(before, active - 1, false)));
        trial.begin(active);
        // What the change itself costs does not count.
        (0..SETTLING).for_each(|_| assert!(!trial.look(0.0, active, false)));
        (1..MEASURED).for_each(|_| assert!(!trial.look(after, active, false)));
        assert!(trial.forbids());
        trial.look(after, active, false)
    }

    #[test]
    fn a_thread_that_brings_little_is_given_up() {
        assert!(tried(&mut Trial::default(), 2, 200e3, 190e3));
        assert!(tried(&mut Trial::default(), 2, 200e3, 220e3));
        assert!(!tried(&mut Trial::default(), 2, 200e3, 240e3));
        // The eighth can bring an eighth at best.
        assert!(!tried(&mut Trial::default(), 8, 700e3, 720e3));
        assert!(tried(&mut Trial::default(), 8, 700e3, 705e3));
        // So few may be long ones.
        assert!(!tried(&mut Trial::default(), 2, 100.0, 90.0));
    }

    #[test]
    fn a_trial_ends_with_its_thread() {
        let mut trial = Trial::default();
        (0..AGREEING).for_each(|_| assert!(!trial.look(600e3, 2, false)));
        trial.begin(3);
        assert!(!trial.look(600e3, 3, false) && trial.forbids());
        // Whoever had little to do is not given up for another that is gone.
        (0..SETTLING + MEASURED).for_each(|_| assert!(!trial.look(100e3, 2, false)));
        assert!(!trial.forbids());
    }

    #[test]
    fn what_was_not_worth_it_is_tried_again_later_and_later_until_the_load_has_gone() {
        let mut trial = Trial::default();
        for seconds in [2, 4, 8, 16, 32, 32] {
            assert!(tried(&mut trial, 2, 200e3, 200e3));
            for _ in 0..seconds * 20 {
                assert!(trial.forbids());
                trial.look(200e3, 1, false);
            }
            assert!(!trial.forbids(), "{seconds}");
        }
        assert!(tried(&mut trial, 2, 200e3, 200e3));
        trial.look(10.0, 1, true);
        assert!(!trial.forbids());
        assert!(!tried(&mut trial, 2, 200e3, 400e3));
        assert!(!trial.forbids());
    }

    #[test]
    fn what_widened_does_not_narrow_at_once() {
        // A load that just filled one thread is spread over two: far from narrow again.
        assert_eq!(judge(&[BUSY / 2.0 + 0.05, BUSY / 2.0 + 0.05], 2, 0.5), Verdict::Stay);
    }
}
