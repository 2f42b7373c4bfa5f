//! Loads a snapshot's file into empty shards.

use super::file::{EVALUATED_SCRIPT, LOADED_SCRIPT};
use crate::server::{Server, engine_settings, unix_ms};
use moonshard_disk::Disk;
use moonshard_engine::Settings;
use moonshard_engine::keyspace::{ExpiryMode, Keyspace, Shard, Shards};
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_rdb::{Chunked, Limits, Opcode, Reader, Source, ValueType};
use moonshard_scripting::Keep;
use moonshard_store::Entry;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

/// The latest version of the format that is read: that of Redis 7.4.
const VERSION_MAX: u32 = 12;

/// Why a file cannot be loaded.
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
    /// The file is no snapshot, or was damaged.
    #[error("{file} cannot be loaded: {reason}, after {keys} keys")]
    Corrupt {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
        /// Keys that were read before.
        keys: u64,
    },
}

/// Loads the file that the configuration names, if it is there. Nobody else uses the shards yet.
///
/// # Errors
/// When it cannot be read, or is not whole.
pub fn load(server: &Server) -> Result<(), LoadError> {
    let settings = server.config.load_full();
    let name = String::from_utf8_lossy(&settings.dbfilename).into_owned();
    let file = match server.disk.open(Path::new(&name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(LoadError::Io { file: name, error }),
    };
    let started_ms = unix_ms();
    let engine = engine_settings(&settings, server.seed);
    let mut reader = Reader::new(Chunked::new(file));
    let mut items = Items::new(started_ms, engine.restore_limits());
    let put = |db, entry: Entry| {
        let index = shard_of_slot(slot(entry.key()), server.shards.len());
        let Some(mut guard) = server.shards[index].lock.try_lock() else {
            return Err("a shard is in use".to_owned());
        };
        put(&mut guard.shard, db, entry, started_ms, &engine)
    };
    let mut outcome = read_version(&mut reader).and_then(|()| items.read(&mut reader, put));
    if outcome.is_ok() && settings.rdbchecksum {
        outcome = check_end(&mut reader);
    }
    let Items { keys, expired, code, .. } = items;
    let outcome = outcome.and_then(|()| take_up(server, &code));
    server.persistence.loaded.0.store(keys, Relaxed);
    server.persistence.loaded.1.store(expired, Relaxed);
    outcome.map_err(|reason| LoadError::Corrupt { file: name, reason, keys })?;
    let millis = unix_ms().saturating_sub(started_ms);
    tracing::info!(keys, expired, millis, "snapshot loaded from disk");
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

/// Reads a file's first bytes.
fn read_version<S: Source>(reader: &mut Reader<S>) -> Result<(), String> {
    let magic = reader.bytes(9).map_err(|error| error.to_string())?;
    let digits = magic.strip_prefix(b"REDIS").and_then(|digits| std::str::from_utf8(digits).ok());
    let version: u32 =
        digits.and_then(|digits| digits.parse().ok()).ok_or("it does not begin as a snapshot does")?;
    if (1..=VERSION_MAX).contains(&version) {
        Ok(())
    } else {
        Err(format!("version {version} of the format is not known"))
    }
}

/// Compares the checksum at the file's end; one of zero stands for none.
fn check_end<R: Read>(reader: &mut Reader<Chunked<R>>) -> Result<(), String> {
    let expected = reader.source().checksum();
    match reader.u64() {
        Ok(0) => Ok(()),
        Ok(stored) if stored == expected => Ok(()),
        Ok(stored) => Err(format!("wrong checksum: {stored:016x} and not {expected:016x}")),
        Err(error) => Err(error.to_string()),
    }
}

/// Puts an entry into its shard, in a database that need not be there.
pub(super) fn put(
    shard: &mut Shard,
    db: usize,
    entry: Entry,
    now_ms: u64,
    settings: &Settings,
) -> Result<(), String> {
    if db >= shard.databases.len() {
        return Err(format!("database {db} is not there: see the setting databases"));
    }
    Keyspace::new(Shards::One(shard), db, now_ms, settings).expiry_mode(ExpiryMode::Ignore).insert(entry);
    Ok(())
}

/// What follows the begin of a file: keys and what is said about them.
pub(super) struct Items {
    db: usize,
    expiry_ms: Option<u64>,
    /// Keys read, but for those that were due.
    pub(super) keys: u64,
    /// Keys left out because they were due.
    expired: u64,
    now_ms: u64,
    limits: Limits,
    /// Scripts and libraries, in the file's order.
    code: Vec<(Code, Vec<u8>)>,
}

/// What a text of Lua is.
#[derive(Clone, Copy)]
enum Code {
    Script(Keep),
    Library,
}

impl Items {
    /// Nothing read yet; keys that are due at Unix time `now_ms` in milliseconds are left out.
    pub(super) const fn new(now_ms: u64, limits: Limits) -> Self {
        Self { db: 0, expiry_ms: None, keys: 0, expired: 0, now_ms, limits, code: Vec::new() }
    }

    /// Reads up to the opcode of the end, and hands every key with its database to `put`.
    pub(super) fn read<S: Source>(
        &mut self,
        reader: &mut Reader<S>,
        mut put: impl FnMut(usize, Entry) -> Result<(), String>,
    ) -> Result<(), String> {
        loop {
            let byte = reader.byte().map_err(|error| error.to_string())?;
            match Opcode::of(byte) {
                Some(Opcode::End) => return Ok(()),
                Some(opcode) => self.opcode(reader, opcode)?,
                None => {
                    let value_type =
                        ValueType::of(byte).ok_or_else(|| format!("type {byte} is not known"))?;
                    let key = reader.string().map_err(|error| error.to_string())?.to_vec();
                    let value = reader
                        .value(value_type, &self.limits)
                        .map_err(|error| format!("key {:?}: {error}", String::from_utf8_lossy(&key)))?;
                    let expiry_ms = self.expiry_ms.take();
                    if expiry_ms.is_some_and(|at| at <= self.now_ms) {
                        self.expired += 1;
                    } else {
                        put(self.db, Entry::new(&key, value, expiry_ms))?;
                        self.keys += 1;
                    }
                }
            }
        }
    }

    fn opcode<S: Source>(&mut self, reader: &mut Reader<S>, opcode: Opcode) -> Result<(), String> {
        let mut read = || -> Result<bool, moonshard_rdb::Error> {
            match opcode {
                Opcode::SelectDb => self.db = usize::try_from(reader.length()?).unwrap_or(usize::MAX),
                Opcode::ExpiryMs => self.expiry_ms = Some(reader.u64()?),
                Opcode::ExpirySeconds => self.expiry_ms = Some(u64::from(reader.u32()?) * 1000),
                Opcode::ResizeDb => {
                    reader.length()?;
                    reader.length()?;
                }
                Opcode::Aux => {
                    let kind = match reader.string()? {
                        LOADED_SCRIPT => Some(Code::Script(Keep::Loaded)),
                        EVALUATED_SCRIPT => Some(Code::Script(Keep::Evaluated)),
                        _ => None,
                    };
                    let value = reader.string()?;
                    self.code.extend(kind.map(|kind| (kind, value.to_vec())));
                }
                // How long a key was idle, and how often it was used, begins anew.
                Opcode::Idle => {
                    reader.length()?;
                }
                Opcode::Freq => {
                    reader.byte()?;
                }
                Opcode::Function2 => {
                    let library = reader.string()?.to_vec();
                    self.code.push((Code::Library, library));
                }
                Opcode::Function | Opcode::ModuleAux | Opcode::End => return Ok(false),
            }
            Ok(true)
        };
        match read() {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{opcode:?} is not supported")),
            Err(error) => Err(error.to_string()),
        }
    }
}
