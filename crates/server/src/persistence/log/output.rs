//! What is written: records as Redis reads them, into one increment after another.

use moonshard_aof::{encode, encode_timestamp};
use moonshard_disk::{DiskFile, Syncer};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Bytes that are gathered before they are written.
const WRITE_LEN: usize = 1 << 20;
/// The database of what belongs to none.
pub const NO_DATABASE: u32 = u32::MAX;
/// Bytes before each command of a record: its database and its length.
const HEAD_LEN: usize = 12;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// Adds a command, as RESP has it, to a record.
pub fn push_command(record: &mut Vec<u8>, db: u32, command: &[u8]) {
    record.extend_from_slice(&db.to_le_bytes());
    record.extend_from_slice(&(command.len() as u64).to_le_bytes());
    record.extend_from_slice(command);
}

/// The commands of a record with their databases.
fn commands(mut record: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = record.split_first_chunk::<HEAD_LEN>()?;
        let [a, b, c, d, len @ ..] = *head;
        let len = u64::from_le_bytes(len) as usize;
        let (command, rest) = rest.split_at_checked(len)?;
        record = rest;
        Some((u32::from_le_bytes([a, b, c, d]), command))
    })
}

/// A file of the log that is being written.
struct Increment {
    file: Box<dyn DiskFile>,
    syncs: Arc<Syncs>,
    /// Bytes of it that the system has, and that the disk has.
    len: u64,
    synced_len: u64,
    /// What is to be written, from `sent` on.
    pending: Vec<u8>,
    sent: usize,
    /// The last record that was put into it.
    last: u64,
}

/// The syncs of an increment, one at a time: the system tells an error to one of those who sync a file.
struct Syncs {
    file: Box<dyn Syncer>,
    turn: Mutex<()>,
    /// One has failed: nobody knows which of its bytes are on the disk, and another would not tell.
    is_broken: AtomicBool,
}

impl Syncs {
    fn sync(&self) -> io::Result<()> {
        let _turn = self.turn.lock();
        if self.is_broken.load(Relaxed) {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.file.sync_data().inspect_err(|_| self.is_broken.store(true, Relaxed))
    }
}

/// A sync that goes on while more is written.
pub struct Syncing {
    syncs: Arc<Syncs>,
    /// What it brings to the disk: everything up to this record, so many bytes of the file.
    number: u64,
    len: u64,
}

impl Syncing {
    /// Waits for the disk.
    ///
    /// # Errors
    /// The system's.
    pub fn run(&self) -> io::Result<()> {
        self.syncs.sync()
    }
}

/// The increments that are not finished: the last is written to, those before it wait for the disk.
pub struct Output {
    increments: VecDeque<Increment>,
    /// Bytes of those that are finished since the last base.
    finished_len: u64,
    /// The database selected at the end of the last one.
    db: u32,
    /// Unix time in seconds of the last annotation.
    stamped: u64,
    written: u64,
    synced: u64,
}

/// Why the log cannot go on.
#[derive(Debug)]
pub enum Failure {
    /// Bytes could not be written; they are kept, and can be tried again.
    Write(io::Error),
    /// A sync failed. What the file holds is unknown, so a new base has to be written.
    Sync(io::Error),
}

impl Failure {
    /// The system's error.
    pub const fn error(&self) -> &io::Error {
        match self {
            Self::Write(error) | Self::Sync(error) => error,
        }
    }
}

impl Output {
    /// Nothing written yet, and nothing to write to; everything up to the record `number` is safe elsewhere.
    pub const fn new(number: u64) -> Self {
        Self {
            increments: VecDeque::new(),
            finished_len: 0,
            db: NO_DATABASE,
            stamped: 0,
            written: number,
            synced: number,
        }
    }

    /// What comes from now on goes into `file`, of which `len` bytes are there.
    pub fn switch(&mut self, file: Box<dyn DiskFile>, len: u64) {
        self.db = NO_DATABASE;
        let last = self.increments.back().map_or(self.written, |increment| increment.last);
        let syncs = Syncs { file: file.syncer(), turn: Mutex::new(()), is_broken: AtomicBool::new(false) };
        self.increments.push_back(Increment {
            file,
            syncs: Arc::new(syncs),
            len,
            synced_len: len,
            pending: Vec::new(),
            sent: 0,
            last,
        });
    }

    /// A base holds everything up to the last increment: those before it are of no use any more.
    pub fn drop_earlier(&mut self) {
        self.finished_len = 0;
        while self.increments.len() > 1 {
            let last = self.increments.pop_front().map_or(0, |increment| increment.last);
            self.written = self.written.max(last);
            self.synced = self.synced.max(last);
        }
    }

