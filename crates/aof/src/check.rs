//! Examines what is on the disk without loading it: manifests, files of commands, RDB files.

mod commands;
mod report;
mod snapshot;

pub use commands::CommandFacts;
pub use snapshot::{SnapshotDamage, SnapshotFacts};

use crate::manifest::{Manifest, ReadManifestError};
use crate::reader::{Damage, RDB_MAGIC};
use moonshard_disk::Disk;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a file is to the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The base of a log.
    Base,
    /// An increment of a log.
    Increment,
    /// A log of one file, or an RDB file of no log.
    Alone,
}

/// What was found in a file.
#[derive(Debug)]
pub struct FileReport {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is to the data.
    pub role: Role,
    /// Whether it is the last of the files that something was written to: the only one that may be cut. A rewrite names
    /// its increment before it is written to.
    pub last: bool,
    /// Its length in bytes.
    pub len: u64,
    /// What is in its part in the RDB format, if it has one.
    pub snapshot: Option<SnapshotFacts>,
    /// What is in its part of commands, as far as that is whole.
    pub commands: CommandFacts,
    /// What is wrong with it.
    pub fault: Option<Fault>,
    /// Where a timestamp stands that is later than the one asked for.
    pub later: Option<u64>,
}

/// What is wrong with a file.
#[derive(Debug)]
pub enum Fault {
    /// It cannot be read.
    Io(io::Error),
    /// Its part in the RDB format is damaged.
    Snapshot(SnapshotDamage),
    /// Its part of commands is damaged.
    Commands(Damage),
}

impl FileReport {
    /// To which length the file has to be cut to be whole. `None` when it is, or when cutting does not help.
    pub const fn repaired_len(&self) -> Option<u64> {
        match &self.fault {
            Some(Fault::Commands(Damage::Torn { valid_up_to, .. } | Damage::Corrupt { valid_up_to, .. })) => {
                Some(*valid_up_to)
            }
            _ => None,
        }
    }
}

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// The manifest, if it was one that was examined.
    pub manifest: Option<PathBuf>,
    /// The files that make up the data, in the order in which they are loaded.
    pub files: Vec<FileReport>,
    /// Names in the manifest's folder that it does not know. They are no part of the data.
    pub strangers: Vec<OsString>,
}

impl Report {
    /// Whether everything can be read to its end.
    pub fn is_valid(&self) -> bool {
        self.files.iter().all(|file| file.fault.is_none())
    }
}

/// Why nothing could be examined.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The system's.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A manifest that is none.
    #[error("{}: not a valid manifest: {error}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: crate::ManifestError,
    },
    /// A folder without a manifest, or with several.
    #[error("{}: there {} in this folder: name the file to check", path.display(), manifests(*.count))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// How many manifests there are.
        count: usize,
    },
}

fn manifests(count: usize) -> String {
    if count == 0 { "is no manifest".to_owned() } else { format!("are {count} manifests") }
}

/// Says what is wrong with a command, from its arguments.
pub type Vet<'v> = &'v dyn Fn(&[&[u8]]) -> Result<(), String>;

/// How a file is examined.
#[derive(Clone, Copy, Default)]
pub struct Options<'v> {
    /// Unix time in seconds: examine up to the first timestamp that is later, and no further.
    pub up_to_unix_seconds: Option<i64>,
    /// Unix time in milliseconds, for counting the keys that are due.
    pub now_ms: u64,
    /// Whether the file must be in the RDB format, and nothing after its end counts.
    pub snapshot_only: bool,
    /// Is shown every command. One that it refuses is a fault: the file cannot be loaded.
    pub vet: Option<Vet<'v>>,
}

/// What a file is taken for.
enum Kind {
    Manifest,
    Log,
}

/// Examines what is at `path`: a manifest and all its files, a folder with a manifest, a log of one file, or an RDB file.
///
/// # Errors
/// When it cannot be told what to examine. What is wrong with a file is in its report.
pub fn examine(disk: &dyn Disk, path: &Path, options: Options<'_>) -> Result<Report, CheckError> {
    if options.snapshot_only {
        let report = examine_file(disk, path.to_owned(), Role::Alone, true, options);
        return Ok(Report { manifest: None, files: vec![report], strangers: Vec::new() });
    }
    let path = match disk.list(path) {
        Ok(names) => manifest_in(path, &names)?,
        Err(_) => path.to_owned(),
    };
    match kind_of(disk, &path).map_err(|error| CheckError::Io { path: path.clone(), error })? {
        Kind::Manifest => examine_manifest(disk, path, options),
        Kind::Log => {
            let report = examine_file(disk, path, Role::Alone, true, options);
            Ok(Report { manifest: None, files: vec![report], strangers: Vec::new() })
        }
    }
}

