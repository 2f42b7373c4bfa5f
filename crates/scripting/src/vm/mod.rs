//! A shard's Lua VM, which runs its scripts.

mod aliases;
mod api;
mod bridge;
mod bytecode;
mod call;
mod counting;
mod debugger;
mod errors;
mod functions;
mod globals;
mod inspect;
mod interrupt;
mod profiler;
mod random;
mod register;
mod sandbox;
mod sort;
mod strings;
mod to_lua;
mod to_reply;

pub use debugger::{Console, Debugger, KeySource};
pub(crate) use inspect::{inspect, named_globals};
pub(crate) use interrupt::{Interruptible, poll};

use crate::control::{Control, Kind, UNTIMED};
use crate::flags::{ScriptFlags, Shebang};
use crate::library::FunctionId;
use crate::limits::Limits;
use crate::lua::Lua;
use crate::plan::{self, Plan};
use crate::recent;
use crate::registry::{Registry, Script};
use crate::settings::ScriptSettings;
use crate::sha::Sha;
use crate::signal;
use crate::stats::{ScriptName, StatsId, StatsTable};
use bridge::Bridge;
use functions::LoadedFunctions;
use mlua::ffi;
use moonshard_engine::admission::Gate;
use moonshard_engine::{
    Caller, CmdResult, Ctx, DONE, Error, ScriptCall, ScriptCaller, ScriptReads, ScriptRef, ScriptRunner,
};
use moonshard_protocol::{Encoding, Reply};
use sandbox::Sandbox;
use std::collections::HashMap;
use std::ffi::c_int;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Heap over which a VM collects its garbage after a script instead of waiting for the next ones.
const COLLECT_BYTES: usize = 8 << 20;
/// Scripts that a VM keeps compiled although they are not known any more, besides as many as are known.
const COMPILED_SPARE: usize = 64;
/// Memory for the replies of commands that a VM keeps between scripts.
const TAPE_BYTES_KEPT: usize = 256 << 10;

/// The heap grows to so many percent of what was left by the last collection before the next one begins. A VM's heap
/// is small, so waiting longer than Lua's 200 costs little memory and halves the work.
const GC_PAUSE_PERCENT: c_int = 400;
/// How fast a collection goes on, beside the allocations: Lua's own.
const GC_STEP_PERCENT: c_int = 200;

/// What a VM needs of the server around it.
#[derive(Clone)]
pub struct VmHost {
    /// Called once by a script that is slow, on its thread: moves the thread's other work elsewhere.
    pub shed: Arc<dyn Fn() + Send + Sync>,
    /// Whether scripts may be compiled to machine code.
    pub jit: bool,
    /// The settings.
    pub settings: Arc<ScriptSettings>,
}

impl std::fmt::Debug for VmHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VmHost")
            .field("jit", &self.jit)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// A script that a VM has compiled, or a function that it may still have to load.
#[derive(Clone, Copy, Debug)]
struct Compiled {
    /// Where its function is in Lua's registry.
    function: c_int,
    flags: ScriptFlags,
    limits: Limits,
    name: Name,
    stats: StatsId,
}

/// What tells a script or function apart.
#[derive(Clone, Copy, Debug)]
enum Name {
    /// Some of the bits of its SHA1, which is known where the script is counted.
    Script {
        sha_bits: u64,
    },
    Function(FunctionId),
}

impl Name {
    const fn kind(self) -> Kind {
        match self {
            Self::Script { .. } => Kind::Script,
            Self::Function(_) => Kind::Function,
        }
    }
}

/// A hasher for digests, which are hashes already.
#[derive(Default)]
struct ShaHasher(u64);

impl Hasher for ShaHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks_exact(8) {
            let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }
}

/// A Lua state made ready for scripts, and what was compiled in it.
#[derive(Debug)]
struct Ready {
    // Before the bridge, which its functions point to.
    lua: Lua,
    sandbox: Sandbox,
    compiled: HashMap<Sha, Compiled, BuildHasherDefault<ShaHasher>>,
    functions: LoadedFunctions,
    bridge: Box<Bridge>,
    /// Heap after garbage was last collected at once.
    collected_bytes: usize,
    /// What the last script has read.
    reads: ScriptReads,
    settings: Arc<ScriptSettings>,
    stats: StatsTable,
    /// What the last call ran.
    last: LastRun,
}

