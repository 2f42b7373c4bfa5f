//! From the command line to a running server, and to its end.

use crate::acl::{self, DeclaredUser};
use crate::cluster::{Cluster, NodeId};
use crate::config::{Config, Launch, Settings, ShutdownFlags, Startup};
use crate::listener::Listeners;
use crate::runtime::IoThreads;
use crate::server::{Server, unix_ms};
use crate::{allocator, balance, cron, logging, persistence};
use moonshard_aof::Manifest;
use moonshard_engine::Rng;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Fewest shards that a server chooses by itself, and how many a core has.
const SHARDS_MIN: usize = 16;
const SHARDS_A_CORE: usize = 4;

/// Runs the server as the arguments, which do not hold the program's name, say.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Config::from_args(args) {
        Ok(Startup::Print(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Ok(Startup::Serve(launch)) => match start(*launch) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("{error}");
                eprintln!("moonshard: {error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start(launch: Launch) -> Result<(), Box<dyn std::error::Error>> {
    survive_file_limits();
    if let Some(error) = launch.unsupported {
        return Err(error.into());
    }
    let config = launch.config;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shards = (cores * SHARDS_A_CORE).next_power_of_two().max(SHARDS_MIN);
    config.resolve_automatic(shards as u32, cores as u32);
    let settings = config.load_full();
    logging::start(&settings)?;
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("a task failed, and its connection ends: {panic}")
    }));
    std::env::set_current_dir(&settings.dir.0)?;
    raise_file_limit(u64::from(settings.maxclients));
    let listeners = Listeners::bind(&settings)?;
    let threads = Arc::new(IoThreads::start(settings.io_threads as usize)?);
    let mut server = Server::new(config, Rng::new(random_seed()?));
    declare_users(&server, &settings, &launch.users)?;
    if settings.cluster_enabled {
        let shard_id = NodeId::random(&mut Rng::new(random_seed()?));
        let id = NodeId::parse(server.run_id.as_bytes()).unwrap_or(shard_id);
        server.cluster = Some(Cluster::open(&settings, id, shard_id)?);
    }
    let server = Arc::new(server);
    let _ = server.io.set(threads.pool().clone());
    let _watchdog = server.watch_scripts()?;
    server.figures.startup_bytes.store(allocator::used(), Relaxed);
    // Before the first connection: who has got an answer may end the server by a signal.
    let mut signals = threads.block_on(async { Signals::catch() })?;
    let addresses = listeners.addresses();
    server
        .persistence
        .loading
        .begin_at_start(unix_ms() / 1000, settings.loading_process_events_interval_bytes);
    let mut listeners = Some(listeners);
    let mut accept = || {
        if let Some(listeners) = listeners.take() {
            listeners.accept(&server, &threads);
        }
    };
    threads.spawn(balance::run(server.clone(), threads.pool().clone()));
    if let Some(log) = threads.block_on(load(&server, &mut signals, &mut accept))? {
        server.load_unchanged(|| load_functions(&server, &settings))?;
        if let Some(manifest) = log {
            threads.block_on(server.open_log(manifest))?;
        }
        server.persistence.loading.end();
        accept();
        for address in addresses {
            tracing::info!(%address, shards = server.shards.len(), io_threads = threads.pool().len(), "ready to accept connections");
        }
        if let Some(path) = &settings.unixsocket {
            tracing::info!(path = %String::from_utf8_lossy(path), "ready to accept connections");
        }
        threads.spawn(cron::run(server.clone()));
        threads.block_on(signals.wait_for_end(&server))?;
    }
    server.end_scripts();
    tracing::info!("bye");
    if let Some(path) = &settings.unixsocket {
        let _ = std::fs::remove_file(String::from_utf8_lossy(path).as_ref());
    }
    if let Ok(threads) = Arc::try_unwrap(threads) {
        threads.stop();
    }
    Ok(())
}

