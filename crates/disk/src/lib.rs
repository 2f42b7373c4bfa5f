//! What persistence needs of a file system, and a layer over it that fails on demand.
//!
//! Everything that Moonshard keeps on disk goes through [`Disk`]. [`SystemDisk`] is the real one. [`FaultyDisk`] passes
//! everything on to another one until a [`Rule`] says that an operation fails: so tests see what a full or a broken disk
//! does to a running server. [`MemoryDisk`] forgets what was not synced, for tests of the order of steps.

mod errno;
mod faulty;
mod memory;
mod rules;
mod system;

pub use errno::{errno_name, errno_of};
pub use faulty::FaultyDisk;
pub use memory::MemoryDisk;
pub use rules::{Operation, Rule};
pub use system::SystemDisk;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;

/// The operations on files that persistence consists of. All of them block the calling thread.
pub trait Disk: Send + Sync {
    /// Opens a file for writing and empties it, or creates it (mode 0644).
    ///
    /// # Errors
    /// The system's.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for writing at its end, or creates it (mode 0644).
    ///
    /// # Errors
    /// The system's.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading from its begin, without a buffer.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>>;

    /// The length of a file in bytes.
    ///
    /// # Errors
    /// The system's.
    fn len(&self, path: &Path) -> io::Result<u64>;

    /// Whether there is something by this name; what cannot be looked at is there.
    fn exists(&self, path: &Path) -> bool {
        !matches!(self.len(path), Err(error) if error.kind() == io::ErrorKind::NotFound)
    }

    /// Gives a file another name, in place of whatever has that name.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory (mode 0755), unless it is there.
    ///
    /// # Errors
    /// The system's.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Brings the names in a directory to the disk: those created, renamed and removed. An empty path is the current
    /// directory.
    ///
    /// # Errors
    /// The system's.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Cuts a file to so many bytes, and brings that to the disk.
    ///
    /// # Errors
    /// The system's.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;

    /// The names in a directory, in no order.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;
}

/// A file that is open for writing, without a buffer.
pub trait DiskFile: Write + Send {
    /// Brings what was written to the disk, and as much about the file as reading it takes.
    ///
    /// # Errors
    /// The system's. What was written since the last sync may then be lost, whatever a later sync says.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Brings what was written, and everything about the file, to the disk.
    ///
    /// # Errors
    /// As [`DiskFile::sync_data`].
    fn sync_all(&mut self) -> io::Result<()>;

    /// Cuts the file, or lengthens it with zeros, to so many bytes.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&mut self, len: u64) -> io::Result<()>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// The system's.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// The system's.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// By which the file can be synced while somebody writes to it.
    fn syncer(&self) -> Box<dyn Syncer>;

    /// Asks the system to begin writing what was written to the disk, without waiting, so that the next sync takes less
    /// long. A hint, without an error.
    fn start_writeback(&mut self) {}
}

/// The same open file as a [`DiskFile`], for whoever syncs it beside the one who writes.
pub trait Syncer: Send + Sync {
    /// Brings what was written before this call to the disk.
    ///
    /// # Errors
    /// As [`DiskFile::sync_data`]. The system tells an error to one of those who sync the same open file, whichever comes
    /// first.
    fn sync_data(&self) -> io::Result<()>;
}

/// The directory that a file is in, for [`Disk::sync_dir`].
pub fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}
