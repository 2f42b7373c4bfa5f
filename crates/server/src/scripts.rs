//! Scripts as the server holds them: one registry, the watchdog, and what a long script means for others.

use crate::config::Settings;
use crate::server::Server;
use crate::shards::ShardCell;
use moonshard_engine::command::{Entry, Flags, Route};
use moonshard_engine::{Args, Error, ScriptCall};
use moonshard_scripting::{
    Basis, Control, Kill, Kind, Registry, ScriptFlags, ScriptSettings, Sha, VmHost, Watchdog, declared_flags,
    kill_slow, kill_slow_script, luajit_check,
};
use parking_lot::Mutex;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// The scripts of the whole server.
pub struct Scripts {
    /// What is known, by SHA1.
    pub registry: Arc<Registry>,
    /// The settings that the VMs and the watchdog read.
    pub settings: Arc<ScriptSettings>,
    /// Whether LuaJIT may compile.
    jit: bool,
}

impl Scripts {
    /// None yet. Looks whether LuaJIT's compiler may be used: where hooks do not reach compiled code, a compiled
    /// loop could not be killed.
    pub fn new(settings: &Settings) -> Self {
        let jit = luajit_check::hooks_reach_compiled_code();
        if !jit {
            tracing::warn!(
                "LuaJIT was built without LUAJIT_ENABLE_CHECKHOOK: its compiler stays off, so that scripts can be killed"
            );
        }
        let scripts = Self { registry: Arc::default(), settings: Arc::default(), jit };
        scripts.apply(settings);
        scripts
    }

    /// Takes over a changed configuration.
    pub fn apply(&self, settings: &Settings) {
        self.settings.busy_threshold_ms.store(settings.busy_reply_threshold, Relaxed);
        self.settings.strict_sandbox.store(settings.lua_strict_sandbox, Relaxed);
        self.settings.max_ms.store(settings.script_max_ms, Relaxed);
        self.settings.kill_over_limit.store(settings.script_kill_over_limit, Relaxed);
        let limit = usize::try_from(settings.script_memory_limit).unwrap_or(usize::MAX);
        self.settings.memory_limit_bytes.store(limit, Relaxed);
        self.registry.limit_evaluated(settings.script_cache_max_entries, settings.script_cache_max_bytes);
        self.settings.set_default_flags(ScriptFlags::from_bits_truncate(settings.lua_default_flags.bits()));
    }

    /// What the plans of scripts' calls depend on.
    #[inline]
    pub fn basis(&self) -> Basis {
        Basis::new(&self.registry, &self.settings)
    }

    /// What a shard's VM needs of the server.
    pub fn host(&self) -> VmHost {
        VmHost { shed: Arc::new(shed_worker), jit: self.jit, settings: self.settings.clone() }
    }
}

/// Moves the other tasks of this I/O thread to a new thread; this one goes on with the script.
///
/// The runtime does so when a task says that it will block. But when that task is ready again it takes the tasks back,
/// if the new thread has not begun with them, or if the new thread is giving them away itself at that moment, for the
/// next slow script. So this waits for a sign from the new thread, and afterwards makes sure that the tasks are gone.
fn shed_worker() {
    /// For a thread to be started, on a machine that is busy.
    const START: Duration = Duration::from_millis(250);
    /// For a running thread to get to a task.
    const CONFIRMATION: Duration = Duration::from_millis(5);
    const ATTEMPTS: usize = 20;
    // Outside of a runtime there is nothing to move, and saying so would panic.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let sign = || {
        let (sign, seen) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            // Nobody listens any more when the wait was given up.
            let _ = sign.send(());
        });
        seen
    };
    for _ in 0..ATTEMPTS {
        let begun = sign();
        let _ = tokio::task::block_in_place(|| begun.recv_timeout(START));
        // This thread runs no task now. If one is run all the same, another thread has them.
        if sign().recv_timeout(CONFIRMATION).is_ok() {
            return;
        }
    }
    tracing::warn!("a slow script keeps its I/O thread: no other thread took over its connections");
}

/// The shards that the script on this shard's VM has locked, if there are others than its own.
#[derive(Debug, Default)]
pub struct HeldShards(Mutex<Vec<usize>>);

impl HeldShards {
    /// Notes what the script that is about to run holds; nothing once it has run.
    pub fn set(&self, shards: impl Iterator<Item = usize>) {
        let mut held = self.0.lock();
        held.clear();
        held.extend(shards);
    }