    /// Adds a record. `seconds` is the Unix time of its annotation, if it is to have one. Once enough has come together
    /// it is written, if it `may` be.
    ///
    /// # Errors
    /// As in [`write`](Self::write); the record is kept then.
    pub fn put(
        &mut self,
        number: u64,
        record: &[u8],
        seconds: Option<u64>,
        may: bool,
    ) -> Result<(), Failure> {
        let Some(increment) = self.increments.back_mut() else {
            // The log is off.
            (self.written, self.synced) = (number, number);
            return Ok(());
        };
        let out = &mut increment.pending;
        if let Some(seconds) = seconds.filter(|seconds| *seconds != self.stamped) {
            self.stamped = seconds;
            encode_timestamp(seconds, out);
        }
        let is_transaction = commands(record).nth(1).is_some();
        for (index, (db, command)) in commands(record).enumerate() {
            if db != self.db && db != NO_DATABASE {
                self.db = db;
                encode(&[b"SELECT", itoa::Buffer::new().format(db).as_bytes()], out);
            }
            if is_transaction && index == 0 {
                out.extend_from_slice(MULTI);
            }
            out.extend_from_slice(command);
        }
        if is_transaction {
            out.extend_from_slice(EXEC);
        }
        increment.last = number;
        let is_enough = increment.pending.len() - increment.sent >= WRITE_LEN;
        if may && is_enough { self.write() } else { Ok(()) }
    }

    /// Lets go of all files.
    pub fn close(&mut self) {
        if let Some(last) = self.increments.pop_back() {
            (self.written, self.synced) = (last.last, last.last);
        }
        self.increments.clear();
        self.finished_len = 0;
    }

    /// Writes what was put, and finishes all increments but the last.
    ///
    /// # Errors
    /// The first failure; what is not written is kept. After one of a sync all is written that can be, and there is no
    /// other way than [`drop_earlier`](Self::drop_earlier).
    pub fn write(&mut self) -> Result<(), Failure> {
        while let Some(increment) = self.increments.front_mut() {
            increment.write().map_err(Failure::Write)?;
            self.written = self.written.max(increment.last);
            if increment.syncs.is_broken.load(Relaxed) {
                return Err(Failure::Sync(io::Error::from_raw_os_error(libc::EIO)));
            }
            if self.increments.len() == 1 {
                break;
            }
            self.sync_first()?;
            self.finished_len += self.increments.pop_front().map_or(0, |increment| increment.len);
        }
        Ok(())
    }

    /// Sees to it that all that was put is on the disk.
    ///
    /// # Errors
    /// As of [`write`](Self::write).
    pub fn sync(&mut self) -> Result<(), Failure> {
        self.write()?;
        self.sync_first()
    }

    fn sync_first(&mut self) -> Result<(), Failure> {
        let Some(increment) = self.increments.front_mut() else { return Ok(()) };
        if increment.synced_len < increment.len {
            increment.syncs.sync().map_err(Failure::Sync)?;
            increment.synced_len = increment.len;
        }
        self.synced = self.written;
        Ok(())
    }

    /// Begins to bring what is written to the disk, if it is not there, while more is written.
    pub fn begin_sync(&self) -> Option<Syncing> {
        let increment = self.increments.front().filter(|_| self.is_unsynced())?;
        Some(Syncing { syncs: increment.syncs.clone(), number: self.written, len: increment.len })
    }

    /// Takes note of how a sync has ended.
    ///
    /// # Errors
    /// When it has failed, and no base has made up for that meanwhile.
    pub fn end_sync(&mut self, syncing: &Syncing, outcome: io::Result<()>) -> Result<(), Failure> {
        let front = self.increments.front_mut().filter(|first| Arc::ptr_eq(&first.syncs, &syncing.syncs));
        match (outcome, front) {
            (Ok(()), front) => {
                self.synced = self.synced.max(syncing.number);
                if let Some(increment) = front {
                    increment.synced_len = increment.synced_len.max(syncing.len);
                }
                Ok(())
            }
            (Err(error), Some(_)) => Err(Failure::Sync(error)),
            (Err(_), None) => Ok(()),
        }
    }

    /// The last record that the system has.
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// The last record that is on the disk.
    pub const fn synced(&self) -> u64 {
        self.synced
    }

    /// Whether something was written that is not on the disk.
    pub const fn is_unsynced(&self) -> bool {
        self.synced < self.written
    }

    /// Bytes that the system has of what came since the last base, and of the file that was there before.
    pub fn len(&self) -> u64 {
        self.finished_len + self.increments.iter().map(|increment| increment.len).sum::<u64>()
    }

