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
}

/// A base that is to be written, and the increment that follows it.
pub struct Rewrite {
    /// The manifest once the base is there.
    next: Manifest,
    /// The increment's file, until it is written to.
    pub(super) increment: Option<Box<dyn DiskFile>>,
    /// Where the base belongs, beneath the server's directory.
    pub base: PathBuf,
}

impl Files {
    /// The files of the log called `log_name` in `folder`, with the manifest that was read there.
    pub fn new(disk: Arc<dyn Disk>, folder: &[u8], log_name: &[u8], manifest: Manifest) -> Self {
        let folder = PathBuf::from(OsStr::from_bytes(folder));
        Self { disk, folder, log_name: log_name.to_vec(), manifest }
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

    /// The file that is written to, for more, and its bytes; a new one, if there is none.
    ///
    /// # Errors
    /// The system's.
    pub fn open_last(&mut self) -> io::Result<(Box<dyn DiskFile>, u64)> {
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

    /// Begins a new base and its increment. In a log that is valid (`listed`) the increment is named by the manifest at
    /// once, since what goes into it counts whether the base succeeds or not; otherwise nothing counts before the base.
    ///
    /// # Errors
    /// The system's.
    pub fn start_rewrite(&mut self, listed: bool, rdb: bool) -> io::Result<Rewrite> {
        self.disk.create_dir(&self.folder)?;
        let mut next = self.manifest.clone();
        let increment = self.create(&next.start_increment(&self.log_name))?;
        if listed {
            self.replace(next.clone())?;
        }
        next.retire_increments(1);
        let base = next.start_base(&self.log_name, rdb).path(&self.folder);
        Ok(Rewrite { next, increment: Some(increment), base })
    }

    /// The base of `rewrite` is in its place and on the disk: makes it valid and removes what it replaces.
    ///
    /// # Errors
    /// The system's. What was valid before is so still.
    pub fn finish_rewrite(&mut self, rewrite: Rewrite, keeps_history: bool) -> io::Result<()> {
        self.replace(rewrite.next)?;
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
        let gone = |entry: &FileEntry| match self.disk.remove(&entry.path(&self.folder)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = %entry.path(&self.folder).display(), %error, "cannot remove an old file of the log");
                false
            }
            _ => true,
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
        next.write(&*self.disk, &self.folder, &self.log_name)?;
        self.manifest = next;
        Ok(())
    }
}
