//! The documentation of a command's arguments, for COMMAND DOCS.

use super::flags::ArgFlags;

/// What an argument is.
#[derive(Clone, Copy, Debug)]
pub enum ArgKind {
    /// Any bytes.
    String,
    /// An integer.
    Int,
    /// A floating point number.
    Double,
    /// A key, found by the key spec of this index.
    Key(u8),
    /// A key that no spec finds.
    LooseKey,
    /// A glob pattern.
    Pattern,
    /// A pattern of keys, which the key spec of this index stands for.
    KeyPattern(u8),
    /// A Unix time.
    UnixTime,
    /// A word that stands for itself.
    Token,
    /// One of several.
    OneOf(&'static [Arg]),
    /// Several in a row.
    Block(&'static [Arg]),
}

impl ArgKind {
    /// The name that COMMAND DOCS gives.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "integer",
            Self::Double => "double",
            Self::Key(_) | Self::LooseKey => "key",
            Self::Pattern | Self::KeyPattern(_) => "pattern",
            Self::UnixTime => "unix-time",
            Self::Token => "pure-token",
            Self::OneOf(_) => "oneof",
            Self::Block(_) => "block",
        }
    }
}

/// An argument of a command.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: ArgKind,
    /// The word before it; empty when there is none.
    pub token: &'static str,
    /// How often it may stand.
    pub flags: ArgFlags,
    /// The version of Redis it came with; empty when that is the command's.
    pub since: &'static str,
    /// The version since which it is deprecated; empty when it is not.
    pub deprecated_since: &'static str,
}

impl Arg {
    /// A plain argument.
    pub const fn new(name: &'static str, kind: ArgKind) -> Self {
        Self { name, kind, token: "", flags: ArgFlags::empty(), since: "", deprecated_since: "" }
    }

    /// An argument that is only its token.
    pub const fn word(name: &'static str, token: &'static str) -> Self {
        Self::new(name, ArgKind::Token).token(token)
    }

    /// With a word before it.
    pub const fn token(mut self, token: &'static str) -> Self {
        self.token = token;
        self
    }

    /// May be left out.
    pub const fn optional(mut self) -> Self {
        self.flags = self.flags.union(ArgFlags::OPTIONAL);
        self
    }

    /// May be repeated.
    pub const fn multiple(mut self) -> Self {
        self.flags = self.flags.union(ArgFlags::MULTIPLE);
        self
    }

    /// Repeats with its token.
    pub const fn multiple_token(mut self) -> Self {
        self.flags = self.flags.union(ArgFlags::MULTIPLE_TOKEN);
        self
    }

    /// Came with this version.
    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = version;
        self
    }

    /// Deprecated since this version.
    pub const fn deprecated(mut self, version: &'static str) -> Self {
        self.deprecated_since = version;
        self
    }
}

/// A change in a command's history: a version and what it brought.
pub type Change = (&'static str, &'static str);