    /// Notes that it has ended.
    pub fn clear(&self) {
        self.0.lock().clear();
    }
}

impl Server {
    /// Starts the watchdog. It lives as long as what is returned.
    ///
    /// # Errors
    /// When the system has no thread or signal to give.
    pub fn watch_scripts(self: &Arc<Self>) -> io::Result<Watchdog> {
        let controls = self.script_controls();
        let server = Arc::downgrade(self);
        Watchdog::start(controls, self.scripts.settings.clone(), move |shard| {
            if let Some(server) = server.upgrade() {
                server.refuse_while_busy(shard);
            }
        })
    }

    /// The controls of all shards, and of those without slots.
    pub fn script_controls(&self) -> Vec<Arc<Control>> {
        self.cells().map(|cell| cell.control.clone()).collect()
    }

    /// Answers BUSY to whoever waits or comes for a shard that a busy script holds.
    fn refuse_while_busy(&self, shard: usize) {
        let cell = self.cell(shard);
        let held = cell.script_holds.0.lock();
        let shards = || std::iter::once(shard).chain(held.iter().copied().filter(|&other| other != shard));
        shards().for_each(|shard| self.cell(shard).lock.refuse_waiters(true));
        // The script may have ended meanwhile, and others have got the locks.
        if !cell.control.is_busy() {
            shards().for_each(|shard| self.cell(shard).lock.refuse_waiters(false));
        }
    }

    /// A command's flags; those of a script's call are what it declares, if it does.
    pub fn flags_of(&self, entry: &Entry, args: Args<'_>) -> Flags {
        let flags = entry.command.meta.flags;
        if entry.command.meta.route != Route::Script {
            return flags;
        }
        let declared = ScriptCall::parse(entry.command, args)
            .ok()
            .and_then(|call| declared_flags(&self.scripts.registry, call.script))
            .filter(|declared| declared.contains(ScriptFlags::DECLARED));
        let Some(declared) = declared else { return flags };
        let writes = !declared.contains(ScriptFlags::NO_WRITES);
        let mut flags = flags.difference(Flags::MAY_REPLICATE.union(Flags::WRITE).union(Flags::DENYOOM));
        flags.set(Flags::WRITE, writes);
        flags.set(Flags::DENYOOM, writes && !declared.contains(ScriptFlags::ALLOW_OOM));
        flags
    }

    /// SCRIPT KILL and FUNCTION KILL.
    ///
    /// # Errors
    /// NOTBUSY, UNKILLABLE and BUSY.
    pub fn kill_scripts(&self, kind: Kind) -> Result<(), Error> {
        let outcome = match kill_slow(&self.script_controls(), kind) {
            Kill::NotBusy => self.debugging.kill_copies(kind),
            outcome => outcome,
        };
        self.debugging.wake();
        outcome.into_result()
    }

    /// SCRIPT KILL SHA.
    ///
    /// # Errors
    /// NOTBUSY, also for what is no SHA1, and UNKILLABLE.
    pub fn kill_script(&self, sha: &[u8]) -> Result<(), Error> {
        let kill = |sha| kill_slow_script(&self.script_controls(), &sha);
        let outcome = Sha::from_client(sha).map_or(Kill::NotBusy, kill);
        self.debugging.wake();
        outcome.into_result()
    }

    /// Whether scripts hold every shard, so that no key can be had.
    #[inline]
    pub fn is_busy(&self) -> bool {
        self.shards.iter().all(|cell| cell.lock.is_refusing())
    }

    /// What is answered to who wants one of these shards while a script or function holds it.
    #[cold]
    pub fn busy_error(&self, shards: &[usize]) -> Error {
        let busy = |cell: &ShardCell| cell.control.busy();
        let own = shards.iter().find_map(|&shard| self.shards.get(shard).and_then(busy));
        // It may be another shard's that holds this one too.
        own.or_else(|| self.cells().find_map(busy)).map_or(Error::BUSY, Kind::busy)
    }

    /// Ends every script that has not written, or that is over `busy-reply-threshold`: the server is about to end.
    pub fn end_most_scripts(&self) {
        for cell in self.cells() {
            if cell.control.is_busy() {
                cell.control.kill_even_if_written();
            } else {
                cell.control.kill();
            }
        }
        self.debugging.end();
    }

    /// Ends every script whether it has written or not: the server ends.
    pub fn end_scripts(&self) {
        for cell in self.cells() {
            cell.control.kill_even_if_written();
        }
        self.debugging.end();
    }
}
