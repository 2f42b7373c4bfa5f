//! Loads the append-only log: its base and its increments, in the order in which its manifest names them.

use super::cut::{Cutter, Input};
use super::replay::Replay;
use super::workers::Workers;
use super::{Context, LoadError, take_up};
use crate::config::Settings;
use crate::server::{Server, engine_settings, unix_ms};
use moonshard_aof::{FileEntry, Manifest, RDB_MAGIC, Reader, manifest_path};
use moonshard_disk::{Disk, folder_of};
use moonshard_engine::keyspace::Counted;
use std::ffi::OsStr;
use std::io::{self, Cursor, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use tokio::runtime::Handle;

/// Loads the log, if there is one. Returns its manifest.
///
/// # Errors
/// When it cannot be read, or is damaged in a way that the settings do not allow.
pub(super) fn load_log(
    server: &Arc<Server>,
    settings: &Settings,
    runtime: &Handle,
) -> Result<Manifest, LoadError> {
    let folder = Path::new(OsStr::from_bytes(&settings.appenddirname));
    let path = manifest_path(folder, &settings.appendfilename);
    let manifest = Manifest::read(&*server.disk, &path).map_err(|error| LoadError::Manifest {
        file: path.display().to_string(),
        reason: error.to_string(),
    })?;
    let manifest = take_over_single_file(server, settings, folder, manifest.unwrap_or_default())?;
    let snapshot = Path::new(OsStr::from_bytes(&settings.dbfilename));
    if manifest.is_empty() {
        if let Some(base) = base_without_manifest(server, settings, folder) {
            let reason = format!(
                "there is no manifest, but {base} is there. Put the manifest back, or move the log's files away to begin \
                 with an empty log, which would overwrite them"
            );
            return Err(LoadError::Manifest { file: path.display().to_string(), reason });
        }
        if server.disk.exists(snapshot) {
            tracing::warn!(
                file = %snapshot.display(),
                "appendonly is on and there is no append-only log: the log begins empty, and this snapshot is not loaded. \
                 To go on with it, start with appendonly off and turn it on by CONFIG SET"
            );
        }
        return Ok(manifest);
    }
    let begun_ms = unix_ms();
    let bytes = load_files(server, settings, folder, &manifest, runtime)?;
    // The calls that were made again are nobody's.
    for cell in &server.shards {
        cell.lock.blocking_lock().shard.stats.commands.fill_with(Counted::default);
    }
    let millis = unix_ms().saturating_sub(begun_ms);
    tracing::info!(files = manifest.data().count(), bytes, millis, "append-only log loaded from disk");
    Ok(manifest)
}

/// A base in the folder of a log that has no manifest. Increments alone are of no use to anybody: a log that could not
/// be begun leaves one.
fn base_without_manifest(server: &Server, settings: &Settings, folder: &Path) -> Option<String> {
    let begin = [&*settings.appendfilename, b"."].concat();
    let names = server.disk.list(folder).unwrap_or_default();
    let is_base = |name: &OsStr| {
        let rest = name.as_bytes().strip_prefix(&*begin)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits > 0 && rest[digits..].starts_with(b".base.")).then_some(())
    };
    let found = names.iter().find(|name| is_base(name).is_some())?;
    Some(folder.join(found).display().to_string())
}

/// A log of one file, as Redis before 7 wrote it, becomes the base of a new one.
fn take_over_single_file(
    server: &Server,
    settings: &Settings,
    folder: &Path,
    manifest: Manifest,
) -> Result<Manifest, LoadError> {
    let name = &settings.appendfilename;
    let (old, new) = (PathBuf::from(OsStr::from_bytes(name)), folder.join(OsStr::from_bytes(name)));
    // The manifest may have been written before, and not have come to more.
    let half_done = manifest.increments.is_empty()
        && manifest.base.as_ref().is_some_and(|base| *base.name == **name)
        && !server.disk.exists(&new);
    if !server.disk.exists(&old) || !(manifest.is_empty() || half_done) {
        return Ok(manifest);
    }
    let taken_over = Manifest::of_single_file(name);
    let disk = &*server.disk;
    let move_it = || -> io::Result<()> {
        disk.create_dir(folder)?;
        taken_over.write(disk, folder, name)?;
        disk.rename(&old, &new)?;
        disk.sync_dir(folder)?;
        disk.sync_dir(folder_of(&old))
    };
    move_it().map_err(|error| LoadError::Io { file: old.display().to_string(), error })?;
    tracing::info!(file = %old.display(), folder = %folder.display(), "the log of an older version was moved");
    Ok(taken_over)
}

