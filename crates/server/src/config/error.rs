//! What can go wrong, in Redis' words.

use std::path::PathBuf;

use thiserror::Error;

use super::directive::Refusal;

/// Why CONFIG SET changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetError {
    /// There is no such directive.
    Unknown {
        /// The name as given.
        name: Vec<u8>,
    },
    /// It must not be set while data is being loaded.
    Loading,
    /// A value was refused, by the directive or by what applies it.
    Refused {
        /// The name to blame.
        name: Vec<u8>,
        /// Why.
        reason: Refusal,
    },
}

impl SetError {
    /// The error reply without its `-`; line breaks in names given by a client become spaces.
    pub fn text(&self) -> Vec<u8> {
        let (before, name, after): (&str, &[u8], String) = match self {
            Self::Unknown { name } => {
                ("ERR Unknown option or number of arguments for CONFIG SET - '", name, "'".to_owned())
            }
            Self::Loading => ("LOADING Redis is loading the dataset in memory", b"", String::new()),
            Self::Refused { name, reason } => {
                ("ERR CONFIG SET failed (possibly related to argument '", name, format!("') - {reason}"))
            }
        };
        let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut text = [before.as_bytes(), name, after.as_bytes()].concat();
        for byte in &mut text {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        text
    }
}

/// Why the server could not act on new settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyError {
    /// The directive to blame, by its proper name.
    pub directive: &'static str,
    /// Why, in the words of the error reply.
    pub reason: Refusal,
}

/// Why CONFIG REWRITE wrote nothing.
#[derive(Debug, Error)]
pub enum RewriteError {
    /// The server was started without a file.
    #[error("ERR The server is running without a config file")]
    NoFile,
    /// Reading or writing failed.
    #[error("ERR Rewriting config file: {}", reason(.0))]
    Io(#[from] std::io::Error),
}

/// Why the server cannot start. The text is for the standard error; the exit status is 1.
#[derive(Debug, Error)]
pub enum StartError {
    /// A file cannot be read.
    #[error("Fatal error, can't open config file '{}': {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A line is wrong.
    #[error(
        "\n*** FATAL CONFIG FILE ERROR (Moonshard {}) ***\nReading the configuration file, at line {line}\n\
         >>> '{text}'\n{reason}",
        env!("CARGO_PKG_VERSION")
    )]
    Line {
        /// The file that was included, if any.
        file: Option<PathBuf>,
        /// Its number. The standard input and the command line go on where the file ends.
        line: usize,
        /// The line.
        text: String,
        /// Why.
        reason: Refusal,
    },
    /// The lines are right but do not go together.
    #[error("\n*** FATAL CONFIG FILE ERROR (Moonshard {}) ***\n{reason}", env!("CARGO_PKG_VERSION"))]
    Whole {
        /// Why.
        reason: Refusal,
    },
}

/// The system's text for an error, without Rust's number behind it.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
