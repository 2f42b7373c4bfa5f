//! Reads a snapshot's file and cuts it into records for the workers.

use super::delay::Delay;
use super::records::{KeyRecord, Records, Step, is_key};
use super::workers::{Chunk, Counts, Piece, Workers};
use super::{Context, LoadError};
use moonshard_engine::keyspace::Use;
use moonshard_engine::slot::{shard_of_slot, slot};
use moonshard_rdb::{Checksum, Chunked, Error, Limits, Reader, Source, ValueType};
use moonshard_store::Entry;
use std::io::{self, Cursor, Read};

/// The latest version of the format that is read: that of Redis 7.4.
const VERSION_MAX: u32 = 12;
/// The first version with a checksum at the end.
const VERSION_OF_CHECKSUM: u32 = 5;
/// Bytes before the first record.
const MAGIC_LEN: usize = 9;
/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;
/// A key's record that is longer is built while it is read, and not by a worker: it is never in memory as bytes.
const RECORD_MAX: usize = 8 << 20;

/// What is read, and how much of it was.
pub(super) struct Input<R> {
    inner: R,
    read: u64,
    /// Bytes of the files before it.
    earlier: u64,
}

impl<R> Input<R> {
    pub(super) const fn new(inner: R, earlier: u64) -> Self {
        Self { inner, read: 0, earlier }
    }
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.read += read as u64;
        Ok(read)
    }
}

/// See the [module](self).
pub(super) struct Cutter<'c, R> {
    input: Input<R>,
    context: &'c Context<'c>,
    workers: &'c Workers,
    /// Read, but for what is done with.
    buffer: Vec<u8>,
    /// What of the buffer was cut.
    at: usize,
    checks: bool,
    checksum: Checksum,
    records: Records,
    /// Of the present buffer, by shard.
    pieces: Vec<Vec<Piece>>,
    delay: Delay,
}

impl<'c, R: Read> Cutter<'c, R> {
    /// A cutter of what `input` reads, which compares the checksum if `checks`.
    pub(super) fn new(input: Input<R>, context: &'c Context<'c>, workers: &'c Workers, checks: bool) -> Self {
        Self {
            input,
            context,
            workers,
            buffer: Vec::new(),
            at: 0,
            checks,
            checksum: Checksum::new(),
            records: Records::default(),
            pieces: vec![Vec::new(); context.server.shards.len()],
            delay: Delay::of(&context.server.config),
        }
    }

    /// Cuts up to the end of the snapshot. What it gave to the workers is not done yet.
    ///
    /// # Errors
    /// What is wrong with the file, if the workers have not found something before.
    pub(super) fn run(&mut self, file: &str) -> Result<Records, LoadError> {
        let outcome = self.cut();
        let offset = self.offset();
        if let Err(reason) = outcome {
            // The first fault counts, which the workers may have found.
            self.workers.wait(file)?;
            let file = file.to_owned();
            return Err(match reason {
                Stop::Io(error) => LoadError::Io { file, error },
                Stop::Wrong(reason) => LoadError::Corrupt { file, offset, reason },
            });
        }
        Ok(std::mem::take(&mut self.records))
    }

    /// What follows the snapshot in its file, and where that begins.
    pub(super) fn into_rest(mut self) -> (impl Read, u64) {
        let offset = self.offset();
        self.buffer.drain(..self.at);
        (Cursor::new(self.buffer).chain(self.input), offset)
    }

    /// Where in the file the next record begins.
    const fn offset(&self) -> u64 {
        self.input.read - (self.buffer.len() - self.at) as u64
    }

    fn cut(&mut self) -> Result<(), Stop> {
        while self.buffer.len() < MAGIC_LEN {
            self.read_more()?;
        }
        let version = version_of(&self.buffer[..MAGIC_LEN])?;
        self.at = MAGIC_LEN;
        loop {
            self.records.offset = self.offset();
            match self.records.next(&self.buffer[self.at..]) {
                Ok((len, Step::Note)) => {
                    self.at += len;
                    let loading = &self.context.server.persistence.loading;
                    loading.note_used_memory(self.records.used_memory);
                }
                Ok((len, Step::Key(record))) => self.note(len, record),
                Ok((len, Step::End)) => {
                    self.at += len;
                    break;
                }
                Err(Error::Truncated) => self.go_on()?,
                Err(error) => return Err(error.into()),
            }
            if self.workers.have_failed() {
                return Ok(());
            }
        }
        self.hand_over();
        if version >= VERSION_OF_CHECKSUM { self.check_end() } else { Ok(()) }
    }

    /// Notes a key's record, for the worker of its shard.
    fn note(&mut self, len: usize, record: KeyRecord) {
        let shard = shard_of_slot(record.slot, self.pieces.len());
        // A record fits into a buffer of some megabytes.
        self.pieces[shard].push(Piece { at: self.at as u32, len: len as u32, record });
        self.at += len;
        if self.delay.is_set() {
            self.context.server.persistence.loading.reach(self.input.earlier + self.offset());
            self.delay.wait(self.context.server);
        }
    }

