//! What happens when something is denied to a client.

use super::LogEntry;
use crate::clients::Client;
use crate::commands::describe_client;
use crate::connection::Session;
use crate::server::{Server, unix_ms};
use moonshard_engine::acl::{Denial, Denials};
use moonshard_engine::command::{CommandId, Entry};

/// Writes what is denied to a client into the log.
pub struct Heard<'a> {
    server: &'a Server,
    client: &'a Client,
    /// The command that the client is shown to run, if it is not shown yet.
    command: Option<CommandId>,
}

impl<'a> Heard<'a> {
    /// What is denied to this client, which runs this command, is heard.
    pub const fn new(server: &'a Server, client: &'a Client, command: Option<CommandId>) -> Self {
        Self { server, client, command }
    }

    /// The same of a call that a session's client is not shown to make yet; `None` if its user may do everything.
    #[inline]
    pub fn of_call(server: &'a Server, session: &'a Session, entry: &Entry) -> Option<Self> {
        session.identity.is_restricted().then(|| Self::new(server, &session.client, Some(entry.id)))
    }
}

impl Denials for Heard<'_> {
    #[cold]
    fn note(&self, denial: Denial<'_>) {
        if let Some(command) = self.command {
            self.client.note_command(command);
        }
        let now_ms = unix_ms();
        let mut client_info = Vec::with_capacity(320);
        describe_client(self.client, now_ms, &mut client_info);
        // The line's end.
        client_info.pop();
        let entry = LogEntry {
            count: 1,
            reason: denial.reason,
            context: denial.context,
            object: denial.object.to_vec(),
            user: denial.user.to_vec(),
            at_ms: now_ms,
            client_info,
        };
        self.server.acl.log.add(entry, self.server.config.load().acllog_max_len);
    }
}
