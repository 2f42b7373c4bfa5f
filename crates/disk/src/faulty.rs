//! A disk that fails on demand.

use crate::rules::{Fault, Operation, Rule, Rules};
use crate::{Disk, DiskFile, Syncer, SystemDisk};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Passes everything on to another disk, but for what its rules say. Without rules that costs a relaxed load an
/// operation.
pub struct FaultyDisk {
    inner: Box<dyn Disk>,
    rules: Arc<Rules>,
}

impl Default for FaultyDisk {
    fn default() -> Self {
        Self::new(Box::new(SystemDisk))
    }
}

impl FaultyDisk {
    /// A layer over another disk, without rules.
    pub fn new(inner: Box<dyn Disk>) -> Self {
        Self { inner, rules: Arc::default() }
    }

    /// Adds a rule, behind those that are there: of several that match an operation, the first decides. Open files
    /// follow it, too.
    pub fn add_rule(&self, rule: Rule) {
        self.rules.add(rule);
    }

    /// Takes all rules away.
    pub fn clear_rules(&self) {
        self.rules.clear();
    }

    fn guard(&self, operation: Operation, paths: &[&Path]) -> io::Result<()> {
        suffer(self.rules.hit(operation, paths))
    }

    fn file(&self, inner: Box<dyn DiskFile>, path: &Path) -> Box<dyn DiskFile> {
        let rules = self.rules.clone();
        Box::new(FaultyFile { inner, path: path.to_owned(), rules, due: None })
    }
}

