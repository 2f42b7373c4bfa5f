//! What is on the disk comes into the shards, before anybody else uses them.
//!
//! One thread reads a file and cuts it into records, which is a walk over lengths; as many workers as there are cores
//! build the values and put them into their shards, each worker into shards of its own. What waits for the workers is
//! bounded in bytes.

mod budget;
mod cut;
mod delay;
mod records;
mod workers;

pub(super) use records::{KeyRecord, Records, Step, build, put};

use crate::config::Settings;
use crate::server::{Server, engine_settings, unix_ms};
use cut::{Cutter, Input};
use moonshard_disk::Disk;
use records::Code;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
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
    server: &'s Server,
    settings: moonshard_engine::Settings,
    /// Unix time in milliseconds of the begin.
    now_ms: u64,
    /// Whether keys that are due are loaded too: what follows in a log may refer to them.
    keep_expired: bool,
}

/// Loads what the configuration says, into shards that nobody else changes yet.
///
/// # Errors
/// When it cannot be read, or is not whole.
pub fn load(server: &Server) -> Result<(), LoadError> {
    let settings = server.config.load_full();
    load_snapshot(server, &settings)
}

/// Loads the file of the last snapshot, if it is there.
fn load_snapshot(server: &Server, settings: &Settings) -> Result<(), LoadError> {
    let name = String::from_utf8_lossy(&settings.dbfilename).into_owned();
    let io = |error| LoadError::Io { file: name.clone(), error };
    let file = match server.disk.open(Path::new(&name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    let len = server.disk.len(Path::new(&name)).map_err(io)?;
    let now_ms = unix_ms();
    let context =
        Context { server, settings: engine_settings(settings, server.seed), now_ms, keep_expired: false };
    server.persistence.loading.expect(len);
    thread::scope(|scope| {
        let workers = Workers::start(scope, &context, &name).map_err(io)?;
        let cutter = Cutter::new(Input::new(file), &context, &workers, settings.rdbchecksum);
        let code = cutter.run(&name)?.code;
        workers.wait()?;
        take_up(server, &code).map_err(|reason| LoadError::Corrupt { file: name.clone(), offset: 0, reason })
    })?;
    let (keys, expired) = &server.persistence.loaded;
    let (keys, expired) = (keys.load(Relaxed), expired.load(Relaxed));
    let millis = unix_ms().saturating_sub(now_ms);
    tracing::info!(keys, expired, bytes = len, millis, "snapshot loaded from disk");
    Ok(())
}

/// Makes scripts and libraries known.
fn take_up(server: &Server, code: &[(Code, Vec<u8>)]) -> Result<(), String> {
    let scripts = &server.scripts;
    for (kind, text) in code {
        match kind {
            Code::Script(keep) => scripts.registry.take_up(text, *keep).map(drop),
            Code::Library => scripts.registry.libraries().load(text, false, &scripts.settings).map(drop),
        }
        .map_err(|error| format!("a script in it: {error}"))?;
    }
    Ok(())
}
