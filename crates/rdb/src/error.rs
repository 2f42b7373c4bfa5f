//! What can be wrong with bytes that should be a value.

/// Why bytes could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// They end too early.
    Truncated,
    /// They contradict themselves or the format; what it was.
    Corrupt(&'static str),
    /// A collection without elements, which no key holds.
    EmptyKey,
    /// A type of value that is not known, or not supported.
    UnknownType(u8),
    /// A payload's version is above [`crate::VERSION_MAX`], or its checksum is wrong.
    VersionOrChecksum,
    /// The source could not be read.
    Io(std::io::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("the data ends too early"),
            Self::Corrupt(what) => write!(f, "corrupt data: {what}"),
            Self::EmptyKey => f.write_str("a collection without elements"),
            Self::UnknownType(value) => write!(f, "values of type {value} are not supported"),
            Self::VersionOrChecksum => f.write_str("wrong version or checksum"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Io(error) = self { Some(error) } else { None }
    }
}