/// What the last call of a VM ran, for what is known of it only afterwards.
#[derive(Debug)]
struct LastRun {
    stats: StatsId,
    /// Ticks of its commands, if they were timed.
    command_ticks: Option<u64>,
    /// The script, if the call has made it known.
    introduced: Option<Arc<Script>>,
}

impl LastRun {
    const NONE: Self = Self { stats: StatsId::NONE, command_ticks: None, introduced: None };
}

/// A shard's Lua VM. It is behind the shard's lock, and its Lua state is made on the first script.
#[derive(Debug)]
pub struct Vm {
    index: usize,
    registry: Arc<Registry>,
    control: Arc<Control>,
    host: VmHost,
    generation: u64,
    plan: Option<Plan>,
    debugger: Option<Box<Debugger>>,
    ready: Option<Box<Ready>>,
}

impl Vm {
    /// The VM of shard `index`. Cheap: no Lua state is made yet.
    pub fn new(index: usize, registry: Arc<Registry>, control: Arc<Control>, host: VmHost) -> Self {
        let generation = registry.generation();
        Self { index, registry, control, host, generation, plan: None, debugger: None, ready: None }
    }

    /// The shard it belongs to.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Says what was locked for the next script, as [`plan()`](crate::plan()) told: the same call must follow.
    /// Without it the script's keys and flags say what it may touch, and the caller has locked just that.
    #[inline]
    pub fn expect(&mut self, plan: Plan) {
        self.plan = Some(plan);
    }

    /// Lets scripts run under a debugger until [`Vm::end_debugging`], on a thread that may wait. If their keyspace is
    /// their own, it gets its keys from `key_source`.
    pub fn debug(&mut self, mut debugger: Debugger, key_source: Option<Box<dyn KeySource>>) {
        debugger.set_key_source(key_source);
        self.debugger = Some(Box::new(debugger));
    }

    /// Takes the debugger back.
    pub fn end_debugging(&mut self) -> Option<Debugger> {
        self.debugger.take().map(|debugger| *debugger)
    }

    /// Bytes of the Lua heap.
    pub fn heap_bytes(&self) -> usize {
        self.ready.as_ref().map_or(0, |ready| ready.lua.bytes())
    }

    /// What the last script has read.
    pub fn reads(&self) -> ScriptReads {
        self.ready.as_ref().map_or(ScriptReads::default(), |ready| ready.reads)
    }

    /// Compiled scripts.
    pub fn compiled(&self) -> usize {
        self.ready.as_ref().map_or(0, |ready| ready.compiled.len())
    }

    /// Frees the Lua state with all that was compiled in it; the next script makes a new one.
    pub fn reset(&mut self) {
        self.ready = None;
    }

    /// Forgets the scripts: with the Lua state, unless libraries are loaded in it, whose variables live there.
    pub fn forget_scripts(&mut self) {
        match &mut self.ready {
            Some(ready) if ready.functions.any() => ready.forget_scripts(),
            _ => self.reset(),
        }
    }

    /// Forgets the functions of libraries that are gone.
    pub fn forget_functions(&mut self) {
        let libraries = self.registry.libraries();
        if let Some(ready) = &mut self.ready {
            ready.refresh_functions(libraries);
            ready.collect();
        }
    }

    /// Makes the state if it is not there, and forgets what was compiled before the last flush.
    #[inline]
    fn make_ready(&mut self) -> Result<(), Error> {
        let generation = self.registry.generation();
        if generation != self.generation {
            self.generation = generation;
            self.forget_scripts();
        }
        if self.ready.is_none() {
            self.make_state()?;
        }
        Ok(())
    }

    #[cold]
    fn make_state(&mut self) -> Result<(), Error> {
        signal::install().map_err(|error| Error::text(format!("ERR no signal for scripts: {error}")))?;
        self.ready = Some(Box::new(Ready::new(&self.control, &self.host)?));
        Ok(())
    }

    /// The script of a call, compiled.
    #[inline]
    fn find(&mut self, script: ScriptRef<'_>) -> Result<Compiled, Error> {
        self.make_ready()?;
        let (registry, Some(ready)) = (&*self.registry, &mut self.ready) else {
            return Err(Error::NO_SCRIPT);
        };
        let (sha, text) = match script {
            ScriptRef::Sha(sha) => {
                // As clients send it, that is with small letters.
                let sent: &[u8; 40] = sha.try_into().map_err(|_| Error::NO_SCRIPT)?;
                if let Some(compiled) = ready.compiled.get(sent) {
                    return Ok(*compiled);
                }
                (Sha::from_client(sha).ok_or(Error::NO_SCRIPT)?, None)
            }
            ScriptRef::Text(text) => (recent::sha_of(text), Some(text)),
            ScriptRef::Function(name) => {
                ready.refresh_functions(registry.libraries());
                return ready.find_function(name);
            }
        };
        match ready.compiled.get(&sha) {
            // One that was evicted since is known again by being called by its text.
            Some(compiled) if text.is_none() || registry.note_use(&sha) => Ok(*compiled),
            _ => ready.compile_known(registry, sha, text),
        }
    }

