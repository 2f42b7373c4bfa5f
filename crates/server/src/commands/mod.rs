//! The commands that the server itself answers: about a connection, or about the whole server.

mod acl;
mod client;
mod client_list;
mod cluster;
mod config;
mod debug;
mod function;
mod in_script;
mod info;
mod latency;
mod locked;
mod lolwut;
mod memory;
mod migrate;
mod module;
mod monitor;
mod on_shards;
mod pubsub;
mod replay;
mod replication;
mod save;
mod script;
mod script_explain;
mod script_insight;
mod script_profile;
mod session;
mod shutdown;
mod slowlog;
mod tracking;
mod transaction;

use crate::config::{AllowedFor, Settings};
use crate::connection::Session;
use crate::server::Server;
use moonshard_engine::command::{Entry, Flags, ServerCommand, SessionCommand};
use moonshard_engine::{Args, Error};
use moonshard_protocol::Reply;
use std::sync::Arc;
use std::time::Instant;

pub use client_list::describe as describe_client;
pub use in_script::ScriptHost;
use locked::Held;
pub use transaction::Transaction;

/// One call: who calls, with what, and where the reply goes.
pub struct Call<'a, 'g> {
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
    /// Microseconds beyond it.
    pub micros: u16,
    /// The shards that are locked already, by what the call runs in.
    pub held: Option<Held<'a, 'g>>,
}

impl Call<'_, '_> {
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
            Session::Discard => self.discard(),
            Session::Exec => self.exec().await,
            Session::Hello => self.hello(),
            Session::Multi => self.multi(),
            Session::Quit => self.quit(),
            Session::Readonly => self.readonly(true),
            Session::Readwrite => self.readonly(false),
            Session::Reset => self.reset(),
            Session::Select => self.select(),
            Session::Subscribe(what) => self.subscribe(what),
            Session::Unsubscribe(what) => self.unsubscribe(what),
            Session::Unwatch => self.unwatch(),
            Session::Watch => self.watch().await,
            Session::Monitor => self.monitor(),
        }
    }

    /// Whether a protected command may run, given the setting that allows it.
    fn is_allowed(&self, setting: AllowedFor) -> bool {
        !self.entry.command.meta.flags.contains(Flags::PROTECTED)
            || match setting {
                AllowedFor::No => false,
                AllowedFor::Yes => true,
                AllowedFor::Local => self.is_local(),
            }
    }

    /// Counts the call, which began at `started`, and shows it to whom it may concern.
    pub fn observe(&mut self, failed: bool, started: Instant) {
        let nanos = started.elapsed().as_nanos() as u64;
        self.session.count(self.entry.id, failed, nanos);
        self.server.latency.record(self.entry.id, nanos);
        self.server.observe(self.entry, self.args, nanos, &self.session.client);
    }

    /// Redis' answer to a subcommand with more arguments than it knows.
    fn wrong_subcommand(&self) -> Error {
        let mut line = b"ERR unknown subcommand or wrong number of arguments for '".to_vec();
        let word = self.args.raw(1);
        line.extend_from_slice(&word[..word.len().min(128)]);
        line.extend_from_slice(b"'. Try ");
        line.extend(self.args.raw(0).to_ascii_uppercase());
        line.extend_from_slice(b" HELP.");
        Error::bytes(line)
    }

    /// Runs a command about the server.
    ///
    /// # Errors
    /// What the client is answered.
    pub async fn run_server(&mut self, command: ServerCommand) -> Result<(), Error> {
        match command {
            ServerCommand::Acl(command) => self.run_acl(command),
            ServerCommand::Cluster(command) => self.run_cluster(command).await,
            ServerCommand::BgRewriteAof => self.bg_rewrite_aof().await,
            ServerCommand::BgSave => self.bg_save().await,
            ServerCommand::ConfigGet => self.config_get(),
            ServerCommand::ConfigResetStat => self.config_reset_stat(),
            ServerCommand::ConfigRewrite => self.config_rewrite(),
            ServerCommand::ConfigSet => self.config_set().await,
            ServerCommand::Debug => self.debug().await,
            ServerCommand::FunctionDelete => self.function_delete(),
            ServerCommand::FunctionDump => self.function_dump(),
            ServerCommand::FunctionFlush => self.function_flush(),
            ServerCommand::FunctionHelp => self.function_help(),
            ServerCommand::FunctionKill => self.function_kill(),
            ServerCommand::FunctionList => self.function_list(),
            ServerCommand::FunctionLoad => self.function_load().await,
            ServerCommand::FunctionRestore => self.function_restore().await,
            ServerCommand::FunctionStats => self.function_stats(),
            ServerCommand::Info => self.info(),
            ServerCommand::LastSave => self.last_save(),
            ServerCommand::LatencyDoctor => self.latency_doctor(),
            ServerCommand::LatencyGraph => self.latency_graph(),
            ServerCommand::LatencyHistogram => self.latency_histogram(),
            ServerCommand::LatencyHistory => self.latency_history(),
            ServerCommand::LatencyLatest => self.latency_latest(),
            ServerCommand::LatencyReset => self.latency_reset(),
            ServerCommand::Lolwut => self.lolwut(),
            ServerCommand::MemoryDoctor => self.memory_doctor(),
            ServerCommand::MemoryMallocStats => self.memory_malloc_stats(),
            ServerCommand::MemoryPurge => self.memory_purge(),
            ServerCommand::MemoryStats => self.memory_stats(),
            ServerCommand::ModuleLoad => self.module_load(),
            ServerCommand::ModuleUnload => self.module_unload(),
            ServerCommand::Migrate => self.migrate().await,
            ServerCommand::Role => self.role(),
            ServerCommand::Save => self.save().await,
            ServerCommand::ScriptDebug => self.script_debug(),
            ServerCommand::ScriptExists => self.script_exists(),
            ServerCommand::ScriptExplain => self.script_explain(),
            ServerCommand::ScriptFlush => self.script_flush(),
            ServerCommand::ScriptHelp => self.script_help(),
            ServerCommand::ScriptKill => self.script_kill(),
            ServerCommand::ScriptList => self.script_list(),
            ServerCommand::ScriptLoad => self.script_load(),
            ServerCommand::ScriptProfile => self.script_profile(),
            ServerCommand::ScriptShow => self.script_show(),
            ServerCommand::ScriptStats => self.script_stats(),
            ServerCommand::Shutdown => self.shutdown().await,
            ServerCommand::SlowlogGet => self.slowlog_get(),
            ServerCommand::SlowlogLen => self.slowlog_len(),
            ServerCommand::SlowlogReset => self.slowlog_reset(),
            ServerCommand::Wait => self.wait().await,
            ServerCommand::WaitAof => self.wait_aof().await,
        }
    }
}
