//! The manifest: which files the log consists of.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::ManifestError;

use moonshard_disk::{Disk, folder_of};
use moonshard_protocol::split_args::{needs_quotes, quote};
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A file that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name, without a folder.
    pub name: Vec<u8>,
    /// Its number among the files of its kind.
    pub sequence: i64,
}

impl FileEntry {
    /// Where it lies when the log's folder is `folder`.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(OsStr::from_bytes(&self.name))
    }
}

/// The files of a log: those that make up the data, in the order in which they are to be loaded, and those that are no
/// longer needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// All the data at some moment, as an RDB file or as commands.
    pub base: Option<FileEntry>,
    /// Files that later ones have replaced, to be removed.
    pub history: Vec<FileEntry>,
    /// What happened since the base, oldest first. The last one is written to.
    pub increments: Vec<FileEntry>,
    last_base: i64,
    last_increment: i64,
}

/// Why a manifest could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadManifestError {
    /// The system's.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is none.
    #[error("{0}")]
    Malformed(#[from] ManifestError),
}

/// Where the manifest of the log called `log_name` (`appendfilename`) lies.
pub fn manifest_path(folder: &Path, log_name: &[u8]) -> PathBuf {
    folder.join(OsStr::from_bytes(&[log_name, b".manifest"].concat()))
}

impl Manifest {
    /// Reads the manifest at `path`; `None` when there is no such file, or no folder for it.
    ///
    /// # Errors
    /// The system's, and what is wrong with the text.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, ReadManifestError> {
        let mut file = match disk.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        Ok(Some(Self::parse(&text)?))
    }

    /// Puts the manifest of the log called `log_name` into its folder, which must be there. After a crash there is the
    /// old one or the new one; when this returns, the new one is on the disk.
    ///
    /// # Errors
    /// The system's. Which of the two is in place is then not known for certain: the new one may be, if its folder could
    /// not be synced.
    pub fn write(&self, disk: &dyn Disk, folder: &Path, log_name: &[u8]) -> io::Result<()> {
        let path = manifest_path(folder, log_name);
        let temporary = folder.join(OsStr::from_bytes(&[b"temp-", log_name, b".manifest"].concat()));
        let mut file = disk.create(&temporary)?;
        file.write_all(&self.format())?;
        file.sync_all()?;
        drop(file);
        disk.rename(&temporary, &path)?;
        disk.sync_dir(folder_of(&path))
    }

    /// The manifest's text: the base, the history, the increments, each in a line.
    pub fn format(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let of_kind = |kind| move |entry| (entry, kind);
        let base = self.base.iter().map(of_kind('b'));
        let history = self.history.iter().map(of_kind('h'));
        for (entry, kind) in base.chain(history).chain(self.increments.iter().map(of_kind('i'))) {
            text.extend_from_slice(b"file ");
            if needs_quotes(&entry.name) {
                quote(&entry.name, &mut text);
            } else {
                text.extend_from_slice(&entry.name);
            }
            text.extend_from_slice(format!(" seq {} type {kind}\n", entry.sequence).as_bytes());
        }
        text
    }

    /// Whether it names no data.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.increments.is_empty()
    }

    /// The files that make up the data, in the order in which they are to be loaded.
    pub fn data(&self) -> impl DoubleEndedIterator<Item = &FileEntry> {
        self.base.iter().chain(&self.increments)
    }

    /// Names a new base of the log called `log_name`, in Redis' RDB format or as commands. The one before becomes
    /// history.
    pub fn start_base(&mut self, log_name: &[u8], rdb: bool) -> &FileEntry {
        if let Some(base) = self.base.take() {
            self.history.insert(0, base);
        }
        self.last_base += 1;
        let ending = if rdb { ".base.rdb" } else { ".base.aof" };
        self.base.insert(numbered(log_name, self.last_base, ending))
    }

    /// Names a new increment of the log called `log_name`, behind those that there are. Returns its entry.
    pub fn start_increment(&mut self, log_name: &[u8]) -> FileEntry {
        self.last_increment += 1;
        let entry = numbered(log_name, self.last_increment, ".incr.aof");
        self.increments.push(entry.clone());
        entry
    }

    /// Makes history of all increments but the last `kept`: a new base has what is in them.
    pub fn retire_increments(&mut self, kept: usize) {
        let retired = self.increments.len().saturating_sub(kept);
        self.history.splice(0..0, self.increments.drain(..retired));
    }

    /// Takes the history out, whose files are to be removed.
    pub fn take_history(&mut self) -> Vec<FileEntry> {
        std::mem::take(&mut self.history)
    }

    /// The manifest of a log that consists of one file, as versions before 7 wrote it: it becomes the base, under its own
    /// name.
    pub fn of_single_file(name: &[u8]) -> Self {
        let base = FileEntry { name: name.to_vec(), sequence: 1 };
        Self { base: Some(base), last_base: 1, ..Self::default() }
    }
}

fn numbered(log_name: &[u8], sequence: i64, ending: &str) -> FileEntry {
    let name = [log_name, b".", sequence.to_string().as_bytes(), ending.as_bytes()].concat();
    FileEntry { name, sequence }
}
