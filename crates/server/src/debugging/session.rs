//! A session, from its script's call to the reply.

use super::key_copies::KeyCopies;
use super::link::{Link, Terminal};
use crate::acl::Heard;
use crate::clients::Client;
use crate::commands::ScriptHost;
use crate::effects::Moment;
use crate::server::{Server, unix_micros};
use crate::shards::{ShardState, in_their_places};
use moonshard_engine::acl::{Access, User};
use moonshard_engine::admission::Gate;
use moonshard_engine::command::Entry;
use moonshard_engine::keyspace::{Keyspace, Shard, Shards, View};
use moonshard_engine::{Args, Caller, Ctx, Error, Rng, ScriptCall, ScriptRef};
use moonshard_lock::lock_all;
use moonshard_protocol::{Encoding, Reply};
use moonshard_scripting::{Debugger, KeySource, Kind, Plan, Registry, THREAD_STACK_BYTES, Vm, VmHost};
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::Handle;

/// On what a session works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On copies of the keys; what it writes is dropped (`YES`).
    Copy,
    /// On the keys themselves (`SYNC`).
    Sync,
}

/// A call of a script that is to be debugged.
pub struct Job {
    /// The server.
    pub server: Arc<Server>,
    /// The caller.
    pub client: Arc<Client>,
    /// The caller's user, if there is something that it may not do.
    pub user: Option<Arc<User>>,
    /// The command.
    pub entry: &'static Entry,
    /// Its arguments.
    pub args: Vec<Vec<u8>>,
    /// What the script may touch, and its shards in ascending order; or why it cannot run.
    pub needs: Result<(Plan, Vec<usize>), Error>,
    /// The engine's settings.
    pub settings: moonshard_engine::Settings,
    /// What the state of the server forbids.
    pub gate: Gate,
    /// The selected database.
    pub db: usize,
    /// Whether reads leave keys' access time alone.
    pub no_touch: bool,
    /// How the reply is written.
    pub encoding: Encoding,
    /// On what the script works.
    pub mode: Mode,
}

/// Sees to it that a session ends for everybody, even by a panic.
struct Ending {
    server: Arc<Server>,
    link: Arc<Link>,
    reply: Vec<u8>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.server.debugging.remove(&self.link);
        self.link.end(&self.reply);
    }
}

impl Job {
    /// Starts the session on a thread of its own. The link is for the client's connection.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(self) -> io::Result<Arc<Link>> {
        let kind = match ScriptRef::of(self.entry.command, Args::new(&self.words())) {
            ScriptRef::Function(_) => Kind::Function,
            ScriptRef::Text(_) | ScriptRef::Sha(_) => Kind::Script,
        };
        let control = match &self.needs {
            Ok((_, shards)) if self.mode == Mode::Sync => {
                shards.first().map(|&first| self.server.shards[first].control.clone()).unwrap_or_default()
            }
            _ => Arc::default(),
        };
        let link = Arc::new(Link::new(self.client.clone(), control, self.mode, kind));
        let (own, runtime) = (link.clone(), Handle::current());
        let thread = std::thread::Builder::new().name("debugger".into()).stack_size(THREAD_STACK_BYTES);
        self.server.debugging.add(link.clone());
        let server = self.server.clone();
        let spawned = thread.spawn(move || self.run(own, &runtime));
        if let Err(error) = spawned {
            server.debugging.remove(&link);
            return Err(error);
        }
        Ok(link)
    }

    fn words(&self) -> Vec<&[u8]> {
        self.args.iter().map(Vec::as_slice).collect()
    }

    fn run(self, link: Arc<Link>, runtime: &Handle) {
        let mut ending = Ending { server: self.server.clone(), link: link.clone(), reply: Vec::new() };
        let words = self.words();
        let mut session = Session {
            job: &self,
            link: &link,
            runtime,
            args: Args::new(&words),
            debugger: Some(self.debugger(Args::new(&words), &link)),
            reply: Reply::new(self.encoding),
        };
        let outcome = self.needs.clone().and_then(|(plan, shards)| match self.mode {
            Mode::Copy => session.run_on_copies(plan),
            Mode::Sync => session.run_in_place(plan, &shards),
        });
        if let Err(error) = outcome {
            error.write(&mut session.reply);
            self.server.count_error(&error);
        }
        if let Some(debugger) = session.debugger {
            debugger.finish();
        }
        ending.reply = session.reply.into_bytes();
    }

    /// The debugger, with the text that the client is to see.
    fn debugger(&self, args: Args<'_>, link: &Arc<Link>) -> Debugger {
        let scripts = &self.server.scripts;
        let text = match ScriptRef::of(self.entry.command, args) {
            ScriptRef::Text(text) => text.to_vec(),
            ScriptRef::Sha(_) => Vec::new(),
            ScriptRef::Function(name) => {
                let set = scripts.registry.libraries().set();
                set.library_of(name).map(|library| library.code().to_vec()).unwrap_or_default()
            }
        };
        Debugger::new(&text, Box::new(Terminal(link.clone())), scripts.settings.clone())
    }
}

