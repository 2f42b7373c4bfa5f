//! The files of the log: which there are, and how one begins.

use moonshard_aof::{FileEntry, Manifest, ReadManifestError, manifest_path};
use moonshard_disk::{Disk, DiskFile};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The log's folder, and what is valid in it.
pub struct Files {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    log_name: Vec<u8>,
    /// As it is on the disk.
    manifest: Manifest,
    /// Whether another one may be on the disk, after a failure.
    is_uncertain: bool,
}

/// A base that is to be written, and the increment that follows it.
pub struct Rewrite {
    /// The manifest once the base is there.
    next: Manifest,
    /// Whether changes are recorded, into an increment that follows the base.
    pub(super) records: bool,
    /// The increment's file, until it is written to.
    pub(super) increment: Option<Box<dyn DiskFile>>,
    /// Where the increment lies, if nothing names it before the base is there.
    unlisted: Option<PathBuf>,
    /// Where the base belongs, beneath the server's directory.
    pub base: PathBuf,
}

impl Rewrite {
    /// Whether there is an increment that is not written to yet.
    pub const fn has_increment(&self) -> bool {
        self.increment.is_some()
    }
}

impl Files {
    /// The files of the log called `log_name` in `folder`, with the manifest that was read there.
    pub fn new(disk: Arc<dyn Disk>, folder: &[u8], log_name: &[u8], manifest: Manifest) -> Self {
        let folder = PathBuf::from(OsStr::from_bytes(folder));
        Self { disk, folder, log_name: log_name.to_vec(), manifest, is_uncertain: false }
    }