/// Loads the data on a thread of its own. Who connects meanwhile waits, as it is over in a moment; only if it takes long
/// they are answered before it is, after a call of `accept`. Returns the log's manifest, if the log is on. `None` when the
/// server is told to end before all is loaded: it then ends without saving what it has of it.
async fn load(
    server: &Arc<Server>,
    signals: &mut Signals,
    accept: &mut impl FnMut(),
) -> Result<Option<Option<Manifest>>, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Handle::current();
    let (done, mut loaded) = tokio::sync::oneshot::channel();
    let loader = server.clone();
    std::thread::Builder::new()
        .name("loader".into())
        .stack_size(moonshard_scripting::THREAD_STACK_BYTES)
        .spawn(move || {
            // Nobody waits any more when the server is to end.
            let _ = done.send(persistence::load(&loader, &runtime));
        })?;
    loop {
        tokio::select! {
            outcome = &mut loaded => {
                let failed = "the data was not loaded: the thread that does so has failed";
                return outcome.map_err(|_| failed)?.map(Some).map_err(Into::into);
            }
            () = server.persistence.loading.is_long() => accept(),
            _ = signals.wait(server) => {
                tracing::warn!("the server is to end while it loads: nothing is saved");
                return Ok(None);
            }
        }
    }
}

/// Makes the users that the configuration or the file that it names declares.
fn declare_users(server: &Server, settings: &Settings, declared: &[DeclaredUser]) -> Result<(), String> {
    let defaults = acl::new_selectors(settings);
    server.acl.declare(declared, defaults)?;
    let Some(path) = acl::file_of(settings) else { return Ok(()) };
    let loaded = server.acl.load(path, defaults).map_err(|errors| {
        format!("Aborting startup because of ACL errors: {}", String::from_utf8_lossy(&errors))
    });
    loaded.map(drop)
}

/// Loads the libraries of `function-load-dir`, if it is set. They take the place of what a snapshot has brought.
fn load_functions(server: &Server, settings: &Settings) -> Result<(), String> {
    let Some(dir) = &settings.function_load_dir else { return Ok(()) };
    let (dir, scripts) = (Path::new(OsStr::from_bytes(dir)), &server.scripts);
    let loaded = scripts.registry.libraries().load_dir(dir, &scripts.settings);
    let loaded = loaded.map_err(|error| format!("function-load-dir: {error}"))?;
    for library in loaded.displaced {
        tracing::warn!(%library, "a library with functions of the same names was in the snapshot, and is dropped");
    }
    tracing::info!(dir = %dir.display(), libraries = loaded.libraries, "functions loaded");
    Ok(())
}

/// The signals that end the server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    /// Waits for SHUTDOWN, SIGTERM or SIGINT. Returns how the server is to end, if a signal says so.
    async fn wait(&mut self, server: &Server) -> Option<ShutdownFlags> {
        tokio::select! {
            () = server.shutdown.requested() => {
                tracing::info!("user requested shutdown");
                None
            }
            _ = self.terminate.recv() => {
                tracing::info!("received SIGTERM, shutting down");
                Some(server.config.load().shutdown_on_sigterm)
            }
            _ = self.interrupt.recv() => {
                tracing::info!("received SIGINT, shutting down");
                Some(server.config.load().shutdown_on_sigint)
            }
        }
    }

    /// Waits until the server is to end, and what it was told to keep is kept.
    ///
    /// # Errors
    /// When somebody interrupts the end itself.
    async fn wait_for_end(mut self, server: &Arc<Server>) -> Result<(), &'static str> {
        while let Some(how) = self.wait(server).await {
            tokio::select! {
                // Like Redis, the server would rather stay than lose what it was told to keep.
                kept = server.keep_at_end(how) => if kept.is_ok() { break },
                _ = self.interrupt.recv() => return Err("interrupted again: not everything is kept"),
            }
        }
        Ok(())
    }
}

/// Sixty-four bits from the system's random source.
fn random_seed() -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Makes a file that may not become larger an error of the write, which is told, and not the process's end.
fn survive_file_limits() {
    // SAFETY: no handler is installed; the signal is ignored from now on.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Raises the limit of open files so that `clients` fit, as far as the system allows; tells how many do.
pub(crate) fn raise_file_limit(clients: u64) -> u64 {
    const RESERVED: u64 = 32;
    let wanted = clients + RESERVED;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local of the right type.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 || limit.rlim_cur >= wanted {
        return clients;
    }
    limit.rlim_cur = wanted.min(limit.rlim_max);
    // SAFETY: likewise.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 || limit.rlim_cur < wanted {
        tracing::warn!(wanted, got = limit.rlim_cur, "fewer files can be open than maxclients needs");
    }
    limit.rlim_cur.saturating_sub(RESERVED).min(clients)
}