    /// Bytes that are still to be written.
    pub fn pending(&self) -> usize {
        self.increments.iter().map(|increment| increment.pending.len() - increment.sent).sum()
    }
}

impl Increment {
    fn write(&mut self) -> io::Result<()> {
        while self.sent < self.pending.len() {
            match self.file.write(&self.pending[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.sent += written;
                    self.len += written as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // The next attempt goes on where this one has stopped.
                    self.pending.drain(..self.sent);
                    self.sent = 0;
                    return Err(error);
                }
            }
        }
        self.pending.clear();
        self.sent = 0;
        if self.pending.capacity() > 2 * WRITE_LEN {
            self.pending = Vec::new();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use moonshard_disk::{Disk, FaultyDisk, Operation, Rule};
    use std::path::PathBuf;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("moonshard-log-{}-{name}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn text(&self, file: &str) -> String {
            String::from_utf8(std::fs::read(self.0.join(file)).unwrap()).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn record(commands: &[(u32, &[u8])]) -> Vec<u8> {
        let mut record = Vec::new();
        commands.iter().for_each(|(db, command)| push_command(&mut record, *db, command));
        record
    }

    fn put(output: &mut Output, number: u64, commands: &[(u32, &[u8])]) -> Result<(), Failure> {
        output.put(number, &record(commands), None, true)
    }

    #[test]
    fn a_record_of_several_commands_is_a_transaction_and_databases_are_selected_when_they_change() {
        let folder = Folder::new("form");
        let disk = FaultyDisk::default();
        let mut output = Output::new(0);
        output.switch(disk.create(&folder.0.join("1")).unwrap(), 0);
        put(&mut output, 1, &[(0, b"a")]).unwrap();
        put(&mut output, 2, &[(0, b"b"), (3, b"c")]).unwrap();
        put(&mut output, 3, &[(NO_DATABASE, b"f")]).unwrap();
        output.put(4, &record(&[(3, b"d")]), Some(17), true).unwrap();
        output.put(5, &record(&[(3, b"e")]), Some(17), true).unwrap();
        assert_eq!((output.written(), output.pending() > 0), (0, true));
        output.write().unwrap();
        let select = |db: u32| format!("*2\r\n$6\r\nSELECT\r\n$1\r\n{db}\r\n");
        let (multi, exec) = ("*1\r\n$5\r\nMULTI\r\n", "*1\r\n$4\r\nEXEC\r\n");
        let expected = format!("{}a{multi}b{}c{exec}f#TS:17\r\nde", select(0), select(3));
        assert_eq!(folder.text("1"), expected);
        assert_eq!((output.written(), output.synced(), output.pending()), (5, 0, 0));
        assert_eq!(output.len(), expected.len() as u64);
        output.sync().unwrap();
        assert_eq!((output.synced(), output.is_unsynced()), (5, false));
        // Each file begins with no database selected.
        output.switch(disk.create(&folder.0.join("2")).unwrap(), 0);
        put(&mut output, 6, &[(3, b"g")]).unwrap();
        output.write().unwrap();
        assert_eq!(folder.text("2"), format!("{}g", select(3)));
    }

    #[test]
    fn a_write_that_failed_goes_on_where_it_stopped() {
        let folder = Folder::new("short");
        let disk = FaultyDisk::default();
        let mut output = Output::new(0);
        output.switch(disk.create(&folder.0.join("1")).unwrap(), 0);
        put(&mut output, 1, &[(NO_DATABASE, b"0123456789")]).unwrap();
        disk.add_rule(Rule { short: Some(4), ..Rule::new(Operation::Write, "1", libc::ENOSPC) });
        assert!(
            matches!(output.write(), Err(Failure::Write(error)) if error.raw_os_error() == Some(libc::ENOSPC))
        );
        assert_eq!((output.written(), output.pending(), output.len()), (0, 6, 4));
        put(&mut output, 2, &[(NO_DATABASE, b"abc")]).unwrap();
        disk.clear_rules();
        output.sync().unwrap();
        assert_eq!(folder.text("1"), "0123456789abc");
        assert_eq!((output.written(), output.synced()), (2, 2));
    }

    #[test]
    fn an_increment_is_on_the_disk_before_the_next_is_written() {
        let folder = Folder::new("order");
        let disk = FaultyDisk::default();
        let mut output = Output::new(0);
        output.switch(disk.create(&folder.0.join("1")).unwrap(), 0);
        put(&mut output, 1, &[(NO_DATABASE, b"one")]).unwrap();
        output.switch(disk.create(&folder.0.join("2")).unwrap(), 0);
        put(&mut output, 2, &[(NO_DATABASE, b"two")]).unwrap();
        disk.add_rule(Rule { times: Some(1), ..Rule::new(Operation::Sync, "1", libc::EIO) });
        assert!(matches!(output.write(), Err(Failure::Sync(_))));
        assert_eq!((folder.text("1").as_str(), folder.text("2").as_str()), ("one", ""));
        assert_eq!((output.written(), output.synced()), (1, 0));
        // Another sync may succeed and prove nothing: what was not written the first time may be lost.
        assert!(matches!(output.sync(), Err(Failure::Sync(_))));
        output.drop_earlier();
        output.sync().unwrap();
        assert_eq!(folder.text("2"), "two");
        assert_eq!((output.written(), output.synced()), (2, 2));
    }

    #[test]
    fn without_a_file_records_pass_by() {
        let folder = Folder::new("closed");
        let mut output = Output::new(7);
        put(&mut output, 8, &[(0, b"a")]).unwrap();
        assert_eq!((output.written(), output.synced(), output.pending()), (8, 8, 0));
        output.switch(FaultyDisk::default().create(&folder.0.join("1")).unwrap(), 0);
        put(&mut output, 9, &[(NO_DATABASE, b"b")]).unwrap();
        output.close();
        assert_eq!((output.written(), output.synced(), output.len()), (9, 9, 0));
    }
}
