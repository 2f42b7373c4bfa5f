//! The thread that notices slow scripts, so that fast ones need not be looked at.

use crate::control::{Bell, Control, Kill, Kind, SLOW, UNTIMED};
use crate::limits::stricter;
use crate::settings::ScriptSettings;
use crate::signal;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often running scripts are looked at: one seen twice is slow.
const TICK: Duration = SLOW;
/// Ticks without a script after which the watchdog sleeps until one starts.
const IDLE_TICKS: u32 = 32;

/// The watchdog over all shards. Dropping it ends its thread.
#[derive(Debug)]
pub struct Watchdog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What the watchdog remembers of a shard.
#[derive(Clone, Copy)]
struct Seen {
    run: u64,
    since: Instant,
    slow: bool,
    busy: bool,
    over_limit: bool,
}

impl Watchdog {
    /// Starts the thread. `on_busy` is called on it with a shard's index, once for each script that runs longer
    /// than [`ScriptSettings::busy_threshold_ms`].
    ///
    /// # Errors
    /// When the system has no thread, or no signal, to give.
    pub fn start(
        controls: Vec<Arc<Control>>,
        settings: Arc<ScriptSettings>,
        on_busy: impl Fn(usize) + Send + 'static,
    ) -> io::Result<Self> {
        signal::install()?;
        let stop = Arc::new(AtomicBool::new(false));
        let (send, receive) = mpsc::channel::<Arc<Bell>>();
        let stopping = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("script-watchdog".into()).spawn(move || {
            if let Ok(bell) = receive.recv() {
                watch(&controls, &settings, &bell, &stopping, on_busy);
            }
        })?;
        // Whether it sleeps is not known until it has looked: a bell rung for nothing is harmless.
        let bell = Arc::new(Bell { asleep: AtomicBool::new(true), thread: thread.thread().clone() });
        let _ = send.send(bell);
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It panics only with `on_busy`, which has said so.
            let _ = thread.join();
        }
    }
}

fn watch(
    controls: &[Arc<Control>],
    settings: &ScriptSettings,
    bell: &Arc<Bell>,
    stop: &AtomicBool,
    on_busy: impl Fn(usize),
) {
    for control in controls {
        control.set_bell(Arc::clone(bell));
    }
    let mut seen = vec![
        Seen { run: 0, since: Instant::now(), slow: false, busy: false, over_limit: false };
        controls.len()
    ];
    let mut idle = 0;
    bell.asleep.store(false, Ordering::SeqCst);
    while !stop.load(Ordering::SeqCst) {
        let mut running = false;
        for (index, (control, seen)) in controls.iter().zip(&mut seen).enumerate() {
            running |= look(index, control, seen, settings, &on_busy);
        }
        idle = if running { 0 } else { idle + 1 };
        if idle < IDLE_TICKS {
            std::thread::sleep(TICK);
            continue;
        }
        bell.asleep.store(true, Ordering::SeqCst);
        // A script that started before it could see that sets nobody free.
        if !controls.iter().any(|control| control.is_running()) && !stop.load(Ordering::SeqCst) {
            std::thread::park();
        }
        bell.asleep.store(false, Ordering::SeqCst);
        idle = 0;
    }
}

/// Looks at one shard. Returns whether a script runs there.
fn look(
    index: usize,
    control: &Control,
    seen: &mut Seen,
    settings: &ScriptSettings,
    on_busy: &impl Fn(usize),
) -> bool {
    let Some(run) = control.run() else { return false };
    if seen.run != run {
        *seen = Seen { run, since: Instant::now(), slow: false, busy: false, over_limit: false };
        return true;
    }
    let age = seen.since.elapsed();
    if !seen.slow && age >= TICK {
        seen.slow = true;
        control.mark_slow(run);
    } else {
        control.remind(run);
    }
    if over_limit(index, control, seen, settings, age) && !seen.busy {
        seen.busy = true;
        control.mark_busy(run);
        on_busy(index);
    }
    let threshold = settings.busy_threshold_ms.load(Ordering::Relaxed);
    if !seen.busy && threshold > 0 && age >= Duration::from_millis(threshold) {
        seen.busy = true;
        control.mark_busy(run);
        tracing::warn!(
            shard = index,
            "Slow script detected: still in execution after {} milliseconds. You can try killing the script using \
             the {} KILL command.",
            age.as_millis(),
            if control.busy() == Some(Kind::Function) { "FUNCTION" } else { "SCRIPT" }
        );
        on_busy(index);
    }
    true
}

/// Deals with a script that has just come over its limit. Returns whether it goes on, and is to be told busy.
fn over_limit(
    index: usize,
    control: &Control,
    seen: &mut Seen,
    settings: &ScriptSettings,
    age: Duration,
) -> bool {
    let limit = stricter(control.max_ms(), settings.max_ms.load(Ordering::Relaxed));
    if seen.over_limit || limit == 0 || control.max_ms() == UNTIMED || age < Duration::from_millis(limit) {
        return false;
    }
    seen.over_limit = true;
    let kills = settings.kill_over_limit.load(Ordering::Relaxed);
    let outcome = if kills { control.kill_over(seen.run, limit) } else { Kill::Unkillable };
    match outcome {
        Kill::Killed => {
            tracing::warn!(shard = index, "Script killed: it ran for longer than {limit} milliseconds.");
        }
        Kill::Unkillable => tracing::warn!(
            shard = index,
            "A script has run for longer than {limit} milliseconds and is not ended: {}.",
            if kills { "it has written" } else { "script-kill-over-limit is off" }
        ),
        Kill::NotBusy | Kill::Other(_) => return false,
    }
    outcome == Kill::Unkillable
}
