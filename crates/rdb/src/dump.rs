//! Payloads of DUMP: a value's type, the value, the version of the format in two bytes, and the checksum of it all.

use crate::checksum::Checksum;
use crate::error::Error;
use crate::format::ValueType;
use crate::read::Limits;
use crate::reader::Reader;
use crate::write::type_of;
use crate::writer::Writer;
use moonshard_store::{Value, ValueRef};

/// The version that is written: that of Redis 7.0, but for what only later ones know.
const VERSION: u16 = 10;
/// The latest version that is read: that of Redis 7.4.
pub const VERSION_MAX: u16 = 12;
/// Bytes after the value: version and checksum.
const FOOTER: usize = 10;

/// The payload of `value`, its strings compressed or not. O(n).
pub fn dump(value: ValueRef<'_>, compress: bool) -> Vec<u8> {
    let mut writer = Writer::new(compress);
    writer.value_type(value);
    writer.value(value);
    let version = if type_of(value) == ValueType::HashExpiring { VERSION_MAX } else { VERSION };
    seal_as(writer, version)
}

/// Ends a payload of what was written: adds the version, that of Redis 7.0, and the checksum.
pub fn seal(writer: Writer) -> Vec<u8> {
    seal_as(writer, VERSION)
}

fn seal_as(mut writer: Writer, version: u16) -> Vec<u8> {
    writer.raw(&version.to_le_bytes());
    writer.u64(Checksum::of(writer.written()));
    writer.into_bytes()
}

/// The value of a payload. O(n).
///
/// # Errors
/// [`Error::VersionOrChecksum`] for what is no payload at all, others for one that was made to do harm.
pub fn restore(payload: &[u8], limits: &Limits) -> Result<Value, Error> {
    let mut reader = Reader::new(unseal(payload)?);
    let byte = reader.byte()?;
    let value_type = ValueType::of(byte).ok_or(Error::UnknownType(byte))?;
    reader.value(value_type, limits)
}

/// What a payload holds before its version and checksum. O(n).
///
/// # Errors
/// [`Error::VersionOrChecksum`].
pub fn unseal(payload: &[u8]) -> Result<&[u8], Error> {
    let wrong = Error::VersionOrChecksum;
    let Some(at) = payload.len().checked_sub(FOOTER) else { return Err(wrong) };
    let (body, footer) = payload.split_at(at);
    let (Some(version), Some(checksum)) = (footer.first_chunk(), footer.last_chunk()) else {
        return Err(wrong);
    };
    if u16::from_le_bytes(*version) > VERSION_MAX
        || u64::from_le_bytes(*checksum) != Checksum::of(&payload[..at + version.len()])
    {
        return Err(wrong);
    }
    Ok(body)
}
