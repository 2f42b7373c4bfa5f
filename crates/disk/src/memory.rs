//! A disk in memory that forgets what was not synced, as a machine does that loses its power.

use crate::{Disk, DiskFile, Syncer, folder_of};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file's bytes.
#[derive(Debug, Default)]
struct Content {
    /// As programs see them.
    bytes: Vec<u8>,
    /// As the last sync left them.
    synced: Vec<u8>,
}

impl Content {
    /// What a crash leaves of it.
    fn left_over(&self, chance: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let Self { bytes, synced } = self;
        let mut left = if chance(3) == 0 { synced.clone() } else { bytes.clone() };
        if left.len() > synced.len() && chance(2) == 1 {
            left.truncate(synced.len() + chance(left.len() - synced.len()));
        }
        left
    }
}

type Shared = Arc<Mutex<Content>>;
type Names = BTreeMap<PathBuf, Shared>;

/// A change of names that is not synced yet.
#[derive(Clone, Debug)]
enum Change {
    Put(PathBuf, Shared),
    Remove(PathBuf),
    /// The file goes along: where it comes from need not be known on the disk.
    Rename(PathBuf, PathBuf, Shared),
}

impl Change {
    fn apply(self, names: &mut Names) {
        match self {
            Self::Put(path, content) => drop(names.insert(path, content)),
            Self::Remove(path) => drop(names.remove(&path)),
            Self::Rename(from, to, content) => {
                names.remove(&from);
                names.insert(to, content);
            }
        }
    }

