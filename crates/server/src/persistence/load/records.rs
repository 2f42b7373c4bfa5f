//! What a snapshot's file consists of, record by record.

use moonshard_aof::{EVALUATED_SCRIPT, LOADED_SCRIPT};
use moonshard_engine::Settings;
use moonshard_engine::keyspace::{ExpiryMode, Keyspace, Shard, Shards, Use, View};
use moonshard_engine::slot::slot;
use moonshard_rdb::{Error, Limits, Opcode, Reader, Source, ValueType};
use moonshard_scripting::Keep;
use moonshard_store::Entry;

/// What a text of Lua is.
#[derive(Clone, Copy, Debug)]
pub(super) enum CodeKind {
    Script(Keep),
    Library,
}

/// A text of Lua in a file.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) kind: CodeKind,
    pub(super) text: Vec<u8>,
    /// Where its record begins.
    pub(super) offset: u64,
}

/// What was said of the keys that follow, and of the whole file.
#[derive(Debug, Default)]
pub(in crate::persistence) struct Records {
    db: usize,
    expiry_ms: Option<u64>,
    used: Option<Use>,
    /// Scripts and libraries, in the file's order.
    pub(super) code: Vec<Code>,
    /// Where the record begins that comes next, as far as whoever reads the file tells.
    pub(super) offset: u64,
    /// Memory that was in use when the file was written.
    pub(super) used_memory: u64,
}

/// A record.
#[derive(Debug)]
pub(in crate::persistence) enum Step {
    /// Something about what follows.
    Note,
    /// A key and its value.
    Key(KeyRecord),
    /// The end.
    End,
}

/// What is known of a key's record without its value.
#[derive(Clone, Copy, Debug)]
pub(in crate::persistence) struct KeyRecord {
    /// The key's database, which need not be there.
    pub(in crate::persistence) db: usize,
    /// The key's expiry.
    pub(in crate::persistence) expiry_ms: Option<u64>,
    /// What was told of the key's use.
    pub(in crate::persistence) used: Option<Use>,
    /// The key's slot.
    pub(super) slot: u16,
}

impl Records {
    /// Reads the record at the begin of `bytes`, a key's value only as far as its end is looked for. Returns how long
    /// the record is. Nothing is noted of a record that has not come whole.
    ///
    /// # Errors
    /// [`Error::Truncated`] when the record is longer than `bytes`; what is wrong with it.
    pub(in crate::persistence) fn next(&mut self, bytes: &[u8]) -> Result<(usize, Step), Error> {
        let mut reader = Reader::new(bytes);
        let byte = reader.byte()?;
        let step = match Opcode::of(byte) {
            Some(Opcode::End) => Step::End,
            Some(opcode) => {
                self.note(&mut reader, opcode)?;
                Step::Note
            }
            None => {
                let value_type = ValueType::of(byte).ok_or(Error::UnknownType(byte))?;
                let slot = slot(reader.string()?);
                reader.skip(value_type)?;
                Step::Key(self.key(slot))
            }
        };
        Ok((bytes.len() - reader.source().len(), step))
    }

    /// What was said of the key of this slot that comes now.
    pub(super) const fn key(&mut self, slot: u16) -> KeyRecord {
        KeyRecord { db: self.db, expiry_ms: self.expiry_ms.take(), used: self.used.take(), slot }
    }

    fn note<S: Source>(&mut self, reader: &mut Reader<S>, opcode: Opcode) -> Result<(), Error> {
        match opcode {
            Opcode::SelectDb => self.db = usize::try_from(reader.length()?).unwrap_or(usize::MAX),
            Opcode::ExpiryMs => self.expiry_ms = Some(reader.u64()?),
            Opcode::ExpirySeconds => self.expiry_ms = Some(u64::from(reader.u32()?) * 1000),
            Opcode::ResizeDb => {
                reader.length()?;
                reader.length()?;
            }
            Opcode::SlotInfo => {
                for _ in 0..3 {
                    reader.length()?;
                }
            }
            Opcode::Aux => self.note_aux(reader)?,
            Opcode::Idle => self.used = Some(Use::Seconds(reader.length()?)),
            Opcode::Freq => self.used = Some(Use::Counter(reader.byte()?)),
            Opcode::Function2 => {
                let library = reader.string()?.to_vec();
                self.push_code(CodeKind::Library, library);
            }
            Opcode::Function | Opcode::ModuleAux | Opcode::End => {
                return Err(Error::UnknownType(opcode as u8));
            }
        }
        Ok(())
    }

    fn push_code(&mut self, kind: CodeKind, text: Vec<u8>) {
        self.code.push(Code { kind, text, offset: self.offset });
    }

    fn note_aux<S: Source>(&mut self, reader: &mut Reader<S>) -> Result<(), Error> {
        let name = reader.string()?.to_vec();
        let value = reader.string()?;
        match name.as_slice() {
            LOADED_SCRIPT => self.push_code(CodeKind::Script(Keep::Loaded), value.to_vec()),
            EVALUATED_SCRIPT => self.push_code(CodeKind::Script(Keep::Evaluated), value.to_vec()),
            b"used-mem" => {
                self.used_memory =
                    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether a record that begins so is a key's.
pub(super) const fn is_key(byte: u8) -> bool {
    Opcode::of(byte).is_none() && ValueType::of(byte).is_some()
}

/// Builds the entry of a key's whole record; none of a collection without elements, which old versions of Redis could
/// leave behind, and which Redis passes over too.
///
/// # Errors
/// What is wrong with it, in words.
pub(in crate::persistence) fn build(
    record: &[u8],
    expiry_ms: Option<u64>,
    limits: &Limits,
) -> Result<Option<Entry>, String> {
    let (mut head, mut key) = (Reader::new(record), Reader::new(record));
    let value_type = head.byte().and_then(|byte| ValueType::of(byte).ok_or(Error::UnknownType(byte)));
    let value_type = value_type.map_err(|error| error.to_string())?;
    let key = key.byte().and_then(|_| key.string()).map_err(|error| error.to_string())?;
    let of_key = |error: Error| format!("key {:?}: {error}", String::from_utf8_lossy(key));
    head.skip_string().map_err(of_key)?;
    let mut value = Reader::new(*head.source());
    let entry = match value_type {
        ValueType::String => Entry::new_string(key, value.string().map_err(of_key)?, expiry_ms),
        _ => match value.value(value_type, limits) {
            Ok(value) => Entry::new(key, value, expiry_ms),
            Err(Error::EmptyKey) => return Ok(None),
            Err(error) => return Err(of_key(error)),
        },
    };
    // The walk over lengths has found another end than the value has.
    if value.source().is_empty() {
        Ok(Some(entry))
    } else {
        Err(of_key(Error::Corrupt("bytes after the value")))
    }
}

/// Puts an entry, with what was told of its use, into its shard, in a database that need not be there.
///
/// # Errors
/// When its database or its place is not to be had, in words.
pub(in crate::persistence) fn put(
    shard: &mut Shard,
    db: usize,
    (entry, used): (Entry, Option<Use>),
    now_ms: u64,
    settings: &Settings,
) -> Result<(), String> {
    if db >= shard.databases.len() {
        return Err(format!("database {db} is not there: see the setting databases"));
    }
    let view = View::new(db, now_ms, settings).expiry_mode(ExpiryMode::Ignore);
    let mut keys = Keyspace::with_view(Shards::One(shard), view, settings);
    keys.insert_new(entry, used).map_err(|entry| {
        format!("key {:?} comes twice in database {db}", String::from_utf8_lossy(entry.key()))
    })
}