    /// The same, with the manifest as it is on the disk.
    ///
    /// # Errors
    /// The system's; a manifest that is none.
    pub fn read(disk: Arc<dyn Disk>, folder: &[u8], log_name: &[u8]) -> Result<Self, ReadManifestError> {
        let mut files = Self::new(disk, folder, log_name, Manifest::default());
        let path = manifest_path(&files.folder, log_name);
        files.manifest = Manifest::read(&*files.disk, &path)?.unwrap_or_default();
        Ok(files)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that is written to, for more, and its bytes; a new one, if there is none. What was loaded is on the disk
    /// then, with its names: a process that was killed leaves what was never synced, and from now on that counts.
    ///
    /// # Errors
    /// The system's.
    pub fn open_last(&mut self) -> io::Result<(Box<dyn DiskFile>, u64)> {
        for entry in self.manifest.data() {
            self.disk.append(&entry.path(&self.folder))?.sync_data()?;
        }
        self.disk.sync_dir(&self.folder)?;
        if let Some(last) = self.manifest.increments.last() {
            let file = self.disk.append(&last.path(&self.folder))?;
            let len = file.len()?;
            return Ok((file, len));
        }
        let mut next = self.manifest.clone();
        let file = self.create(&next.start_increment(&self.log_name))?;
        self.replace(next)?;
        Ok((file, 0))
    }

    /// Begins a new base, and its increment if changes are recorded (`records`). In a log that is valid (`listed`) the
    /// increment is named by the manifest at once, since what goes into it counts whether the base succeeds or not;
    /// otherwise nothing counts before the base.
    ///
    /// # Errors
    /// The system's.
    pub fn start_rewrite(&mut self, records: bool, listed: bool, rdb: bool) -> io::Result<Rewrite> {
        self.disk.create_dir(&self.folder)?;
        self.make_certain()?;
        let mut next = self.manifest.clone();
        let (mut increment, mut unlisted) = (None, None);
        if records {
            let entry = next.start_increment(&self.log_name);
            if listed {
                increment = Some(self.create(&entry)?);
                self.replace(next.clone())?;
            } else {
                let path = entry.path(&self.folder);
                // An attempt before this one may still be writing to a file of this name.
                self.remove_if_there(&path)?;
                increment = Some(self.disk.create(&path)?);
                unlisted = Some(path);
            }
        }
        next.retire_increments(usize::from(records));
        let base = next.start_base(&self.log_name, rdb).path(&self.folder);
        Ok(Rewrite { next, records, increment, unlisted, base })
    }

    /// Removes what a rewrite has left that failed: what the manifest does not name, and an increment that it names but
    /// that nothing goes to. As long as that one is there, the file before it must not end within a command.
    pub fn abandon_rewrite(&mut self, rewrite: &Rewrite) {
        let mut unused = rewrite.unlisted.clone();
        if !self.is_uncertain && rewrite.has_increment() && unused.is_none() {
            let mut next = self.manifest.clone();
            unused = next.increments.pop().map(|entry| entry.path(&self.folder));
            if let Err(error) = self.replace(next) {
                tracing::warn!(%error, "cannot take an unused file out of the log's manifest");
            }
        }
        if self.is_uncertain {
            // The manifest may name them after all.
            return;
        }
        for path in std::iter::once(&rewrite.base).chain(&unused) {
            if let Err(error) = self.remove_if_there(path) {
                tracing::warn!(file = %path.display(), %error, "cannot remove a file of a rewrite that failed");
            }
        }
    }

    fn remove_if_there(&self, path: &Path) -> io::Result<()> {
        match self.disk.remove(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The base of `rewrite` is in its place and on the disk: makes it valid and removes what it replaces.
    ///
    /// # Errors
    /// The system's. What was valid before is so still.
    pub fn finish_rewrite(&mut self, rewrite: &Rewrite, keeps_history: bool) -> io::Result<()> {
        self.replace(rewrite.next.clone())?;
        if !keeps_history {
            self.remove_history();
        }
        Ok(())
    }

    /// Removes files that are no longer needed. One that cannot be removed now stays named, and is tried again when the
    /// next base is there.
    pub fn remove_history(&mut self) {
        if self.manifest.history.is_empty() {
            return;
        }
        let mut next = self.manifest.clone();
        let gone = |entry: &FileEntry| match self.remove_if_there(&entry.path(&self.folder)) {
            Err(error) => {
                tracing::warn!(file = %entry.path(&self.folder).display(), %error, "cannot remove an old file of the log");
                false
            }
            Ok(()) => true,
        };
        next.history = next.take_history().into_iter().filter(|entry| !gone(entry)).collect();
        if let Err(error) = self.replace(next) {
            tracing::warn!(%error, "cannot write the log's manifest");
        }
    }

    /// Bytes of the base, as far as they can be told.
    pub fn base_len(&self) -> u64 {
        let len = |entry: &FileEntry| self.disk.len(&entry.path(&self.folder)).unwrap_or(0);
        self.manifest.base.as_ref().map_or(0, len)
    }

    /// Bytes of all increments but the last.
    pub fn earlier_len(&self) -> u64 {
        let Some((_, earlier)) = self.manifest.increments.split_last() else { return 0 };
        earlier.iter().map(|entry| self.disk.len(&entry.path(&self.folder)).unwrap_or(0)).sum()
    }

    fn create(&self, entry: &FileEntry) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(&entry.path(&self.folder))
    }

    fn replace(&mut self, next: Manifest) -> io::Result<()> {
        self.is_uncertain = true;
        next.write(&*self.disk, &self.folder, &self.log_name)?;
        self.is_uncertain = false;
        self.manifest = next;
        Ok(())
    }

    /// Sees to it that the manifest on the disk is the one that counts.
    fn make_certain(&mut self) -> io::Result<()> {
        if !self.is_uncertain {
            return Ok(());
        }
        if !self.manifest.is_empty() {
            return self.replace(self.manifest.clone());
        }
        self.remove_if_there(&manifest_path(&self.folder, &self.log_name))?;
        self.disk.sync_dir(&self.folder)?;
        self.is_uncertain = false;
        Ok(())
    }
}
