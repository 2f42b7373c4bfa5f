//! The file of a snapshot: written beside its place, and moved there when it is whole and on the disk.

use crate::config::Settings;
use moonshard_disk::{Disk, DiskFile, folder_of};
use moonshard_rdb::{Checksum, Opcode, Writer};
use moonshard_scripting::{Keep, Stored};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes after which the file is synced on the way (`rdb-save-incremental-fsync`).
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
    /// The libraries of functions and the scripts.
    pub stored: Vec<Stored>,
}

/// Names under which a file holds a script that SCRIPT LOAD has made known, as Redis before 7 wrote it, and one that
/// only EVAL has. Redis 7 passes over both.
pub const LOADED_SCRIPT: &[u8] = b"lua";
pub const EVALUATED_SCRIPT: &[u8] = b"moonshard-eval";

/// A snapshot's file while it is written.
pub struct SnapshotFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    temporary: PathBuf,
    out: BufWriter<Box<dyn DiskFile>>,
    checksum: Option<Checksum>,
    /// Bytes since the last sync; `None` when the file is synced at its end only.
    unsynced: Option<usize>,
}

impl SnapshotFile {
    /// Creates the temporary file with the snapshot's begin.
    ///
    /// # Errors
    /// The system's.
    pub fn create(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        settings: &Settings,
        header: Header,
    ) -> io::Result<Self> {
        let temporary = PathBuf::from(format!("temp-{}.rdb", std::process::id()));
        let out = BufWriter::with_capacity(1 << 18, disk.create(&temporary)?);
        let mut file = Self {
            disk,
            path,
            temporary,
            out,
            checksum: settings.rdbchecksum.then(Checksum::new),
            unsynced: settings.rdb_save_incremental_fsync.then_some(0),
        };
        file.write(&begin(&header))?;
        Ok(file)
    }

    /// Writes a piece.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(checksum) = &mut self.checksum {
            checksum.update(bytes);
        }
        self.out.write_all(bytes)?;
        if let Some(unsynced) = &mut self.unsynced {
            *unsynced += bytes.len();
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
        self.write(&[Opcode::End as u8])?;
        // Zero stands for a file without a checksum.
        let checksum = self.checksum.as_ref().map_or(0, Checksum::value);
        self.out.write_all(&checksum.to_le_bytes())?;
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
    writer.into_bytes()
}