/// Lets an operation take long and fail, as its fault says.
#[inline]
fn suffer(fault: Option<Fault>) -> io::Result<()> {
    let Some(fault) = fault else { return Ok(()) };
    if !fault.delay.is_zero() {
        std::thread::sleep(fault.delay);
    }
    fault.errno.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.guard(Operation::Create, &[path])?;
        Ok(self.file(self.inner.create(path)?, path))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.guard(Operation::Append, &[path])?;
        Ok(self.file(self.inner.append(path)?, path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read + Send>> {
        self.guard(Operation::Open, &[path])?;
        let inner = self.inner.open(path)?;
        Ok(Box::new(FaultyReader { inner, path: path.to_owned(), rules: self.rules.clone() }))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.guard(Operation::Len, &[path])?;
        self.inner.len(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.guard(Operation::Rename, &[from, to])?;
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.guard(Operation::Remove, &[path])?;
        self.inner.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.guard(Operation::CreateDir, &[path])?;
        self.inner.create_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.guard(Operation::SyncDir, &[path])?;
        self.inner.sync_dir(path)
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.guard(Operation::Truncate, &[path])?;
        self.inner.truncate(path, len)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.guard(Operation::List, &[path])?;
        self.inner.list(path)
    }
}

/// A file of a [`FaultyDisk`].
struct FaultyFile {
    inner: Box<dyn DiskFile>,
    path: PathBuf,
    rules: Arc<Rules>,
    /// The error that the next write ends with, because the last one was short.
    due: Option<i32>,
}

impl FaultyFile {
    fn guard(&self, operation: Operation) -> io::Result<()> {
        suffer(self.rules.hit(operation, &[&self.path]))
    }
}

impl Write for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(errno) = self.due.take() {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let fault = self.rules.hit(Operation::Write, &[&self.path]);
        match fault {
            Some(Fault { errno: Some(errno), short: Some(short @ 1..), delay }) => {
                suffer(Some(Fault { errno: None, short: None, delay }))?;
                self.due = Some(errno);
                let written = short.min(bytes.len());
                self.inner.write_all(bytes.get(..written).unwrap_or_default())?;
                Ok(written)
            }
            fault => {
                suffer(fault)?;
                self.inner.write(bytes)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl DiskFile for FaultyFile {
    fn sync_data(&mut self) -> io::Result<()> {
        self.guard(Operation::Sync)?;
        self.inner.sync_data()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.guard(Operation::Sync)?;
        self.inner.sync_all()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.guard(Operation::Truncate)?;
        self.inner.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.guard(Operation::Len)?;
        self.inner.len()
    }

    fn syncer(&self) -> Box<dyn Syncer> {
        let (inner, path, rules) = (self.inner.syncer(), self.path.clone(), self.rules.clone());
        Box::new(FaultySyncer { inner, path, rules })
    }

    fn start_writeback(&mut self) {
        self.inner.start_writeback();
    }
}

/// What syncs a file of a [`FaultyDisk`].
struct FaultySyncer {
    inner: Box<dyn Syncer>,
    path: PathBuf,
    rules: Arc<Rules>,
}

impl Syncer for FaultySyncer {
    fn sync_data(&self) -> io::Result<()> {
        suffer(self.rules.hit(Operation::Sync, &[&self.path]))?;
        self.inner.sync_data()
    }
}

/// A file of a [`FaultyDisk`] that is read.
struct FaultyReader {
    inner: Box<dyn Read + Send>,
    path: PathBuf,
    rules: Arc<Rules>,
}

impl Read for FaultyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        suffer(self.rules.hit(Operation::Read, &[&self.path]))?;
        self.inner.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("moonshard-disk-{}-{name}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn errno(outcome: io::Result<()>) -> Option<i32> {
        outcome.unwrap_err().raw_os_error()
    }

    #[test]
    fn without_rules_everything_passes() {
        let folder = Folder::new("pass");
        let disk = FaultyDisk::default();
        disk.create_dir(&folder.0).unwrap();
        let (one, two) = (folder.0.join("one"), folder.0.join("two"));
        let mut file = disk.create(&one).unwrap();
        file.write_all(b"0123456789").unwrap();
        file.sync_data().unwrap();
        file.sync_all().unwrap();
        file.start_writeback();
        file.set_len(8).unwrap();
        assert_eq!(file.len().unwrap(), 8);
        drop(file);
        disk.append(&one).unwrap().write_all(b"ab").unwrap();
        disk.rename(&one, &two).unwrap();
        disk.sync_dir(&folder.0).unwrap();
        assert!(!disk.exists(&one) && disk.exists(&two));
        let mut text = String::new();
        disk.open(&two).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "01234567ab");
        disk.truncate(&two, 3).unwrap();
        assert_eq!(disk.len(&two).unwrap(), 3);
        assert_eq!(disk.list(&folder.0).unwrap(), ["two"]);
        disk.remove(&two).unwrap();
        assert!(disk.list(&folder.0).unwrap().is_empty());
        assert!(disk.create_dir(&folder.0.join("no/where")).is_err());
    }

    #[test]
    fn rules_count_and_match() {
        let folder = Folder::new("count");
        let disk = FaultyDisk::default();
        let path = folder.0.join("incr.aof");
        let mut file = disk.create(&path).unwrap();
        let rule = Rule { after: 1, times: Some(2), ..Rule::new(Operation::Write, "incr", libc::ENOSPC) };
        disk.add_rule(rule);
        file.write_all(b"one").unwrap();
        assert_eq!(errno(file.write_all(b"two")), Some(libc::ENOSPC));
        assert_eq!(errno(file.write_all(b"three")), Some(libc::ENOSPC));
        file.write_all(b"four").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"onefour");
        disk.add_rule(Rule::new(Operation::Sync, "base", libc::EIO));
        file.sync_all().unwrap();
        disk.add_rule(Rule::new(Operation::Sync, "", libc::EIO));
        for _ in 0..3 {
            assert_eq!(errno(file.sync_data()), Some(libc::EIO));
        }
        disk.clear_rules();
        file.sync_data().unwrap();
    }

    #[test]
    fn a_short_write_is_owned_up_to_and_the_next_fails() {
        let folder = Folder::new("short");
        let disk = FaultyDisk::default();
        let path = folder.0.join("file");
        let mut file = disk.create(&path).unwrap();
        disk.add_rule(Rule {
            short: Some(4),
            times: Some(1),
            ..Rule::new(Operation::Write, "file", libc::ENOSPC)
        });
        assert_eq!(errno(file.write_all(b"0123456789")), Some(libc::ENOSPC));
        assert_eq!(fs::read(&path).unwrap(), b"0123");
        file.write_all(b"45").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"012345");
    }

    #[test]
    fn every_operation_can_fail() {
        let folder = Folder::new("every");
        let disk = FaultyDisk::default();
        let path = folder.0.join("file");
        fs::write(&path, b"bytes").unwrap();
        let mut file = disk.append(&path).unwrap();
        let mut reader = disk.open(&path).unwrap();
        for (name, operation) in Operation::NAMES {
            assert_eq!(Operation::of(&name.to_uppercase()), Some(operation));
            disk.add_rule(Rule::new(operation, "every", libc::EIO));
        }
        let outcomes = [
            disk.create(&path).map(drop),
            disk.append(&path).map(drop),
            disk.open(&path).map(drop),
            reader.read(&mut [0; 4]).map(drop),
            file.write(b"x").map(drop),
            file.sync_all(),
            file.sync_data(),
            file.syncer().sync_data(),
            file.set_len(0),
            disk.truncate(&path, 0),
            file.len().map(drop),
            disk.len(&path).map(drop),
            disk.rename(&path, Path::new("elsewhere")),
            disk.rename(Path::new("elsewhere"), &path),
            disk.remove(&path),
            disk.create_dir(&folder.0.join("sub")),
            disk.sync_dir(&folder.0),
            disk.list(&folder.0).map(drop),
        ];
        for (index, outcome) in outcomes.into_iter().enumerate() {
            assert_eq!(errno(outcome), Some(libc::EIO), "operation {index}");
        }
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
    }

    #[test]
    fn errors_have_names() {
        assert_eq!(crate::errno_of("enospc"), Some(libc::ENOSPC));
        assert_eq!(crate::errno_of("ENOTHING"), None);
        assert_eq!(crate::errno_name(libc::EIO), Some("EIO"));
    }
}