    /// Reads on, in the middle of a record.
    fn go_on(&mut self) -> Result<(), Stop> {
        self.hand_over();
        match self.buffer.first() {
            Some(&byte) if self.buffer.len() >= RECORD_MAX && is_key(byte) => self.build_while_reading(),
            _ => self.read_more(),
        }
    }

    /// Reads as much again as there is of a record, so that a length that lies does not take memory.
    fn read_more(&mut self) -> Result<(), Stop> {
        let step = CHUNK.max(self.buffer.len()) as u64;
        if (&mut self.input).take(step).read_to_end(&mut self.buffer).map_err(Stop::Io)? == 0 {
            return Err(Error::Truncated.into());
        }
        Ok(())
    }

    /// Gives what was cut to the workers, and goes on with the rest of the buffer in another one.
    fn hand_over(&mut self) {
        if self.at == 0 {
            return;
        }
        let offset = self.offset() - self.at as u64;
        if self.checks {
            self.checksum.update(&self.buffer[..self.at]);
        }
        let mut rest = Vec::with_capacity(CHUNK + self.buffer.len() - self.at);
        rest.extend_from_slice(&self.buffer[self.at..]);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        self.at = 0;
        let share = self.workers.share(bytes.len());
        self.workers.take_in(Chunk { bytes, offset, _share: share }, &mut self.pieces);
        self.tell();
    }

    /// Tells how far loading is.
    fn tell(&mut self) {
        let loading = &self.context.server.persistence.loading;
        loading.reach(self.input.earlier + self.offset());
        self.delay = Delay::of(&self.context.server.config);
        loading.log_at_times();
    }

    /// Builds the value at the begin of the buffer while the file is read on.
    fn build_while_reading(&mut self) -> Result<(), Stop> {
        let (offset, server) = (self.offset(), self.context.server);
        server.persistence.loading.note_long();
        let checksum = std::mem::take(&mut self.checksum);
        let source = Chunked::resumed(&mut self.input, std::mem::take(&mut self.buffer), checksum);
        let mut reader = Reader::new(source);
        let built = build(&mut reader, &mut self.records, &self.context.settings.restore_limits());
        let put = match built {
            Err(Error::Io(error)) => return Err(Stop::Io(error)),
            Err(error) => Err(error.to_string()),
            Ok((entry, db)) => {
                let shard = shard_of_slot(slot(entry.0.key()), self.pieces.len());
                let mut counts = Counts::default();
                let mut guard = server.shards[shard].lock.blocking_lock();
                let put = self.context.put(&mut guard, db, entry, &mut counts);
                self.context.count(counts);
                put
            }
        };
        (_, self.buffer, self.checksum) = reader.into_source().into_parts();
        if let Err(reason) = put {
            self.workers.fail(offset, reason);
        }
        self.tell();
        Ok(())
    }

    /// Compares the checksum at the file's end; one of zero stands for none.
    fn check_end(&mut self) -> Result<(), Stop> {
        const LEN: usize = size_of::<u64>();
        while self.buffer.len() < LEN {
            self.read_more()?;
        }
        let stored = Reader::new(&self.buffer[..LEN]).u64()?;
        let expected = self.checksum.value();
        if self.checks && stored != 0 && stored != expected {
            self.workers
                .fail(self.offset(), format!("wrong checksum: {stored:016x} and not {expected:016x}"));
        }
        self.at = LEN;
        Ok(())
    }
}

/// Why a file is read no further.
enum Stop {
    Io(io::Error),
    Wrong(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        if let Error::Io(error) = error { Self::Io(error) } else { Self::Wrong(error.to_string()) }
    }
}

/// The version of the format that a file's first bytes tell.
fn version_of(magic: &[u8]) -> Result<u32, Stop> {
    let digits = magic.strip_prefix(b"REDIS").and_then(|digits| std::str::from_utf8(digits).ok());
    match digits.and_then(|digits| digits.parse().ok()) {
        None => Err(Stop::Wrong("it does not begin as a snapshot does".into())),
        Some(version @ 1..=VERSION_MAX) => Ok(version),
        Some(version) => Err(Stop::Wrong(format!("version {version} of the format is not known"))),
    }
}

/// Builds the entry of the key's record that comes next; tells what was told of its use, and its database.
fn build<S: Source>(
    reader: &mut Reader<S>,
    records: &mut Records,
    limits: &Limits,
) -> Result<((Entry, Option<Use>), usize), Error> {
    let byte = reader.byte()?;
    let value_type = ValueType::of(byte).ok_or(Error::UnknownType(byte))?;
    let key = reader.string()?.to_vec();
    let KeyRecord { db, expiry_ms, used, .. } = records.key(slot(&key));
    Ok(((Entry::new(&key, reader.value(value_type, limits)?, expiry_ms), used), db))
}
