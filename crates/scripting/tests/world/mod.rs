//! A shard with its VM, and no server: commands go through the engine's door.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its part, and a failure is a panic")]

use moonshard_engine::admission::Gate;
use moonshard_engine::command::CommandTable;
use moonshard_engine::keyspace::{Keyspace, Shard, Shards};
use moonshard_engine::{Args, Caller, Ctx, Rng, Settings};
use moonshard_protocol::{Encoding, Reply};
use moonshard_scripting::{Control, Registry, ScriptSettings, Vm, VmHost, Watchdog};
use moonshard_store::Seed;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One shard of a server.
pub struct World {
    pub registry: Arc<Registry>,
    pub control: Arc<Control>,
    pub settings: Arc<ScriptSettings>,
    pub vm: Vm,
    pub shard: Shard,
    pub engine: Settings,
    pub gate: Gate,
    pub encoding: Encoding,
    pub sheds: Arc<AtomicUsize>,
    rng: Rng,
}

impl Default for World {
    fn default() -> Self {
        Self::new(true)
    }
}

impl World {
    /// A world whose scripts may be compiled to machine code, or not.
    pub fn new(jit: bool) -> Self {
        Self::shedding(jit, |_, _| {})
    }

    /// A world in which every script is killed that is slow.
    pub fn killing_the_slow() -> Self {
        Self::shedding(true, |control, _| {
            control.kill();
        })
    }

    /// A world that does this when a script sheds its thread: in the middle of the script.
    pub fn shedding(jit: bool, on_shed: impl Fn(&Control, &Registry) + Send + Sync + 'static) -> Self {
        let seed = Seed::new(1, 2);
        let engine = Settings::new(seed);
        let registry = Arc::new(Registry::new());
        let control = Arc::new(Control::new());
        let settings = Arc::new(ScriptSettings::default());
        let sheds = Arc::new(AtomicUsize::new(0));
        let (counted, shedding, known) = (Arc::clone(&sheds), Arc::clone(&control), Arc::clone(&registry));
        let shed = Arc::new(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            on_shed(&shedding, &known);
        });
        let host = VmHost { shed, jit, settings: Arc::clone(&settings) };
        let vm = Vm::new(0, Arc::clone(&registry), Arc::clone(&control), host);
        let shard = Shard::new(0, 1, 16, seed, false);
        let (gate, encoding, rng) = (Gate::empty(), Encoding::Resp2, Rng::new(1));
        Self { registry, control, settings, vm, shard, engine, gate, encoding, sheds, rng }
    }

    /// Watches this world's scripts, until the result is dropped.
    pub fn watch(&self, on_busy: impl Fn(usize) + Send + 'static) -> Watchdog {
        Watchdog::start(vec![Arc::clone(&self.control)], Arc::clone(&self.settings), on_busy).unwrap()
    }

    /// The reply to a command, as a client gets it.
    pub fn command(&mut self, args: &[&[u8]]) -> Vec<u8> {
        let mut reply = Reply::new(self.encoding);
        let args = Args::new(args);
        match CommandTable::get().resolve(args) {
            Err(error) => error.write(&mut reply),
            Ok(entry) => {
                let mut cx = Ctx {
                    keys: Keyspace::new(Shards::One(&mut self.shard), 0, 1_700_000_000_000, &self.engine),
                    reply: &mut reply,
                    caller: Caller::Client,
                    access: None,
                    gate: self.gate,
                    settings: &self.engine,
                    rng: &mut self.rng,
                    exchange: &moonshard_engine::NoSubscribers,
                    scripts: Some(&mut self.vm),
                    server: None,
                };
                let _ = cx.call(entry, args);
            }
        }
        reply.into_bytes()
    }

    /// The reply to EVAL with these keys and arguments, as text.
    pub fn eval_with(&mut self, script: &str, keys: &[&str], argv: &[&str]) -> String {
        let number = keys.len().to_string();
        let mut args: Vec<&[u8]> = vec![b"EVAL", script.as_bytes(), number.as_bytes()];
        args.extend(keys.iter().chain(argv).map(|arg| arg.as_bytes()));
        String::from_utf8_lossy(&self.command(&args)).into_owned()
    }

    /// The reply to EVAL without keys, as text.
    pub fn eval(&mut self, script: &str) -> String {
        self.eval_with(script, &[], &[])
    }
}
