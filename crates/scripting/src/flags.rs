//! A script's flags, and the shebang line that declares them.

use crate::limits::Limits;
use bitflags::bitflags;
use memchr::memchr;
use moonshard_engine::Error;
use moonshard_protocol::split_args::split_args;

bitflags! {
    /// What a script declares of itself in its first line, or is given by `lua-default-flags`.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ScriptFlags: u8 {
        /// It does not write.
        const NO_WRITES = 1 << 0;
        /// It may write while memory is over its limit.
        const ALLOW_OOM = 1 << 1;
        /// It may run on a replica whose data are stale.
        const ALLOW_STALE = 1 << 2;
        /// It does not run in cluster mode.
        const NO_CLUSTER = 1 << 3;
        /// Its keys may be of several slots.
        const ALLOW_CROSS_SLOT_KEYS = 1 << 4;
        /// It may touch any key.
        const ALLOW_UNDECLARED_KEYS = 1 << 5;
        /// It has a shebang: the flags are its own, and Redis' rules for scripts from before flags do not apply.
        const DECLARED = 1 << 7;
    }
}

impl ScriptFlags {
    /// The names of the flags that a shebang and `lua-default-flags` take.
    pub const NAMES: &'static [(Self, &'static str)] = &[
        (Self::NO_WRITES, "no-writes"),
        (Self::ALLOW_OOM, "allow-oom"),
        (Self::ALLOW_STALE, "allow-stale"),
        (Self::NO_CLUSTER, "no-cluster"),
        (Self::ALLOW_CROSS_SLOT_KEYS, "allow-cross-slot-keys"),
        (Self::ALLOW_UNDECLARED_KEYS, "allow-undeclared-keys"),
    ];

    /// The flag of this name.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| known.as_bytes() == name).map(|&(flag, _)| flag)
    }

    /// These flags, with `default` for a script that declares none.
    #[inline]
    pub const fn or_default(self, default: Self) -> Self {
        if self.contains(Self::DECLARED) { self } else { self.union(default.difference(Self::DECLARED)) }
    }

    /// These flags of a function, with `default`: all of it for a function that was registered without any, and what
    /// it says about keys for every function. Functions are written for Redis, where no flag is needed to touch any key.
    #[inline]
    pub const fn of_function(self, default: Self) -> Self {
        let default = default.difference(Self::DECLARED);
        if self.difference(Self::DECLARED).is_empty() {
            self.union(default)
        } else {
            self.union(default.intersection(Self::ALLOW_CROSS_SLOT_KEYS.union(Self::ALLOW_UNDECLARED_KEYS)))
        }
    }
}

/// What the first line of a script says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shebang {
    /// The flags.
    pub flags: ScriptFlags,
    /// The limits.
    pub limits: Limits,
    /// Length of the shebang, without its line feed: the rest of the text is Lua, with its lines numbered from 1
    /// as the user sees them.
    pub len: usize,
}

impl Shebang {
    /// Reads the shebang of `source`, if there is one.
    ///
    /// # Errors
    /// Redis' texts for a line that is none, another engine, an unknown flag and an unknown option.
    pub fn parse(source: &[u8]) -> Result<Self, Error> {
        if !source.starts_with(b"#!") {
            return Ok(Self::default());
        }
        let text = &source[..memchr(0, source).unwrap_or(source.len())];
        let Some(len) = memchr(b'\n', text) else { return Err(Error::fixed("ERR Invalid script shebang")) };
        let parts = split_args(&text[..len]).unwrap_or_default();
        let Some((engine, options)) = parts.split_first() else {
            return Err(Error::fixed("ERR Invalid engine in script shebang"));
        };
        if engine != b"#!lua" {
            return Err(quoting("ERR Unexpected engine in script shebang: ", engine));
        }
        let (mut flags, mut limits) = (ScriptFlags::DECLARED, Limits::default());
        for option in options {
            if limits.take_option(option)? {
                continue;
            }
            let Some(names) = option.strip_prefix(b"flags=") else {
                return Err(quoting("ERR Unknown lua shebang option: ", option));
            };
            // An empty list has no names; a list with an empty name has a wrong one.
            for name in names.split(|&byte| byte == b',').filter(|_| !names.is_empty()) {
                match ScriptFlags::by_name(name) {
                    Some(flag) => flags |= flag,
                    None => return Err(quoting("ERR Unexpected flag in script shebang: ", name)),
                }
            }
        }
        Ok(Self { flags, limits, len })
    }
}

