//! The first line of a library: `#!lua name=...`, and limits for the runs of its functions.

use super::{BAD_NAME, is_name};
use crate::flags::quoting;
use crate::limits::Limits;
use memchr::memchr;
use moonshard_engine::Error;
use moonshard_protocol::split_args::split_args;

/// What the first line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) name: Box<str>,
    pub(super) limits: Limits,
    /// Where the Lua text begins: at the line feed, so that its lines are numbered as the user sees them.
    pub(super) body_at: usize,
}

impl Metadata {
    /// Reads the first line of `code`.
    ///
    /// # Errors
    /// Redis' texts, in its order of checks; a limit that is none is a wrong value, too.
    pub(super) fn parse(code: &[u8]) -> Result<Self, Error> {
        const INVALID: Error = Error::fixed("ERR Invalid library metadata");
        if !code.starts_with(b"#!") {
            return Err(Error::fixed("ERR Missing library metadata"));
        }
        let text = &code[..memchr(0, code).unwrap_or(code.len())];
        let body_at = memchr(b'\n', text).ok_or(INVALID)?;
        let parts = split_args(&text[..body_at]).ok_or(INVALID)?;
        let (engine, options) = parts.split_first().ok_or(INVALID)?;
        let (mut name, mut limits): (Option<&[u8]>, _) = (None, Limits::default());
        for option in options {
            if limits.take_option(option) == Ok(true) {
                continue;
            }
            let Some(value) =
                option.split_at_checked(5).filter(|(key, _)| key.eq_ignore_ascii_case(b"name="))
            else {
                return Err(quoting("ERR Invalid metadata value given: ", option));
            };
            if name.replace(value.1).is_some() {
                return Err(Error::fixed(
                    "ERR Invalid metadata value, name argument was given multiple times",
                ));
            }
        }
        let name = name.ok_or(Error::fixed("ERR Library name was not given"))?;
        if !is_name(name) {
            return Err(BAD_NAME);
        }
        let engine = &engine[2..];
        if !engine.eq_ignore_ascii_case(b"lua") {
            return Err(Error::bytes([b"ERR Engine '", engine, b"' not found"].concat()));
        }
        Ok(Self { name: String::from_utf8_lossy(name).into(), limits, body_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> String {
        Metadata::parse(code.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn the_first_line_names_the_library() {
        let named = |code: &str| Metadata::parse(code.as_bytes()).unwrap();
        let limits = Limits::default();
        assert_eq!(named("#!lua name=a_1\nx"), Metadata { name: "a_1".into(), limits, body_at: 14 });
        assert_eq!(&*named("#!LUA NAME=\"Lib\"\n").name, "Lib");
    }

    #[test]
    fn limits_are_options() {
        let read = |code: &str| Metadata::parse(code.as_bytes()).unwrap().limits;
        let limits = Limits { max_ms: 50, memory_bytes: 1 << 20 };
        assert_eq!(read("#!lua max-ms=50 name=a memory-limit=1mb\n"), limits);
        assert_eq!(read("#!lua name=a script-max-ms=50 script-memory-limit=1mb\n"), limits);
        for wrong in ["max-ms=0", "max-ms=soon", "memory-limit=1tb", "script-max-ms=", "flags=no-writes"] {
            let expected = format!("ERR Invalid metadata value given: {wrong}");
            assert_eq!(error(&format!("#!lua name=a {wrong}\nx")), expected);
        }
    }

    #[test]
    fn errors_are_those_of_redis() {
        assert_eq!(error("return 1"), "ERR Missing library metadata");
        assert_eq!(error("#!lua name=a"), "ERR Invalid library metadata");
        assert_eq!(error("#!lua \"name=a\nx"), "ERR Invalid library metadata");
        assert_eq!(error("#!lua\nx"), "ERR Library name was not given");
        assert_eq!(
            error("#!lua name=a name=b\nx"),
            "ERR Invalid metadata value, name argument was given multiple times"
        );
        assert_eq!(error("#!lua name=a nam\nx"), "ERR Invalid metadata value given: nam");
        assert_eq!(error("#!js name=a\nx"), "ERR Engine 'js' not found");
        assert_eq!(error("#!js name=a-b\nx"), BAD_NAME.to_string());
        assert_eq!(error("#!lua name=\nx"), BAD_NAME.to_string());
    }
}
