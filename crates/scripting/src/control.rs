//! What other threads see of the script that runs on a shard, and how they end it.

use crate::sha::Sha;
use crate::signal;
use crate::spectator::Spectator;
use moonshard_engine::Error;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// A script that is older is slow.
pub(crate) const SLOW: Duration = Duration::from_millis(1);

/// What came of an attempt to end a script; of several, what is greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kill {
    /// No script runs.
    NotBusy,
    /// Only one of this kind runs, which was not meant.
    Other(Kind),
    /// It has written.
    Unkillable,
    /// It will end.
    Killed,
}

impl Kill {
    /// What SCRIPT KILL and FUNCTION KILL answer.
    ///
    /// # Errors
    /// NOTBUSY, UNKILLABLE and BUSY, as Redis words them.
    pub const fn into_result(self) -> Result<(), Error> {
        match self {
            Self::Killed => Ok(()),
            Self::Other(kind) => Err(kind.busy()),
            Self::NotBusy => Err(Error::fixed("NOTBUSY No scripts in execution right now.")),
            Self::Unkillable => Err(Error::fixed(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either \
                 wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            )),
        }
    }
}

/// Set in [`Control::state`] while a script runs.
const RUNNING: u64 = 1;
/// Set once it may have written.
const WROTE: u64 = 2;
/// Set once it is to end.
const KILLED: u64 = 4;
/// Set while it is a function.
const FUNCTION: u64 = 8;
/// The limit of a run that has none, whatever the settings say: it waits for people.
pub(crate) const UNTIMED: u64 = u64::MAX;
/// The runs are counted above these flags.
const RUN_SHIFT: u32 = 4;

/// What runs on a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A script of EVAL or EVALSHA.
    Script,
    /// A function of a library.
    Function,
}

impl Kind {
    /// What callers are told while it is busy.
    pub const fn busy(self) -> Error {
        match self {
            Self::Script => Error::BUSY,
            Self::Function => Error::BUSY_FUNCTION,
        }
    }
}

/// A script that is over a millisecond old.
#[derive(Clone, Debug)]
pub struct SlowCall {
    run: u64,
    /// What it is.
    pub kind: Kind,
    /// The function's name, or the script's SHA1.
    pub name: Box<[u8]>,
    /// The call, the command's name first.
    pub args: Vec<Box<[u8]>>,
    /// When it began, to a millisecond or so.
    pub since: Instant,
}

/// Wakes the watchdog when a script starts while it sleeps.
#[derive(Debug)]
pub(crate) struct Bell {
    pub(crate) asleep: AtomicBool,
    pub(crate) thread: Thread,
}

/// One shard's script as other threads see it. Any thread may call anything here; only the shard's VM begins and
/// ends a run.
#[derive(Debug, Default)]
pub struct Control {
    /// The number of the run and its flags, in one word, so that a kill and a first write exclude each other.
    state: AtomicU64,
    /// The kernel's number of the thread that runs the script.
    thread: AtomicI32,
    /// The run that the watchdog found to be slow: older than about a millisecond.
    slow: AtomicU64,
    /// The slow run whose hook has heard the signal.
    heard: AtomicU64,
    /// The run that the watchdog found over the busy threshold.
    busy: AtomicU64,
    /// The first 64 bits of the running script's SHA1, which tell it apart; 0 for a function.
    sha_bits: AtomicU64,
    /// Milliseconds that the running script allows itself; 0 for no limit.
    max_ms: AtomicU64,
    /// The limit in milliseconds that the killed script was over; 0 if somebody killed it.
    overstepped_ms: AtomicU64,
    /// The slow run, described by itself.
    slow_call: Mutex<Option<SlowCall>>,
    bell: OnceLock<Arc<Bell>>,
    /// Who sees the commands that the shard's scripts run.
    pub spectator: Spectator,
}