/// An error that ends with bytes from outside, up to the first NUL.
pub(crate) fn quoting(text: &str, bytes: &[u8]) -> Error {
    let mut line = text.as_bytes().to_vec();
    line.extend(bytes.iter().take_while(|&&byte| byte != 0));
    Error::bytes(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(source: &str) -> String {
        Shebang::parse(source.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn no_shebang_declares_nothing() {
        assert_eq!(Shebang::parse(b"return 1").unwrap(), Shebang::default());
        assert_eq!(Shebang::parse(b"").unwrap(), Shebang::default());
    }

    #[test]
    fn flags_are_read() {
        let parsed = Shebang::parse(b"#!lua flags=no-writes,allow-oom\nreturn 1").unwrap();
        assert_eq!(parsed.flags, ScriptFlags::DECLARED | ScriptFlags::NO_WRITES | ScriptFlags::ALLOW_OOM);
        assert_eq!(parsed.len, 31);
        let parsed = Shebang::parse(b"#!lua\nreturn 1").unwrap();
        assert_eq!(parsed, Shebang { flags: ScriptFlags::DECLARED, len: 5, ..Shebang::default() });
        let parsed = Shebang::parse(b"#!lua flags=\nreturn 1").unwrap();
        assert_eq!(parsed.flags, ScriptFlags::DECLARED);
        let parsed = Shebang::parse(b"#!lua flags=allow-undeclared-keys\n").unwrap();
        assert!(parsed.flags.contains(ScriptFlags::ALLOW_UNDECLARED_KEYS));
        let parsed = Shebang::parse(b"#!lua max-ms=50 flags=no-writes memory-limit=1mb\n").unwrap();
        assert_eq!(parsed.flags, ScriptFlags::DECLARED | ScriptFlags::NO_WRITES);
        assert_eq!(parsed.limits, Limits { max_ms: 50, memory_bytes: 1 << 20 });
    }

    #[test]
    fn errors_are_those_of_redis() {
        assert_eq!(error("#!lua"), "ERR Invalid script shebang");
        assert_eq!(error("#!not-lua\nreturn 1"), "ERR Unexpected engine in script shebang: #!not-lua");
        assert_eq!(error("#!lua bad=1\nreturn 1"), "ERR Unknown lua shebang option: bad=1");
        assert_eq!(error("#!lua max-ms=x\nreturn 1"), "ERR Invalid max-ms in script shebang: x");
        assert_eq!(error("#!lua flags=bad\nreturn 1"), "ERR Unexpected flag in script shebang: bad");
        assert_eq!(error("#!lua flags=no-writes,\nreturn 1"), "ERR Unexpected flag in script shebang: ");
        assert_eq!(error("#!lua \"\nreturn 1"), "ERR Invalid engine in script shebang");
    }

    #[test]
    fn functions_get_defaults_about_keys() {
        let default = ScriptFlags::ALLOW_UNDECLARED_KEYS | ScriptFlags::ALLOW_OOM;
        let bare = ScriptFlags::DECLARED;
        assert_eq!(bare.of_function(default), bare | default);
        let reader = bare | ScriptFlags::NO_WRITES;
        assert_eq!(reader.of_function(default), reader | ScriptFlags::ALLOW_UNDECLARED_KEYS);
    }

    #[test]
    fn defaults_are_for_scripts_without_a_shebang() {
        let default = ScriptFlags::ALLOW_UNDECLARED_KEYS;
        assert_eq!(ScriptFlags::empty().or_default(default), default);
        assert_eq!(ScriptFlags::DECLARED.or_default(default), ScriptFlags::DECLARED);
    }
}
