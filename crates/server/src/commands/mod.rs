//! The commands that the server itself answers: about a connection, or about the whole server.

mod client;
mod session;

use crate::config::Settings;
use crate::connection::Session;
use crate::server::Server;
use moonshard_engine::command::{Entry, ServerCommand, SessionCommand};
use moonshard_engine::{Args, Error};
use moonshard_protocol::Reply;
use std::sync::Arc;

/// One call: who calls, with what, and where the reply goes.
pub struct Call<'a> {
    /// The server.
    pub server: &'a Arc<Server>,
    /// The connection's state.
    pub session: &'a mut Session,
    /// The configuration.
    pub settings: &'a Settings,
    /// The engine's part of it.
    pub engine: &'a moonshard_engine::Settings,
    /// Where the reply goes.
    pub reply: &'a mut Reply,
    /// The command.
    pub entry: &'static Entry,
    /// Its arguments.
    pub args: Args<'a>,
    /// Unix time in milliseconds.
    pub now_ms: u64,
}

impl Call<'_> {
    /// Runs a command about the connection.
    ///
    /// # Errors
    /// What the client is answered.
    pub async fn run_session(&mut self, command: SessionCommand) -> Result<(), Error> {
        match command {
            SessionCommand::Hello => self.hello(),
            SessionCommand::Auth => self.auth(),
            SessionCommand::Select => self.select(),
            SessionCommand::Quit => self.quit(),
            SessionCommand::Reset => self.reset(),
            _ => Err(Error::text(format!("ERR unsupported command '{}'", self.entry.full_name))),
        }
    }

    /// Runs a command about the server.
    ///
    /// # Errors
    /// What the client is answered.
    pub async fn run_server(&mut self, command: ServerCommand) -> Result<(), Error> {
        let _ = command;
        Err(Error::text(format!("ERR unsupported command '{}'", self.entry.full_name)))
    }
}
