//! What is on the disk comes into the shards, before anybody else uses them.
//!
//! One thread reads a file and cuts it into records, which is a walk over lengths; as many workers as there are cores
//! build the values and put them into their shards, each worker into shards of its own. What waits for the workers is
//! bounded in bytes.

mod batch;
mod budget;
mod cut;
mod delay;
mod log;
mod records;
mod replay;
mod workers;

pub(super) use records::{KeyRecord, Records, Step, build, put};

use crate::config::Settings;
use crate::server::{Server, engine_settings, unix_ms};
use cut::{Cutter, Input};
use moonshard_aof::Manifest;
use moonshard_disk::Disk;
use moonshard_scripting::Sha;
use records::{Code, CodeKind};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use tokio::runtime::Handle;
use workers::Workers;

/// Why what is on the disk cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system's.
    #[error("cannot read {file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// The system's error.
        error: io::Error,
    },
    /// The log's manifest is none.
    #[error("{file}: {reason}")]
    Manifest {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The end of a file of the log is missing.
    #[error(
        "{file} ends in the middle of what begins at offset {offset}: {} bytes are not complete. You can: \
         1) Make a backup of your AOF file, then use redis-check-aof --fix <filename.manifest>. \
         2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server, \
         if this is the last file of the log",
        len.saturating_sub(*offset)
    )]
    Torn {
        /// The file.
        file: String,
        /// Where the last whole command ends, or the last transaction.
        offset: u64,
        /// The file's length.
        len: u64,
    },
    /// The file is not what it should be, or was damaged.
    #[error("{file} cannot be loaded: {reason}, at offset {offset}")]
    Corrupt {
        /// The file.
        file: String,
        /// Where the record begins that is wrong.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
}

/// What loading works with.
pub(super) struct Context<'s> {
    server: &'s Arc<Server>,
    settings: moonshard_engine::Settings,
    /// Unix time in milliseconds of the begin.
    now_ms: u64,
    /// Whether keys that are due are loaded too: what follows in a log may refer to them.
    keep_expired: bool,
}

/// Loads what the configuration says, into shards that nobody else changes yet. What needs the server's own commands
/// runs in `runtime`. Returns the log's manifest, if the log is on: it is to be gone on with.
///
/// # Errors
/// When it cannot be read, or is not whole.
pub fn load(server: &Arc<Server>, runtime: &Handle) -> Result<Option<Manifest>, LoadError> {
    let settings = server.config.load_full();
    if settings.appendonly {
        return log::load_log(server, &settings, runtime).map(Some);
    }
    load_snapshot(server, &settings)?;
    Ok(None)
}

/// DEBUG LOADAOF: empties all shards and loads the log into them, while clients are answered as at start. What was
/// recorded has to be in its files.
///
/// # Errors
/// When it cannot be read, or is not whole; the shards then hold what was.
pub fn load_log_again(server: &Arc<Server>, runtime: &Handle) -> Result<(), LoadError> {
    let settings = server.config.load_full();
    let paused = server.cron_paused.swap(true, Relaxed);
    server.persistence.loading.begin(unix_ms() / 1000);
    server.scripts.registry.libraries().flush(|| ());
    for cell in &server.shards {
        let mut guard = cell.lock.blocking_lock();
        for db in 0..guard.shard.databases.len() {
            guard.shard.flush(db, false);
        }
    }
    let outcome = log::load_log(server, &settings, runtime);
    server.persistence.loading.end();
    server.cron_paused.store(paused, Relaxed);
    outcome.map(drop)
}

/// Loads the file of the last snapshot, if it is there.
fn load_snapshot(server: &Arc<Server>, settings: &Settings) -> Result<(), LoadError> {
    let path = Path::new(OsStr::from_bytes(&settings.dbfilename));
    let name = path.display().to_string();
    let io = |error| LoadError::Io { file: name.clone(), error };
    let file = match server.disk.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    let len = server.disk.len(path).map_err(io)?;
    let now_ms = unix_ms();
    let context =
        Context { server, settings: engine_settings(settings, server.seed), now_ms, keep_expired: false };
    server.persistence.loading.expect(len);
    thread::scope(|scope| {
        let workers = Workers::start(scope, &context).map_err(io)?;
        let records =
            Cutter::new(Input::new(file, 0), &context, &workers, settings.rdbchecksum).run(&name)?;
        workers.wait(&name)?;
        take_up(server, &name, &records.code)
    })?;
    let (keys, expired) = &server.persistence.loaded;
    let (keys, expired) = (keys.load(Relaxed), expired.load(Relaxed));
    let millis = unix_ms().saturating_sub(now_ms);
    tracing::info!(keys, expired, bytes = len, millis, "snapshot loaded from disk");
    Ok(())
}

/// Makes the scripts and libraries of a file known. A script that does not compile, as it did for whoever has written the
/// file, is left out: clients send it again, and nobody's data wait for it.
fn take_up(server: &Server, file: &str, code: &[Code]) -> Result<(), LoadError> {
    let scripts = &server.scripts;
    for Code { kind, text, offset } in code {
        let taken = match kind {
            CodeKind::Script(keep) => {
                if let Err(error) = scripts.registry.take_up(text, *keep) {
                    let sha1 = Sha::of(text);
                    tracing::warn!(file, offset, %sha1, %error, "a script of the file is left out");
                }
                Ok(())
            }
            CodeKind::Library => server.load_unchanged(|| {
                scripts.registry.libraries().load(text, false, &scripts.settings).map(drop)
            }),
        };
        taken.map_err(|error| LoadError::Corrupt {
            file: file.to_owned(),
            offset: *offset,
            reason: format!("a script in it: {error}"),
        })?;
    }
    Ok(())
}