/// A session while it runs.
struct Session<'a> {
    job: &'a Job,
    link: &'a Arc<Link>,
    runtime: &'a Handle,
    args: Args<'a>,
    /// With the VM while the script runs.
    debugger: Option<Debugger>,
    reply: Reply,
}

impl Session<'_> {
    /// Runs the script over the shards themselves, which are held until it ends.
    fn run_in_place(&mut self, plan: Plan, shards: &[usize]) -> Result<(), Error> {
        let server = &self.job.server;
        let locks = lock_all(&server.shards, shards);
        let mut guards = self.runtime.block_on(locks).map_err(|_| server.busy_error(shards))?;
        let Some(&first) = shards.first() else { return Ok(()) };
        server.shards[first].script_holds.set(shards.iter().copied());
        let vm = self.vm(first, server.scripts.registry.clone(), plan);
        let started = Instant::now();
        {
            let mut rng = None;
            let locked = guards.iter_mut().map(|(index, guard)| {
                let ShardState { shard, rng: own, .. } = &mut **guard;
                rng.get_or_insert(own);
                (*index, shard)
            });
            let held: Vec<(usize, &mut Shard)> = locked.collect();
            let Some(rng) = rng else { return Ok(()) };
            self.call(held, rng, vm, None);
        }
        server.shards[first].script_holds.clear();
        if let Some((_, guard)) = guards.first_mut() {
            guard.shard.stats.ran(self.job.entry.id, started.elapsed().as_nanos() as u64);
        }
        let (now_ms, origin) = (unix_micros() / 1000, self.job.client.id);
        let moment = Moment { now_ms, settings: &self.job.settings, origin };
        server.settle_all(&mut guards, moment);
        drop(guards);
        server.pubsub.wakes.flush();
        Ok(())
    }

    /// Runs the script over a keyspace of its own.
    fn run_on_copies(&mut self, plan: Plan) -> Result<(), Error> {
        let Job { server, settings, entry, .. } = self.job;
        let mut shard = Shard::new(0, 1, settings.databases, server.seed, settings.cluster);
        let mut copies = KeyCopies::new(server.clone(), self.runtime.clone());
        if let Ok(call) = ScriptCall::parse(entry.command, self.args) {
            // The declared keys are seen as of one moment.
            let now_ms = unix_micros() / 1000;
            let mut keys = Keyspace::new(Shards::One(&mut shard), self.job.db, now_ms, settings);
            copies.copy(&mut keys, call.keys)?;
        }
        // A script that only a session has seen is forgotten with it; functions are those of the server.
        let registry = match ScriptRef::of(entry.command, self.args) {
            ScriptRef::Function(_) => server.scripts.registry.clone(),
            ScriptRef::Text(_) | ScriptRef::Sha(_) => Arc::new(Registry::new()),
        };
        let vm = self.vm(0, registry, plan);
        let mut rng = Rng::new(unix_micros());
        self.call(vec![(0, &mut shard)], &mut rng, vm, Some(Box::new(copies)));
        Ok(())
    }

    /// A VM for the script, without a compiler: that would run past breakpoints.
    fn vm(&self, index: usize, registry: Arc<Registry>, plan: Plan) -> Vm {
        let settings = self.job.server.scripts.settings.clone();
        // The thread has no other work.
        let host = VmHost { shed: Arc::new(|| ()), jit: false, settings };
        let mut vm = Vm::new(index, registry, self.link.control().clone(), host);
        vm.expect(plan);
        vm
    }

    /// Runs the script under the debugger, and writes its reply.
    fn call(
        &mut self,
        mut locked: Vec<(usize, &mut Shard)>,
        rng: &mut Rng,
        mut vm: Vm,
        key_source: Option<Box<dyn KeySource>>,
    ) {
        let job = self.job;
        if let Some(debugger) = self.debugger.take() {
            vm.debug(debugger, key_source);
        }
        let mut places;
        let shards = if locked.len() == 1 {
            locked.pop().map_or(Shards::None, |(_, shard)| Shards::One(shard))
        } else {
            places = in_their_places(locked.into_iter(), job.server.shards.len());
            Shards::Many(&mut places)
        };
        let micros = unix_micros();
        let denials = Heard::new(&job.server, &job.client, None);
        let host = match job.mode {
            Mode::Copy => ScriptHost::over_copies(&job.server, &job.client),
            Mode::Sync => ScriptHost::new(&job.server, &job.client),
        };
        let view = View::new(job.db, micros / 1000, &job.settings)
            .at_micros((micros % 1000) as u16)
            .touching(!job.no_touch);
        let mut cx = Ctx {
            keys: Keyspace::with_view(shards, view, &job.settings),
            reply: &mut self.reply,
            caller: Caller::Client,
            access: job.user.as_deref().map(|user| Access { user, denials: &denials }),
            gate: job.gate,
            settings: &job.settings,
            rng,
            exchange: &job.server.pubsub,
            scripts: Some(&mut vm),
            server: Some(&host),
        };
        if let Err(error) = cx.call(job.entry, self.args) {
            job.server.count_error(&error);
        }
        self.debugger = vm.end_debugging();
    }
}
