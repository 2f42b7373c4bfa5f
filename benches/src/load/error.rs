//! What can go wrong in a comparison.

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line.
    #[error("{0} (see --help)")]
    Usage(String),
    /// The system refused something.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A program did not do what it should.
    #[error("{0}")]
    Program(String),
    /// A server answered something else than expected.
    #[error("{request}: answered {answer}")]
    Answer {
        /// The request, shortened.
        request: String,
        /// What came.
        answer: String,
    },
    /// Ctrl-C or SIGTERM.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// A failure of the system at trying to do `what`.
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}
