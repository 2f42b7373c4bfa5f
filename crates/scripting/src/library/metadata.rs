//! The first line of a library: `#!lua name=...`.

use super::{BAD_NAME, is_name};
use crate::flags::quoting;
use memchr::memchr;
use moonshard_engine::Error;
use moonshard_protocol::split_args::split_args;

/// What the first line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) name: Box<str>,
    /// Where the Lua text begins: at the line feed, so that its lines are numbered as the user sees them.
    pub(super) body_at: usize,
}

impl Metadata {
    /// Reads the first line of `code`.
    ///
    /// # Errors
    /// Redis' texts, in its order of checks.
    pub(super) fn parse(code: &[u8]) -> Result<Self, Error> {
        const INVALID: Error = Error::fixed("ERR Invalid library metadata");
        if !code.starts_with(b"#!") {
            return Err(Error::fixed("ERR Missing library metadata"));
        }
        let text = &code[..memchr(0, code).unwrap_or(code.len())];
        let body_at = memchr(b'\n', text).ok_or(INVALID)?;
        let parts = split_args(&text[..body_at]).ok_or(INVALID)?;
        let (engine, options) = parts.split_first().ok_or(INVALID)?;
        let mut name: Option<&[u8]> = None;
        for option in options {
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
        Ok(Self { name: String::from_utf8_lossy(name).into(), body_at })
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
        assert_eq!(named("#!lua name=a_1\nx"), Metadata { name: "a_1".into(), body_at: 14 });
        assert_eq!(&*named("#!LUA NAME=\"Lib\"\n").name, "Lib");
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
