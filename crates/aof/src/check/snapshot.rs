//! Examines a file in Redis' RDB format, every value of it.

use super::{Fault, Options};
use crate::reader::RDB_MAGIC;
use crate::script::{EVALUATED_SCRIPT, LOADED_SCRIPT};
use moonshard_rdb::{Chunked, Error, Limits, Opcode, Reader, Source, ValueType};
use moonshard_store::{HashLimits, ListLimits, Seed, SetLimits, SortedSetLimits};
use std::collections::BTreeSet;
use std::io::{Cursor, Read};

/// The latest version of the format that is read: that of Redis 7.4.
const VERSION_MAX: u32 = 12;
/// The first version that ends with a checksum.
const VERSION_OF_CHECKSUM: u32 = 5;

/// What was found in an RDB file, up to the first fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotFacts {
    /// The version of the format.
    pub version: u32,
    /// Keys.
    pub keys: u64,
    /// Keys that expire, those that are due included.
    pub expiring: u64,
    /// Keys that are due.
    pub due: u64,
    /// Databases with keys.
    pub databases: BTreeSet<u64>,
    /// Libraries of functions.
    pub libraries: u64,
    /// What the file says of itself, by name. Scripts are not among them.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether it ends with a checksum, which is right.
    pub has_checksum: bool,
}

/// What is wrong with an RDB file.
#[derive(Debug)]
pub struct SnapshotDamage {
    /// Where the record begins that is wrong, or the checksum.
    pub offset: u64,
    /// How far the file was read.
    pub read_up_to: u64,
    /// What is wrong.
    pub reason: String,
    /// The key whose value is wrong.
    pub key: Option<Vec<u8>>,
    /// How that is encoded.
    pub value_type: Option<ValueType>,
}

/// A source that counts what is taken.
struct Counted<S> {
    inner: S,
    taken: u64,
}

impl<S: Source> Source for Counted<S> {
    fn take(&mut self, len: usize) -> Result<&[u8], Error> {
        let taken = self.inner.take(len)?;
        self.taken += len as u64;
        Ok(taken)
    }
}

/// Walks over a file.
struct Walk<'f, R> {
    reader: Reader<Counted<Chunked<R>>>,
    facts: &'f mut SnapshotFacts,
    now_ms: u64,
    limits: Limits,
    /// Where the current record begins.
    offset: u64,
    /// The key whose value is read.
    key: Option<(ValueType, Vec<u8>)>,
    db: u64,
    expiry_ms: Option<u64>,
}

/// Examines the RDB file that `source` reads, up to its checksum. Returns where that ends, and what reads on there.
pub(super) fn examine<R: Read>(
    source: R,
    facts: &mut SnapshotFacts,
    options: Options<'_>,
) -> Result<(u64, impl Read + use<R>), Fault> {
    let mut walk = Walk {
        reader: Reader::new(Counted { inner: Chunked::new(source), taken: 0 }),
        facts,
        now_ms: options.now_ms,
        limits: Limits {
            hash: HashLimits::DEFAULT,
            list: ListLimits::from_setting(-2),
            set: SetLimits::DEFAULT,
            sorted_set: SortedSetLimits::default(),
            seed: Seed::new(0, 0),
        },
        offset: 0,
        key: None,
        db: 0,
        expiry_ms: None,
    };
    match walk.run() {
        Ok(()) => {
            let Counted { inner, taken } = walk.reader.into_source();
            let (rest, ahead, _) = inner.into_parts();
            Ok((taken, Cursor::new(ahead).chain(rest)))
        }
        Err(Stop::Io(error)) => Err(Fault::Io(error)),
        Err(Stop::Wrong(reason)) => Err(Fault::Snapshot(SnapshotDamage {
            offset: walk.offset,
            read_up_to: walk.taken(),
            reason,
            value_type: walk.key.as_ref().map(|(value_type, _)| *value_type),
            key: walk.key.map(|(_, key)| key),
        })),
    }
}