impl Control {
    /// The control of a shard on which nothing runs.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn set_bell(&self, bell: Arc<Bell>) {
        // A second watchdog over the same shard would be a mistake of the caller's; the first one keeps it.
        let _ = self.bell.set(bell);
    }

    /// Begins a run of a script with these [bits](Sha::bits), or of a function, which has none, on this thread. Returns
    /// its number. `max_ms` is the run's own limit, 0 for none, or [`UNTIMED`].
    #[inline]
    pub(crate) fn begin(&self, sha_bits: Option<u64>, max_ms: u64) -> u64 {
        let run = (self.state.load(Ordering::Relaxed) >> RUN_SHIFT) + 1;
        self.thread.store(signal::this_thread(), Ordering::Relaxed);
        self.sha_bits.store(sha_bits.unwrap_or(0), Ordering::Relaxed);
        self.max_ms.store(max_ms, Ordering::Relaxed);
        let kind = if sha_bits.is_none() { FUNCTION } else { 0 };
        // Ordered before the look at the bell, as the watchdog orders its look at the state after `asleep`.
        self.state.swap((run << RUN_SHIFT) | kind | RUNNING, Ordering::SeqCst);
        if let Some(bell) = self.bell.get()
            && bell.asleep.load(Ordering::SeqCst)
        {
            bell.thread.unpark();
        }
        run
    }

    /// Ends the run. Returns whether it was killed.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        self.state.store(state & !(RUNNING | WROTE | KILLED | FUNCTION), Ordering::Release);
        state & KILLED != 0
    }

    /// Notes that the script is about to write for the first time. False if it was killed before that.
    #[inline]
    pub(crate) fn begin_writing(&self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        state & KILLED == 0
            && self.state.compare_exchange(state, state | WROTE, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Takes [`Control::begin_writing`] back: the write was refused.
    #[cold]
    pub(crate) fn did_not_write(&self) {
        self.state.fetch_and(!WROTE, Ordering::AcqRel);
    }

    /// Whether the running script is to end.
    #[inline]
    pub fn is_killed(&self) -> bool {
        self.state.load(Ordering::Acquire) & KILLED != 0
    }

    /// Whether the watchdog found this run to be slow.
    pub(crate) fn is_slow(&self, run: u64) -> bool {
        self.slow.load(Ordering::Acquire) == run
    }

    /// The number of the script that runs.
    pub(crate) fn run(&self) -> Option<u64> {
        let state = self.state.load(Ordering::SeqCst);
        (state & RUNNING != 0).then_some(state >> RUN_SHIFT)
    }

    /// Tells the thread that runs the script that it is slow.
    pub(crate) fn mark_slow(&self, run: u64) {
        self.slow.store(run, Ordering::Release);
        signal::send(self.thread.load(Ordering::Relaxed));
    }

    /// Notes that the slow script's hook ran.
    pub(crate) fn hear(&self, run: u64) {
        self.heard.store(run, Ordering::Release);
    }

    /// Describes the slow script, which is the caller.
    #[cold]
    pub(crate) fn describe(&self, run: u64, name: &[u8], args: &[&[u8]]) {
        let kind = self.kind();
        let args = args.iter().map(|&arg| arg.into()).collect();
        let since = Instant::now().checked_sub(SLOW).unwrap_or_else(Instant::now);
        *self.slow_call.lock() = Some(SlowCall { run, kind, name: name.into(), args, since });
    }

    /// What runs, or ran last.
    fn kind(&self) -> Kind {
        if self.state.load(Ordering::Acquire) & FUNCTION == 0 { Kind::Script } else { Kind::Function }
    }

    /// What is busy, if something is: see [`Control::is_busy`].
    #[inline]
    pub fn busy(&self) -> Option<Kind> {
        let kind = self.kind();
        self.is_busy().then_some(kind)
    }

    /// The script that runs, if it is over a millisecond old.
    pub fn slow_call(&self) -> Option<SlowCall> {
        let run = self.run()?;
        self.slow_call.lock().clone().filter(|call| call.run == run)
    }

    /// Signals the script's thread again if a signal was lost on it. LuaJIT changes the mask of its hooks in several
    /// steps, and a signal between them can be undone; so it is sent until the hook has run.
    pub(crate) fn remind(&self, run: u64) {
        let unheard = self.is_slow(run) && self.heard.load(Ordering::Acquire) != run;
        if unheard || self.is_killed() {
            signal::send(self.thread.load(Ordering::Relaxed));
        }
    }

    /// Milliseconds that the running script allows itself; 0 for no limit.
    pub(crate) fn max_ms(&self) -> u64 {
        self.max_ms.load(Ordering::Relaxed)
    }

    /// Ends this run for it is over its limit, if it has not written.
    pub(crate) fn kill_over(&self, run: u64, limit_ms: u64) -> Kill {
        // Written before the kill can be seen; a run that is not killed does not ask.
        self.overstepped_ms.store(limit_ms, Ordering::Relaxed);
        self.kill_unless(WROTE, Some(run))
    }

    /// The limit in milliseconds for which the script was killed; 0 if somebody killed it.
    pub(crate) fn overstepped_ms(&self) -> u64 {
        self.overstepped_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn mark_busy(&self, run: u64) {
        self.busy.store(run, Ordering::Release);
    }

    /// Whether a script runs.
    pub fn is_running(&self) -> bool {
        self.run().is_some()
    }

    /// Whether a script runs that is over a millisecond old.
    pub fn has_slow_script(&self) -> bool {
        self.run().is_some_and(|run| self.is_slow(run))
    }

    /// Whether a script has run for longer than the busy threshold, so that others are to be told BUSY.
    #[inline]
    pub fn is_busy(&self) -> bool {
        self.run().is_some_and(|run| self.busy.load(Ordering::Acquire) == run)
    }

    /// Whether the running script may have written.
    pub fn has_written(&self) -> bool {
        self.state.load(Ordering::Acquire) & (RUNNING | WROTE) == RUNNING | WROTE
    }

    /// The first 64 bits of the running script's SHA1.
    pub fn running_sha_bits(&self) -> Option<u64> {
        let run = self.run()?;
        let bits = self.sha_bits.load(Ordering::Relaxed);
        (self.run() == Some(run)).then_some(bits)
    }

    /// Scripts run so far.
    pub fn scripts(&self) -> u64 {
        self.state.load(Ordering::Relaxed) >> RUN_SHIFT
    }

    /// Ends the running script if it has not written: neither `pcall` nor a coroutine saves it.
    pub fn kill(&self) -> Kill {
        self.overstepped_ms.store(0, Ordering::Relaxed);
        self.kill_unless(WROTE, None)
    }

    /// Ends the running script if it is slow, is this one, and has not written.
    pub fn kill_script(&self, sha: &Sha) -> Kill {
        let Some(run) = self.run() else { return Kill::NotBusy };
        // Its number is compared again by the kill: another script may run by then.
        if !self.is_slow(run) || self.kind() != Kind::Script || self.running_sha_bits() != Some(sha.bits()) {
            return Kill::NotBusy;
        }
        self.overstepped_ms.store(0, Ordering::Relaxed);
        self.kill_unless(WROTE, Some(run))
    }

    /// Ends the running script whether it has written or not: for SHUTDOWN.
    pub fn kill_even_if_written(&self) -> Kill {
        self.overstepped_ms.store(0, Ordering::Relaxed);
        self.kill_unless(0, None)
    }

    /// Ends `run`, or whatever runs, unless it has one of the flags `forbidden`.
    fn kill_unless(&self, forbidden: u64, run: Option<u64>) -> Kill {
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            if state & RUNNING == 0 || run.is_some_and(|run| state >> RUN_SHIFT != run) {
                return Kill::NotBusy;
            }
            if state & forbidden != 0 {
                return Kill::Unkillable;
            }
            let killed = state | KILLED;
            match self.state.compare_exchange_weak(state, killed, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => state = now,
            }
        }
        signal::send(self.thread.load(Ordering::Relaxed));
        Kill::Killed
    }
}

/// SCRIPT KILL and FUNCTION KILL: ends the scripts of a kind that are over the busy threshold, or if there is none,
/// those that are slow. A script that is neither is about to end by itself, and not what the operator means.
pub fn kill_slow(controls: &[Arc<Control>], kind: Kind) -> Kill {
    let other = match kind {
        Kind::Script => Kind::Function,
        Kind::Function => Kind::Script,
    };
    let killed = |which: fn(&Control) -> bool| {
        let kill = |control: &Arc<Control>| {
            if control.kind() == kind {
                return control.kill();
            }
            // Redis looks at what it has written first.
            if control.has_written() { Kill::Unkillable } else { Kill::Other(other) }
        };
        controls.iter().filter(|control| which(control)).map(kill).max().unwrap_or(Kill::NotBusy)
    };
    match killed(Control::is_busy) {
        Kill::NotBusy => killed(Control::has_slow_script),
        outcome => outcome,
    }
}

/// SCRIPT KILL SHA: ends this script wherever it runs and is slow.
pub fn kill_slow_script(controls: &[Arc<Control>], sha: &Sha) -> Kill {
    controls.iter().map(|control| control.kill_script(sha)).max().unwrap_or(Kill::NotBusy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_and_a_kill_exclude_each_other() {
        signal::install().unwrap();
        let control = Control::new();
        let sha = Sha::of(b"");
        assert_eq!(control.kill(), Kill::NotBusy);
        control.begin(Some(sha.bits()), 0);
        assert!(control.begin_writing());
        assert!(control.has_written());
        assert_eq!(control.kill(), Kill::Unkillable);
        assert_eq!(control.kill_even_if_written(), Kill::Killed);
        assert!(control.is_killed());
        assert!(control.end());
        control.begin(Some(sha.bits()), 0);
        assert!(!control.is_killed() && !control.has_written());
        assert_eq!(control.running_sha_bits(), Some(sha.bits()));
        assert_eq!(control.kill(), Kill::Killed);
        assert!(!control.begin_writing());
        assert!(control.end());
        control.begin(Some(sha.bits()), 0);
        assert!(control.begin_writing());
        control.did_not_write();
        assert!(!control.has_written());
        assert!(!control.end());
        assert_eq!((control.scripts(), control.is_running()), (3, false));
    }

    #[test]
    fn only_slow_scripts_are_meant() {
        signal::install().unwrap();
        let controls = [Arc::new(Control::new()), Arc::new(Control::new())];
        let sha = Sha::of(b"");
        let first = controls[0].begin(Some(sha.bits()), 0);
        controls[1].begin(Some(sha.bits()), 0);
        assert_eq!(kill_slow(&controls, Kind::Script), Kill::NotBusy);
        controls[0].mark_slow(first);
        assert_eq!(kill_slow(&controls, Kind::Script), Kill::Killed);
        assert!(controls[0].is_killed() && !controls[1].is_killed());
    }

    #[test]
    fn a_named_script_is_the_only_one_killed() {
        signal::install().unwrap();
        let controls = [Arc::new(Control::new()), Arc::new(Control::new()), Arc::new(Control::new())];
        let (one, other) = (Sha::of(b"one"), Sha::of(b"other"));
        for (control, sha) in controls.iter().zip([&one, &other, &one]) {
            let run = control.begin(Some(sha.bits()), 0);
            control.mark_slow(run);
        }
        assert_eq!(kill_slow_script(&controls, &Sha::of(b"third")), Kill::NotBusy);
        assert!(controls[2].begin_writing());
        assert_eq!(kill_slow_script(&controls, &one), Kill::Killed);
        let killed: Vec<_> = controls.iter().map(|control| control.is_killed()).collect();
        assert_eq!(killed, [true, false, false], "the third has written");
        controls[0].end();
        assert_eq!(kill_slow_script(&controls, &one), Kill::Unkillable);
    }

    #[test]
    fn a_limit_kills_the_run_that_was_over_it_and_no_other() {
        signal::install().unwrap();
        let control = Control::new();
        let sha = Sha::of(b"");
        let first = control.begin(Some(sha.bits()), 7);
        assert_eq!(control.max_ms(), 7);
        control.end();
        let second = control.begin(Some(sha.bits()), 0);
        assert_eq!(control.kill_over(first, 7), Kill::NotBusy);
        assert!(!control.is_killed());
        assert_eq!(control.kill_over(second, 9), Kill::Killed);
        assert_eq!((control.is_killed(), control.overstepped_ms()), (true, 9));
    }

    #[test]
    fn each_kind_has_its_own_kill() {
        signal::install().unwrap();
        let controls = [Arc::new(Control::new()), Arc::new(Control::new())];
        let run = controls[0].begin(None, 0);
        controls[0].mark_slow(run);
        assert_eq!(kill_slow(&controls, Kind::Script), Kill::Other(Kind::Function));
        assert_eq!(controls[0].busy(), None);
        controls[0].mark_busy(run);
        assert_eq!(controls[0].busy(), Some(Kind::Function));
        controls[0].describe(run, b"f", &[b"fcall", b"f", b"0"]);
        assert_eq!(&*controls[0].slow_call().unwrap().name, b"f");
        assert_eq!(kill_slow(&controls, Kind::Function), Kill::Killed);
        controls[0].end();
        assert!(controls[0].slow_call().is_none());
        assert_eq!(kill_slow(&controls, Kind::Function), Kill::NotBusy);
        let run = controls[1].begin(None, 0);
        controls[1].mark_slow(run);
        assert!(controls[1].begin_writing());
        assert_eq!(kill_slow(&controls, Kind::Script), Kill::Unkillable);
        controls[1].end();
    }
}