    fn is_in(&self, folder: &Path) -> bool {
        match self {
            Self::Put(path, _) | Self::Remove(path) => folder_of(path) == folder,
            Self::Rename(from, to, _) => folder_of(from) == folder || folder_of(to) == folder,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    names: Names,
    synced_names: Names,
    /// In the order in which they were made.
    changes: Vec<Change>,
    folders: BTreeSet<PathBuf>,
}

/// Files in memory, for tests of what is left after a crash. Folders are there at once and for good.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl MemoryDisk {
    /// Loses the power: what was synced is there afterwards, and what was not may be. `chance(n)` decides, with a number
    /// below `n`: how many of the changes of names have come to the disk, in their order, and of each file whether it is
    /// as it was at its last sync, or as it was last, with or without the last of the bytes since then. With zeros alone,
    /// nothing is there that was not synced. Who has a file open has lost it.
    pub fn lose_power(&self, chance: &mut dyn FnMut(usize) -> usize) {
        let mut state = self.0.lock();
        let kept = chance(state.changes.len() + 1);
        let changes = std::mem::take(&mut state.changes);
        let mut names = std::mem::take(&mut state.synced_names);
        changes.into_iter().take(kept).for_each(|change| change.apply(&mut names));
        for content in names.values_mut() {
            let left = content.lock().left_over(chance);
            *content = Arc::new(Mutex::new(Content { bytes: left.clone(), synced: left }));
        }
        state.names.clone_from(&names);
        state.synced_names = names;
    }

    fn open_for_writing(&self, path: &Path) -> io::Result<Shared> {
        let mut state = self.0.lock();
        let folder = folder_of(path);
        if !folder.as_os_str().is_empty() && !state.folders.contains(folder) {
            return Err(not_found());
        }
        if let Some(content) = state.names.get(path) {
            return Ok(content.clone());
        }
        let content = Shared::default();
        state.change(Change::Put(path.to_owned(), content.clone()));
        Ok(content)
    }

    fn content(&self, path: &Path) -> io::Result<Shared> {
        self.0.lock().names.get(path).cloned().ok_or_else(not_found)
    }
}

impl State {
    fn change(&mut self, change: Change) {
        self.changes.push(change.clone());
        change.apply(&mut self.names);
    }
}

impl Disk for MemoryDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let content = self.open_for_writing(path)?;
        content.lock().bytes.clear();
        Ok(Box::new(MemoryFile(content)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(MemoryFile(self.open_for_writing(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.content(path)?.lock().bytes.clone();
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(self.content(path)?.lock().bytes.len() as u64)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let content = self.content(from)?;
        self.0.lock().change(Change::Rename(from.to_owned(), to.to_owned(), content));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.content(path)?;
        self.0.lock().change(Change::Remove(path.to_owned()));
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.lock().folders.insert(path.to_owned());
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let (synced, left) =
            std::mem::take(&mut state.changes).into_iter().partition(|change| change.is_in(path));
        state.changes = left;
        Vec::into_iter(synced).for_each(|change| change.apply(&mut state.synced_names));
        Ok(())
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut file = MemoryFile(self.content(path)?);
        file.set_len(len)?;
        file.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let state = self.0.lock();
        if !path.as_os_str().is_empty() && !state.folders.contains(path) {
            return Err(not_found());
        }
        let inside = state.names.keys().filter(|name| folder_of(name) == path);
        Ok(inside.filter_map(|name| name.file_name()).map(OsString::from).collect())
    }
}

/// A file that is written at its end.
#[derive(Debug)]
struct MemoryFile(Shared);

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for MemoryFile {
    fn sync_data(&mut self) -> io::Result<()> {
        Syncer::sync_data(self)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        Syncer::sync_data(self)
    }

    fn syncer(&self) -> Box<dyn Syncer> {
        Box::new(Self(self.0.clone()))
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.0.lock().bytes.resize(len, 0);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().bytes.len() as u64)
    }
}

impl Syncer for MemoryFile {
    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.0.lock();
        content.synced = content.bytes.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(disk: &MemoryDisk, path: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        disk.open(Path::new(path)).ok()?.read_to_end(&mut bytes).unwrap();
        Some(bytes)
    }

    #[test]
    fn what_was_synced_stays() {
        let disk = MemoryDisk::default();
        disk.create_dir(Path::new("d")).unwrap();
        assert!(disk.create(Path::new("nowhere/f")).is_err());
        let mut file = disk.create(Path::new("d/f")).unwrap();
        file.write_all(b"kept").unwrap();
        file.sync_data().unwrap();
        disk.lose_power(&mut |_| 0);
        assert_eq!(read(&disk, "d/f"), None, "its name was not synced");

        let mut file = disk.create(Path::new("d/f")).unwrap();
        file.write_all(b"kept").unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("d")).unwrap();
        file.write_all(b" and lost").unwrap();
        disk.create(Path::new("d/g")).unwrap();
        assert_eq!(disk.list(Path::new("d")).unwrap(), ["f", "g"]);
        disk.rename(Path::new("d/f"), Path::new("d/g")).unwrap();
        disk.lose_power(&mut |_| 0);
        assert_eq!((read(&disk, "d/f").as_deref(), read(&disk, "d/g")), (Some(&b"kept"[..]), None));
    }

    #[test]
    fn a_file_goes_from_one_folder_to_another() {
        let disk = MemoryDisk::default();
        disk.create_dir(Path::new("d")).unwrap();
        let mut file = disk.create(Path::new("f")).unwrap();
        file.write_all(b"kept").unwrap();
        file.sync_data().unwrap();
        disk.rename(Path::new("f"), Path::new("d/f")).unwrap();
        disk.sync_dir(Path::new("d")).unwrap();
        disk.lose_power(&mut |_| 0);
        assert_eq!((read(&disk, "f"), read(&disk, "d/f").as_deref()), (None, Some(&b"kept"[..])));
    }

    #[test]
    fn what_was_not_synced_may_be_there() {
        let disk = MemoryDisk::default();
        disk.create(Path::new("f")).unwrap().write_all(b"bytes").unwrap();
        disk.rename(Path::new("f"), Path::new("g")).unwrap();
        // Both changes of names, the file as it was last, without an end of its bytes.
        let mut choices = [2, 1, 1, 3].into_iter();
        disk.lose_power(&mut |_| choices.next().unwrap());
        assert_eq!(read(&disk, "g").as_deref(), Some(&b"byt"[..]));
        disk.remove(Path::new("g")).unwrap();
        disk.lose_power(&mut |_| 0);
        assert_eq!(disk.len(Path::new("g")).unwrap(), 3);
        disk.truncate(Path::new("g"), 1).unwrap();
        disk.lose_power(&mut |_| 0);
        assert_eq!(disk.len(Path::new("g")).unwrap(), 1);
    }
}
