//! The commands that the server itself answers: about a connection, or about the whole server.

mod client;
mod client_list;
mod cluster;
mod config;
mod info;
mod script;
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
        use SessionCommand as Session;
        self.session.client.note_command(self.entry.id);
        match command {
            Session::Asking => self.asking(),
            Session::Auth => self.auth(),
            Session::ClientCaching => self.client_caching(),
            Session::ClientGetName => self.client_get_name(),
            Session::ClientGetRedir => self.client_get_redir(),
            Session::ClientId => self.client_id(),
            Session::ClientInfo => self.client_info(),
            Session::ClientKill => self.client_kill(),
            Session::ClientList => self.client_list(),
            Session::ClientNoEvict => self.client_no_evict(),
            Session::ClientNoTouch => self.client_no_touch(),
            Session::ClientPause => self.client_pause(),
            Session::ClientReply => self.client_reply(),
            Session::ClientSetInfo => self.client_set_info(),
            Session::ClientSetName => self.client_set_name(),
            Session::ClientTracking => self.client_tracking(),
            Session::ClientTrackingInfo => self.client_tracking_info(),
            Session::ClientUnblock => self.client_unblock(),
            Session::ClientUnpause => self.client_unpause(),
            Session::Hello => self.hello(),
            Session::Quit => self.quit(),
            Session::Readonly => self.readonly(true),
            Session::Readwrite => self.readonly(false),
            Session::Reset => self.reset(),
            Session::Select => self.select(),
            Session::Monitor => Err(self.unsupported()),
        }
    }

    fn unsupported(&self) -> Error {
        Error::text(format!("ERR unsupported command '{}'", self.entry.full_name))
    }

    /// Runs a command about the server.
    ///
    /// # Errors
    /// What the client is answered.
    pub async fn run_server(&mut self, command: ServerCommand) -> Result<(), Error> {
        match command {
            ServerCommand::Cluster(command) => self.run_cluster(command).await,
            ServerCommand::ConfigGet => self.config_get(),
            ServerCommand::ConfigResetStat => self.config_reset_stat(),
            ServerCommand::ConfigRewrite => self.config_rewrite(),
            ServerCommand::ConfigSet => self.config_set(),
            ServerCommand::Info => self.info(),
            ServerCommand::ScriptDebug => self.script_debug(),
            ServerCommand::ScriptExists => self.script_exists(),
            ServerCommand::ScriptFlush => self.script_flush(),
            ServerCommand::ScriptKill => self.script_kill(),
            ServerCommand::ScriptLoad => self.script_load(),
            _ => Err(self.unsupported()),
        }
    }
}