/// Why the walk ends early.
enum Stop {
    Io(std::io::Error),
    Wrong(String),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => Self::Io(error),
            other => Self::Wrong(other.to_string()),
        }
    }
}

impl<R: Read> Walk<'_, R> {
    fn taken(&self) -> u64 {
        self.reader.source().taken
    }

    fn run(&mut self) -> Result<(), Stop> {
        self.read_version()?;
        loop {
            self.offset = self.taken();
            let byte = self.reader.byte()?;
            match Opcode::of(byte) {
                Some(Opcode::End) => break,
                Some(opcode) => self.note(opcode)?,
                None => self.entry(byte)?,
            }
        }
        self.offset = self.taken();
        if self.facts.version < VERSION_OF_CHECKSUM {
            return Ok(());
        }
        let expected = self.reader.source().inner.checksum();
        match self.reader.u64()? {
            0 => Ok(()),
            stored if stored == expected => {
                self.facts.has_checksum = true;
                Ok(())
            }
            stored => Err(Stop::Wrong(format!("wrong checksum: {stored:016x} and not {expected:016x}"))),
        }
    }

    fn read_version(&mut self) -> Result<(), Stop> {
        /// Digits of the version.
        const DIGITS: usize = 4;
        let begin = self.reader.bytes(RDB_MAGIC.len() + DIGITS)?;
        let digits = begin.strip_prefix(RDB_MAGIC).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(version @ 1..=VERSION_MAX) => {
                self.facts.version = version;
                Ok(())
            }
            Some(version) => Err(Stop::Wrong(format!("version {version} of the format is not known"))),
            None => Err(Stop::Wrong("it does not begin as an RDB file does".to_owned())),
        }
    }

    fn entry(&mut self, byte: u8) -> Result<(), Stop> {
        let value_type = ValueType::of(byte).ok_or(Error::UnknownType(byte))?;
        let key = self.reader.string()?.to_vec();
        self.key = Some((value_type, key));
        self.reader.value(value_type, &self.limits)?;
        self.key = None;
        self.facts.keys += 1;
        self.facts.databases.insert(self.db);
        if let Some(at) = self.expiry_ms.take() {
            self.facts.expiring += 1;
            self.facts.due += u64::from(at <= self.now_ms);
        }
        Ok(())
    }

    fn note(&mut self, opcode: Opcode) -> Result<(), Stop> {
        /// What is longer is no field worth showing.
        const SHOWN_MAX: usize = 200;
        /// Fields that are worth showing.
        const FIELDS_MAX: usize = 50;
        match opcode {
            Opcode::SelectDb => self.db = self.reader.length()?,
            Opcode::ExpiryMs => self.expiry_ms = Some(self.reader.u64()?),
            Opcode::ExpirySeconds => self.expiry_ms = Some(u64::from(self.reader.u32()?) * 1000),
            Opcode::ResizeDb => {
                self.reader.length()?;
                self.reader.length()?;
            }
            Opcode::SlotInfo => {
                self.reader.length()?;
                self.reader.length()?;
                self.reader.length()?;
            }
            Opcode::Aux => {
                let name = self.reader.string()?.to_vec();
                let value = self.reader.string()?;
                let is_script = name == LOADED_SCRIPT || name == EVALUATED_SCRIPT;
                let fits = self.facts.fields.len() < FIELDS_MAX;
                if fits && !is_script && name.len() <= SHOWN_MAX && value.len() <= SHOWN_MAX {
                    self.facts.fields.push((name, value.to_vec()));
                }
            }
            Opcode::Idle => {
                self.reader.length()?;
            }
            Opcode::Freq => {
                self.reader.byte()?;
            }
            Opcode::Function2 => {
                self.reader.string()?;
                self.facts.libraries += 1;
            }
            Opcode::Function | Opcode::ModuleAux | Opcode::End => {
                return Err(Stop::Wrong(format!("{opcode:?} is not supported")));
            }
        }
        Ok(())
    }
}
