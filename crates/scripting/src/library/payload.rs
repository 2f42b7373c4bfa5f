//! Libraries as bytes: what FUNCTION DUMP answers and FUNCTION RESTORE takes, in the format of Redis' RDB files.

use super::LibrarySet;
use moonshard_engine::Error;
use moonshard_rdb::{Opcode, Reader, Writer, seal, unseal};

/// The payload of a set: of each library an opcode and its text.
pub(super) fn dump(set: &LibrarySet, compress: bool) -> Vec<u8> {
    let mut writer = Writer::new(compress);
    for library in set.libraries().values() {
        writer.byte(Opcode::Function2 as u8);
        writer.string(library.code());
    }
    seal(writer)
}

/// The texts in a payload, read one by one.
///
/// # Errors
/// It is no payload. What is wrong with one library, the iterator says, and ends.
pub(super) fn codes(payload: &[u8]) -> Result<impl Iterator<Item = Result<Vec<u8>, Error>>, Error> {
    let body = unseal(payload).map_err(|_| Error::fixed("ERR DUMP payload version or checksum are wrong"))?;
    let mut reader = Some(Reader::new(body));
    Ok(std::iter::from_fn(move || {
        let mut next = reader.take().filter(|reader| !reader.source().is_empty())?;
        let code = code(&mut next);
        if code.is_ok() {
            reader = Some(next);
        }
        Some(code)
    }))
}

/// Reads one library.
fn code(reader: &mut Reader<&[u8]>) -> Result<Vec<u8>, Error> {
    let byte = reader.byte().map_err(|_| Error::fixed("ERR can not read data type"))?;
    match Opcode::of(byte) {
        Some(Opcode::Function2) => string(reader, "ERR Failed loading library payload"),
        // Redis 7.0 before its release had the name beside the text.
        Some(Opcode::Function) => {
            let name = string(reader, "ERR Failed loading library name")?;
            let engine = string(reader, "ERR Failed loading engine name")?;
            let described = reader.length();
            let described =
                described.map_err(|_| Error::fixed("ERR Failed loading library description indicator"))?;
            if described != 0 {
                string(reader, "ERR Failed loading library description")?;
            }
            let body = string(reader, "ERR Failed loading library blob")?;
            Ok([b"#!", &engine[..], b" name=", &name, b"\n", &body].concat())
        }
        _ => Err(Error::fixed("ERR given type is not a function")),
    }
}

fn string(reader: &mut Reader<&[u8]>, complaint: &'static str) -> Result<Vec<u8>, Error> {
    reader.string().map(<[u8]>::to_vec).map_err(|_| Error::fixed(complaint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::new(false);
        fill(&mut writer);
        seal(writer)
    }

    fn read(payload: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        codes(payload).and_then(Iterator::collect).map_err(|error| error.to_string())
    }

    #[test]
    fn both_forms_are_read() {
        let payload = sealed(|writer| {
            writer.byte(Opcode::Function2 as u8);
            writer.string(b"one");
            writer.byte(Opcode::Function as u8);
            writer.string(b"name");
            writer.string(b"LUA");
            writer.length(1);
            writer.string(b"what it is for");
            writer.string(b"return 1");
        });
        assert_eq!(read(&payload).unwrap(), [b"one".to_vec(), b"#!LUA name=name\nreturn 1".to_vec()]);
        assert_eq!(read(&sealed(|_| {})).unwrap(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn damage_is_an_error() {
        let payload = sealed(|writer| {
            writer.byte(Opcode::Function2 as u8);
            writer.string(b"some text");
        });
        for len in 0..payload.len() {
            assert_eq!(read(&payload[..len]).unwrap_err(), "ERR DUMP payload version or checksum are wrong");
        }
        let cut = sealed(|writer| writer.raw(&[Opcode::Function2 as u8, 9, b'x']));
        assert_eq!(read(&cut).unwrap_err(), "ERR Failed loading library payload");
        let value = sealed(|writer| writer.raw(&[0, 1, b'x']));
        assert_eq!(read(&value).unwrap_err(), "ERR given type is not a function");
    }
}