    /// The rules for a script as a whole, in Redis' order.
    fn admit(
        &mut self,
        cx: &Ctx<'_>,
        script: &Compiled,
        call: &ScriptCall<'_>,
    ) -> Result<ScriptCaller, Error> {
        let default_flags = self.host.settings.default_flags();
        let flags = match script.name {
            Name::Script { .. } => script.flags.or_default(default_flags),
            Name::Function(_) => script.flags.of_function(default_flags),
        };
        let declared = flags.contains(ScriptFlags::DECLARED);
        let out_of_memory = cx.gate.contains(Gate::OUT_OF_MEMORY);
        if declared {
            if out_of_memory && !flags.intersects(ScriptFlags::ALLOW_OOM | ScriptFlags::NO_WRITES) {
                return Err(Error::OUT_OF_MEMORY);
            }
            if flags.contains(ScriptFlags::NO_CLUSTER) && cx.settings.cluster {
                return Err(Error::fixed("ERR Can not run script on cluster, 'no-cluster' flag is set."));
            }
            if call.read_only && !flags.contains(ScriptFlags::NO_WRITES) {
                return Err(Error::fixed("ERR Can not execute a script with write flag using *_ro command."));
            }
        }
        let plan = match self.plan.take() {
            // The flags of the function or the settings have changed in this very moment.
            Some(plan) if flags.contains(ScriptFlags::ALLOW_UNDECLARED_KEYS) != (plan == Plan::AllShards) => {
                if plan != Plan::AllShards {
                    return Err(Error::FLAGS_CHANGED);
                }
                plan::of_flags(flags, call.keys)?
            }
            Some(plan) => plan,
            None => plan::of_flags(flags, call.keys)?,
        };
        Ok(ScriptCaller {
            keys: plan.into_keys(),
            read_only: call.read_only || flags.contains(ScriptFlags::NO_WRITES),
            allow_oom: flags.contains(ScriptFlags::ALLOW_OOM),
            out_of_memory,
            wrote: false,
            reads: ScriptReads::default(),
            unrestricted: self.host.settings.unrestricted.load(Ordering::Relaxed),
        })
    }
}

impl ScriptRunner for Vm {
    fn run(&mut self, cx: &mut Ctx<'_>, call: &ScriptCall<'_>) -> CmdResult {
        if let Some(ready) = &mut self.ready {
            ready.reads = ScriptReads::default();
            ready.last = LastRun::NONE;
        }
        let planned = self.plan.take();
        let script = self.find(call.script)?;
        self.plan = planned;
        let caller = self.admit(cx, &script, call).inspect_err(|error| self.refused(&script, error))?;
        let limit = self.host.settings.memory_limit_bytes.load(Ordering::Relaxed);
        let Some(ready) = &mut self.ready else { return Err(Error::NO_SCRIPT) };
        ready.bridge.debugged = self.debugger.is_some();
        ready.run(cx, &self.control, &script, caller, call, (limit, self.debugger.as_deref()))
    }
}

/// Sets how often garbage is collected.
///
/// # Safety
/// The state is idle.
unsafe fn set_gc_pace(state: *mut ffi::lua_State) {
    // SAFETY: as the caller promises.
    unsafe {
        ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, GC_PAUSE_PERCENT);
        ffi::lua_gc(state, ffi::LUA_GCSETSTEPMUL, GC_STEP_PERCENT);
    }
}

impl Ready {
    fn new(control: &Arc<Control>, host: &VmHost) -> Result<Self, Error> {
        let mut lua = Lua::new()?;
        let mut bridge = Box::new(Bridge::new(Arc::clone(control), Arc::clone(&host.shed)));
        let sandbox = Sandbox::open(&mut lua, &bridge, host.jit, &host.settings)?;
        bridge.opcodes = sandbox.opcodes();
        // SAFETY: the state is idle.
        unsafe { set_gc_pace(lua.state()) };
        lua.collect();
        let collected_bytes = lua.bytes();
        Ok(Self {
            lua,
            sandbox,
            compiled: HashMap::default(),
            functions: LoadedFunctions::default(),
            bridge,
            collected_bytes,
            reads: ScriptReads::default(),
            settings: Arc::clone(&host.settings),
            stats: StatsTable::default(),
            last: LastRun::NONE,
        })
    }