/// The one manifest in a folder.
fn manifest_in(folder: &Path, names: &[OsString]) -> Result<PathBuf, CheckError> {
    let is_manifest = |name: &&OsString| {
        let name = name.as_bytes();
        name.ends_with(b".manifest") && !name.starts_with(b"temp-")
    };
    let found: Vec<_> = names.iter().filter(is_manifest).collect();
    match found[..] {
        [name] => Ok(folder.join(name)),
        _ => Err(CheckError::Folder { path: folder.to_owned(), count: found.len() }),
    }
}

/// Tells a manifest from a log, by its name or by a line as only manifests have it.
fn kind_of(disk: &dyn Disk, path: &Path) -> io::Result<Kind> {
    /// Manifests are short, and their comments too.
    const LOOKED_AT: u64 = 1 << 20;
    if path.as_os_str().as_bytes().ends_with(b".manifest") {
        return Ok(Kind::Manifest);
    }
    let mut begin = Vec::new();
    disk.open(path)?.take(LOOKED_AT).read_to_end(&mut begin)?;
    let is_log = begin.starts_with(RDB_MAGIC) || begin.starts_with(b"*");
    let has_entry = || begin.split(|&byte| byte == b'\n').any(|line| line.starts_with(b"file"));
    Ok(if !is_log && has_entry() { Kind::Manifest } else { Kind::Log })
}

fn examine_manifest(disk: &dyn Disk, path: PathBuf, options: Options<'_>) -> Result<Report, CheckError> {
    let manifest = match Manifest::read(disk, &path) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Err(CheckError::Io { path, error: io::ErrorKind::NotFound.into() }),
        Err(ReadManifestError::Io(error)) => return Err(CheckError::Io { path, error }),
        Err(ReadManifestError::Malformed(error)) => return Err(CheckError::Manifest { path, error }),
    };
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let count = manifest.data().count();
    let mut files = Vec::with_capacity(count);
    let is_empty = |entry: &crate::FileEntry| disk.len(&entry.path(&folder)).is_ok_and(|len| len == 0);
    let empty_behind = manifest.data().rev().take_while(|entry| is_empty(entry)).count();
    let last = count.saturating_sub(empty_behind).max(1);
    for (index, entry) in manifest.data().enumerate() {
        let role = if index == 0 && manifest.base.is_some() { Role::Base } else { Role::Increment };
        let report = examine_file(disk, entry.path(&folder), role, index + 1 == last, options);
        let ends = report.later.is_some();
        files.push(report);
        if ends {
            break;
        }
    }
    let known = |name: &OsString| {
        let is = |entry: &crate::FileEntry| entry.name == name.as_bytes();
        manifest.data().any(is) || manifest.history.iter().any(is) || path.file_name() == Some(name)
    };
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    let mut strangers = disk.list(listed).unwrap_or_default();
    strangers.retain(|name| !known(name));
    strangers.sort();
    Ok(Report { manifest: Some(path), files, strangers })
}

fn examine_file(disk: &dyn Disk, path: PathBuf, role: Role, last: bool, options: Options<'_>) -> FileReport {
    let mut report = FileReport {
        path,
        role,
        last,
        len: 0,
        snapshot: None,
        commands: CommandFacts::default(),
        fault: None,
        later: None,
    };
    report.fault = read_file(disk, &mut report, options).err();
    report
}

fn read_file(disk: &dyn Disk, report: &mut FileReport, options: Options<'_>) -> Result<(), Fault> {
    report.len = disk.len(&report.path).map_err(Fault::Io)?;
    let mut begin = Vec::new();
    let mut file = disk.open(&report.path).map_err(Fault::Io)?;
    (&mut file).take(RDB_MAGIC.len() as u64).read_to_end(&mut begin).map_err(Fault::Io)?;
    let is_snapshot = options.snapshot_only || begin == RDB_MAGIC;
    let file = io::Cursor::new(begin).chain(file);
    if !is_snapshot {
        return commands::examine(file, 0, report, options).map_err(Fault::Commands);
    }
    let facts = report.snapshot.insert(SnapshotFacts::default());
    let (end, rest) = snapshot::examine(file, facts, options)?;
    if options.snapshot_only {
        return Ok(());
    }
    commands::examine(rest, end, report, options).map_err(Fault::Commands)
}