/// Loads the files one after another. Returns their bytes.
fn load_files(
    server: &Arc<Server>,
    settings: &Settings,
    folder: &Path,
    manifest: &Manifest,
    runtime: &Handle,
) -> Result<u64, LoadError> {
    let shown = |entry: &FileEntry| entry.path(folder).display().to_string();
    let mut total = 0;
    for entry in manifest.data() {
        let len = server.disk.len(&entry.path(folder));
        total += len.map_err(|error| LoadError::Io { file: shown(entry), error })?;
    }
    server.persistence.loading.expect(total);
    let context = Context {
        server,
        settings: engine_settings(settings, server.seed),
        now_ms: unix_ms(),
        keep_expired: true,
    };
    thread::scope(|scope| {
        let no_thread = |error| LoadError::Io { file: folder.display().to_string(), error };
        let workers = Workers::start(scope, &context).map_err(no_thread)?;
        let mut earlier = 0;
        let last = last_with_data(server, folder, manifest);
        for entry in manifest.data() {
            let (path, file) = (entry.path(folder), shown(entry));
            let job = File { context: &context, workers: &workers, runtime, file: &file };
            match job.load(&path, earlier, settings.rdbchecksum) {
                Err(LoadError::Torn { offset, len, .. })
                    if settings.aof_load_truncated && Some(entry) == last =>
                {
                    cut_tail(server, &path, offset, len)?;
                }
                outcome => outcome?,
            }
            earlier += server.disk.len(&path).unwrap_or(0);
        }
        Ok(total)
    })
}

/// The last file that something was written to. The increment that a rewrite has begun is named before it is written to,
/// so a crash may leave it empty behind one whose end is missing.
fn last_with_data<'m>(server: &Server, folder: &Path, manifest: &'m Manifest) -> Option<&'m FileEntry> {
    let is_empty = |entry: &&FileEntry| server.disk.len(&entry.path(folder)).is_ok_and(|len| len == 0);
    manifest.data().rev().find(|entry| !is_empty(entry))
}

/// Cuts off what a crash has left at the end of the last file.
fn cut_tail(server: &Server, path: &Path, offset: u64, len: u64) -> Result<(), LoadError> {
    let file = path.display().to_string();
    tracing::warn!(
        file,
        offset,
        bytes = len.saturating_sub(offset),
        "the last command of the log is not complete, and is cut off (aof-load-truncated)"
    );
    server.disk.truncate(path, offset).map_err(|error| LoadError::Io { file, error })
}

/// A file that is to be loaded.
struct File<'f> {
    context: &'f Context<'f>,
    workers: &'f Workers,
    runtime: &'f Handle,
    file: &'f str,
}

impl File<'_> {
    fn load(&self, path: &Path, earlier: u64, checks: bool) -> Result<(), LoadError> {
        let io = |error| LoadError::Io { file: self.file.to_owned(), error };
        let server = self.context.server;
        let mut source = server.disk.open(path).map_err(io)?;
        let mut head = Vec::with_capacity(RDB_MAGIC.len());
        (&mut source).take(RDB_MAGIC.len() as u64).read_to_end(&mut head).map_err(io)?;
        let is_rdb = head == RDB_MAGIC;
        let source = Cursor::new(head).chain(source);
        let replay = Replay::new(self.context, self.workers, self.runtime, self.file);
        if !is_rdb {
            return replay.run(Reader::new(source), earlier);
        }
        let input = Input::new(source, earlier);
        let mut cutter = Cutter::new(input, self.context, self.workers, checks);
        let records = cutter.run(self.file)?;
        self.workers.wait(self.file)?;
        take_up(server, self.file, &records.code)?;
        let (rest, offset) = cutter.into_rest();
        replay.run(Reader::starting_at(rest, offset), earlier)
    }
}