    /// The function that is called so, of the published set.
    #[inline]
    fn find_function(&self, name: &[u8]) -> Result<Compiled, Error> {
        let set = &self.functions.set;
        let id = set.find(name).ok_or(Error::NO_FUNCTION)?;
        let (function, entry) = (self.functions.reference(id), set.entry(id));
        Ok(Compiled {
            function,
            flags: entry.flags,
            limits: entry.limits,
            name: Name::Function(id),
            stats: self.functions.stats(id),
        })
    }

    /// Forgets the compiled scripts of which `keep` does not want to.
    fn retain_scripts(&mut self, mut keep: impl FnMut(&Sha) -> bool) {
        let (state, stats) = (self.lua.state(), &mut self.stats);
        self.compiled.retain(|sha, compiled| {
            let kept = keep(sha);
            if !kept {
                stats.remove(compiled.stats);
                // SAFETY: the state is idle, and nothing else uses the reference.
                unsafe { ffi::luaL_unref(state, ffi::LUA_REGISTRYINDEX, compiled.function) };
            }
            kept
        });
    }

    fn forget_scripts(&mut self) {
        self.retain_scripts(|_| false);
        self.collect();
    }

    /// Collects all garbage.
    fn collect(&mut self) {
        self.lua.collect();
        self.collected_bytes = self.lua.bytes();
    }

    /// Compiles a script that this VM has not run yet.
    #[cold]
    fn compile_known(
        &mut self,
        registry: &Registry,
        sha: Sha,
        text: Option<&[u8]>,
    ) -> Result<Compiled, Error> {
        let script = match (registry.get(&sha), text) {
            (Some(known), _) => known,
            (None, None) => return Err(Error::NO_SCRIPT),
            (None, Some(source)) => Arc::new(Script::new(sha, source, Shebang::parse(source)?)),
        };
        let compiled = match self.compiled.get(&sha) {
            Some(compiled) => *compiled,
            None => {
                self.lua.compile(script.body())?;
                let function = self.sandbox.keep_function(&mut self.lua);
                Compiled {
                    function,
                    flags: script.flags(),
                    limits: script.shebang.limits,
                    name: Name::Script { sha_bits: sha.bits() },
                    stats: self.stats.insert(ScriptName::Script(sha)),
                }
            }
        };
        if self.compiled.len() > COMPILED_SPARE + 2 * registry.len() {
            self.retain_scripts(|sha| registry.get(sha).is_some());
        }
        self.compiled.insert(sha, compiled);
        // Only a text makes a script known. One that was called by its SHA1 may have been flushed in this moment, and
        // must not come back.
        if text.is_some() {
            self.last.introduced = Some(registry.insert(script));
        }
        Ok(compiled)
    }

