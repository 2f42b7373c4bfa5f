//! Settings of Redis that would be dangerous to ignore, as nothing here acts on them yet.

use super::directive::Refusal;
use super::error::{ApplyError, StartError};
use super::table::Settings;

/// A directive with values that Moonshard cannot honour.
struct Unsupported {
    directive: &'static str,
    /// Whether the settings ask for what is not there.
    asked: fn(&Settings) -> bool,
    reason: &'static str,
}

const TABLE: [Unsupported; 2] = [
    Unsupported {
        directive: "tls-port",
        asked: |settings| settings.tls_port != 0,
        reason: "TLS is not supported: nothing would listen on this port",
    },
    Unsupported {
        directive: "replicaof",
        asked: |settings| settings.replicaof.0.is_some(),
        reason: "replication is not supported: the server would not hold its primary's data",
    },
];

/// Why the line `rename-command` is refused: a command that somebody meant to hide must not stay.
pub(super) const RENAME_COMMAND: &str =
    "rename-command is not supported: the command would stay under its own name";

/// The lines of directives that may turn out to be unsupported. A later line may take back what one asked for, so
/// they are judged at the end.
#[derive(Default)]
pub(super) struct Suspects(Vec<(&'static str, StartError)>);

impl Suspects {
    /// Why a line of this directive would be refused, if it is one that may be.
    pub(super) fn reason(directive: &str) -> Option<(&'static str, Refusal)> {
        let found = TABLE.iter().find(|entry| entry.directive == directive)?;
        Some((found.directive, found.reason.into()))
    }

    /// Notes a line; the last of a directive counts.
    pub(super) fn note(&mut self, directive: &'static str, error: StartError) {
        self.0.retain(|(earlier, _)| *earlier != directive || directive == "rename-command");
        self.0.push((directive, error));
    }

    /// The first line that asks for what is not there.
    pub(super) fn judge(self, settings: &Settings) -> Option<StartError> {
        let guilty = |directive: &str| {
            let mut of = TABLE.iter().filter(|entry| entry.directive == directive);
            of.all(|entry| (entry.asked)(settings))
        };
        self.0.into_iter().find(|(directive, _)| guilty(directive)).map(|(_, error)| error)
    }
}

/// Whether CONFIG SET may go from one to the other.
///
/// # Errors
/// The directive that asks for what is not there.
pub fn check_change(old: &Settings, new: &Settings) -> Result<(), ApplyError> {
    match TABLE.iter().find(|entry| (entry.asked)(new) && !(entry.asked)(old)) {
        Some(found) => Err(ApplyError { directive: found.directive, reason: found.reason.into() }),
        None => Ok(()),
    }
}
