//! The file of a snapshot: written beside its place, and moved there when it is whole and on the disk.

use super::commands::CommandWriter;
use crate::config::Settings;
use moonshard_aof::{EVALUATED_SCRIPT, LOADED_SCRIPT};
use moonshard_disk::{Disk, DiskFile, folder_of};
use moonshard_rdb::{Checksum, Opcode, Writer};
use moonshard_scripting::{Keep, Stored};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes that are written at once.
const BUFFER_LEN: usize = 1 << 18;
/// Bytes after which the file is synced on the way (`rdb-save-incremental-fsync`, `aof-rewrite-incremental-fsync`).
const SYNC_EVERY: usize = 4 << 20;
/// The version of the format for what Redis 7.0 knows, and for hashes whose fields expire.
const VERSION: u32 = 10;
const VERSION_OF_FIELD_EXPIRY: u32 = 12;

/// What the begin of the file says.
pub struct Header {
    /// Unix time in milliseconds of the snapshot.
    pub now_ms: u64,
    /// Bytes in use then.
    pub used_memory: u64,
    /// Whether hashes have fields that expire.
    pub timed_fields: bool,
    /// Whether it is a base of the log.
    pub is_base: bool,
    /// For each database its keys, and those of them that expire.
    pub sizes: Vec<(u64, u64)>,
    /// The libraries of functions and the scripts.
    pub stored: Vec<Stored>,
}

/// A snapshot's file while it is written.
pub struct SnapshotFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<Box<dyn DiskFile>>,
    form: Form,
    is_base: bool,
    /// Bytes since the last sync; `None` when the file is synced at its end only.
    unsynced: Option<usize>,
}

/// What the file consists of.
enum Form {
    /// The pieces as they are, and at the end the checksum of all bytes.
    Rdb(Option<Checksum>),
    /// Commands that make what is in the pieces.
    Commands(Box<CommandWriter>),
}

impl SnapshotFile {
    /// Creates the temporary file with the snapshot's begin: in the RDB format, or as commands.
    ///
    /// # Errors
    /// The system's.
    pub fn create(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        settings: &Settings,
        header: &Header,
        commands: Option<CommandWriter>,
    ) -> io::Result<Self> {
        let process = std::process::id();
        let temporary = PathBuf::from(if header.is_base {
            format!("temp-rewriteaof-bg-{process}.aof")
        } else {
            format!("temp-{process}.rdb")
        });
        let out = BufWriter::with_capacity(BUFFER_LEN, disk.create(&temporary)?);
        let form = commands.map_or_else(
            || Form::Rdb(settings.rdbchecksum.then(Checksum::new)),
            |it| Form::Commands(Box::new(it)),
        );
        let syncs = if header.is_base {
            settings.aof_rewrite_incremental_fsync
        } else {
            settings.rdb_save_incremental_fsync
        };
        let mut file =
            Self { disk, path, temporary, out, form, is_base: header.is_base, unsynced: syncs.then_some(0) };
        match &mut file.form {
            Form::Commands(commands) => file.out.write_all(commands.begin(header, settings))?,
            Form::Rdb(_) => file.write(&begin(header))?,
        }
        Ok(file)
    }

    /// Whether it is a base of the log.
    pub const fn is_base(&self) -> bool {
        self.is_base
    }

    /// Writes a piece.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = match &mut self.form {
            Form::Rdb(checksum) => {
                if let Some(checksum) = checksum {
                    checksum.update(bytes);
                }
                self.out.write_all(bytes)?;
                bytes.len()
            }
            Form::Commands(commands) => commands.write(bytes, &mut self.out)?,
        };
        if let Some(unsynced) = &mut self.unsynced {
            *unsynced += written;
            if *unsynced >= SYNC_EVERY {
                *unsynced = 0;
                self.out.flush()?;
                self.out.get_mut().sync_data()?;
            }
        }
        Ok(())
    }

    /// Writes the end, and puts the file into its place once all of it is on the disk.
    ///
    /// # Errors
    /// The system's.
    pub fn finish(mut self) -> io::Result<()> {
        if let Form::Rdb(_) = &self.form {
            self.write(&[Opcode::End as u8])?;
        }
        if let Form::Rdb(checksum) = &self.form {
            // Zero stands for a file without a checksum.
            let checksum = checksum.as_ref().map_or(0, Checksum::value);
            self.out.write_all(&checksum.to_le_bytes())?;
        }
        self.out.flush()?;
        self.out.get_mut().sync_all()?;
        self.disk.rename(&self.temporary, &self.path)?;
        self.disk.sync_dir(folder_of(&self.path))
    }
}

impl Drop for SnapshotFile {
    fn drop(&mut self) {
        // It is there only if the snapshot failed.
        let _ = self.disk.remove(&self.temporary);
    }
}

/// The file's first bytes.
fn begin(header: &Header) -> Vec<u8> {
    let version = if header.timed_fields { VERSION_OF_FIELD_EXPIRY } else { VERSION };
    let mut writer = Writer::new(false);
    writer.raw(format!("REDIS{version:04}").as_bytes());
    let seconds = (header.now_ms / 1000).to_string();
    let used = header.used_memory.to_string();
    for (name, value) in [
        ("redis-ver", crate::REDIS_VERSION),
        ("redis-bits", "64"),
        ("ctime", &seconds),
        ("used-mem", &used),
        ("aof-base", if header.is_base { "1" } else { "0" }),
        ("moonshard-ver", env!("CARGO_PKG_VERSION")),
    ] {
        writer.byte(Opcode::Aux as u8);
        writer.string(name.as_bytes());
        writer.string(value.as_bytes());
    }
    for stored in &header.stored {
        match stored {
            Stored::Library(library) => {
                writer.byte(Opcode::Function2 as u8);
                writer.string(library.code());
            }
            Stored::Script(script) => {
                let loaded = script.keep() == Keep::Loaded;
                writer.byte(Opcode::Aux as u8);
                writer.string(if loaded { LOADED_SCRIPT } else { EVALUATED_SCRIPT });
                writer.string(&script.source);
            }
        }
    }
    for (db, &(keys, expiring)) in header.sizes.iter().enumerate().filter(|(_, size)| size.0 > 0) {
        writer.byte(Opcode::SelectDb as u8);
        writer.length(db as u64);
        writer.byte(Opcode::ResizeDb as u8);
        writer.length(keys);
        writer.length(expiring);
    }
    writer.into_bytes()
}