    fn run(
        &mut self,
        cx: &mut Ctx<'_>,
        control: &Control,
        script: &Compiled,
        caller: ScriptCaller,
        call: &ScriptCall<'_>,
        (limit, debugger): (usize, Option<&Debugger>),
    ) -> CmdResult {
        let outer = std::mem::replace(&mut cx.caller, Caller::Script(caller));
        let db = cx.keys.db();
        // Commands reply into the tape as long as the script runs.
        let mut tape = Reply::reusing(std::mem::take(&mut self.bridge.tape), Encoding::Tape2);
        std::mem::swap(cx.reply, &mut tape);
        let stats = self.begin_counting(script);
        let (sha_bits, name) = match script.name {
            Name::Script { sha_bits } => (Some(sha_bits), self.stats.name(stats)),
            Name::Function(id) => (None, self.functions.set.entry(id).name.as_bytes()),
        };
        let max_ms = if debugger.is_some() { UNTIMED } else { script.limits.max_ms };
        let run = control.begin(sha_bits, max_ms);
        let state = self.lua.state();
        self.bridge.begin(state, cx, run, name, call);
        match debugger {
            // SAFETY: the debugger and the bridge are boxed, and the state is idle.
            Some(debugger) => unsafe { debugger.attach(state, &self.bridge, self.sandbox.env(), run) },
            None => signal::set_current(&raw const self.bridge.interruptible),
        }
        if self.settings.profiling.is_on() && debugger.is_none() {
            self.begin_profile(script);
        }
        let ended = self.execute(script, limit);
        self.end_profile(script);
        if let Some(debugger) = debugger {
            debugger.detach(state);
        }
        self.lua.set_limit(0);
        std::mem::swap(cx.reply, &mut tape);
        self.keep_tape(tape.into_bytes());
        let ran = std::mem::replace(&mut cx.caller, outer);
        if let Caller::Script(script) = ran {
            self.reads = script.reads;
        }
        cx.keys.select(db);
        let resp3 = self.bridge.end();
        if self.bridge.take_keeps_back() {
            cx.keys.keep_back(false);
        }
        let before = cx.reply.as_bytes().len();
        let outcome = ended.and_then(|()| to_reply::write(state, cx.reply, resp3, &mut self.bridge.frames));
        // Until here it can be ended: a reply may take longer than the script.
        signal::set_current(std::ptr::null());
        let killed = control.end();
        let bytes = cx.reply.as_bytes().len().saturating_sub(before);
        self.count_run(stats, cx.keys.now_ms(), bytes, outcome.as_ref().err());
        self.clean(killed, limit);
        outcome.and(DONE)
    }

    /// Sets the limit of the state's memory for a script, which is that of all scripts or its own.
    #[inline]
    fn limit_memory(&mut self, limits: Limits, limit: usize) {
        let own = match limits.memory_bytes {
            0 => usize::MAX,
            own => self.lua.bytes().saturating_add(own),
        };
        self.lua.set_limit(if limit == 0 { own } else { own.min(limit) });
    }

    /// Runs what the bridge was told of, and leaves its result on the stack. `limit` is that of all scripts' memory:
    /// what loading a library takes is not what one run of its function takes.
    #[inline]
    fn execute(&mut self, script: &Compiled, limit: usize) -> Result<(), Error> {
        let (state, kind) = (self.lua.state(), script.name.kind());
        self.bridge.start.function = match script.name {
            Name::Function(id) if script.function == ffi::LUA_NOREF => self.load_function(id, limit)?,
            _ => script.function,
        };
        self.limit_memory(script.limits, limit);
        // SAFETY: all values are in the registry, and the stack of an idle state has room. What the call raises it
        // returns; its result is one value.
        let status = unsafe {
            if kind == Kind::Function {
                self.sandbox.set_globals(state, Kind::Function);
            }
            self.sandbox.push_start(state, kind);
            let status = ffi::lua_pcall(state, 0, 1, 1);
            if kind == Kind::Function {
                self.sandbox.set_globals(state, Kind::Script);
            }
            status
        };
        if status == ffi::LUA_OK {
            return Ok(());
        }
        Err(match &script.name {
            Name::Script { .. } => errors::of_script(state, self.stats.name(script.stats)),
            Name::Function(id) => errors::of_script(state, self.functions.set.entry(*id).name.as_bytes()),
        })
    }

    fn keep_tape(&mut self, mut tape: Vec<u8>) {
        if tape.capacity() > TAPE_BYTES_KEPT {
            tape = Vec::new();
        }
        self.bridge.tape = tape;
    }

    /// Leaves the state as the next script is to find it.
    #[inline]
    fn clean(&mut self, killed: bool, limit: usize) {
        let state = self.lua.state();
        // SAFETY: the state is idle; nothing here raises.
        unsafe {
            ffi::lua_settop(state, 0);
            self.sandbox.cjson.put_back();
            if ffi::lua_gethookmask(state) != 0 {
                ffi::lua_sethook(state, None, 0, 0);
            }
            if self.bridge.take_gc_touched() | self.lua.take_hurried() {
                set_gc_pace(state);
                ffi::lua_gc(state, ffi::LUA_GCRESTART, 0);
            }
        }
        let bytes = self.lua.bytes();
        // Near the limit, garbage must not be what the next script fails for.
        let near_limit = limit != 0 && bytes > limit / 2 + self.collected_bytes / 2;
        if killed || near_limit || bytes > COLLECT_BYTES.max(2 * self.collected_bytes) {
            self.collect();
            // Scripts that are compiled are not what others may fail for either.
            if limit != 0 && self.collected_bytes > limit / 2 && self.compiled.len() > COMPILED_SPARE {
                self.forget_scripts();
            }
        }
    }
}
