//! The server's own commands, called by scripts: INFO, SLOWLOG, MEMORY, CLUSTER and the like. They run as in a
//! transaction, with the script's shards in hand.

use super::Call;
use super::locked::Held;
use crate::clients::Client;
use crate::connection::Session;
use crate::server::Server;
use moonshard_engine::command::{CommandTable, Flags, Handler, SessionCommand};
use moonshard_engine::{Args, Caller, CmdResult, Ctx, DONE, Error, ScriptKeys, ServerCommands};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// What answers the scripts of one client.
pub struct ScriptHost<'a> {
    server: &'a Arc<Server>,
    client: &'a Arc<Client>,
    /// Whether the script runs on the server's shards, and not on copies of keys.
    in_place: bool,
}

impl<'a> ScriptHost<'a> {
    /// For a script that this client calls.
    #[inline]
    pub const fn new(server: &'a Arc<Server>, client: &'a Arc<Client>) -> Self {
        Self { server, client, in_place: true }
    }

    /// For a script that runs on copies of the keys.
    pub const fn over_copies(server: &'a Arc<Server>, client: &'a Arc<Client>) -> Self {
        Self { server, client, in_place: false }
    }
}

impl ServerCommands for ScriptHost<'_> {
    fn serve(&self, cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
        let entry = CommandTable::get().resolve(args)?;
        if entry.command.meta.flags.contains(Flags::NOSCRIPT) {
            return Err(Error::NOT_FROM_SCRIPT);
        }
        if self.in_place {
            // What the script has done so far is to be seen.
            self.server.note_keyspace_figures(cx.keys.locked());
        }
        let any_key = matches!(&cx.caller, Caller::Script(script) if script.keys == ScriptKeys::Any);
        let (now_ms, micros) = (cx.keys.now_ms(), (cx.keys.now_micros() % 1000) as u16);
        let settings = self.server.config.load();
        let mut session = Session::of_script(self.client.clone(), &self.server.acl);
        let mut call = Call {
            server: self.server,
            session: &mut session,
            settings: &settings,
            engine: cx.settings,
            reply: cx.reply,
            entry,
            args,
            now_ms,
            micros,
            held: Some(Held::Script { shards: cx.keys.locked().collect(), any_key }),
        };
        match entry.command.handler {
            Handler::Server(command) => at_once(call.run_server(command))?,
            Handler::Session(
                SessionCommand::Asking | SessionCommand::Readonly | SessionCommand::Readwrite,
            ) => {
                // It would hold for the script's own calls, which are not redirected.
                call.asking()?;
            }
            Handler::Session(_) | Handler::Shard(_) | Handler::Container => {
                return Err(Error::NOT_FROM_SCRIPT);
            }
        }
        DONE
    }
}

/// The result of what does not wait: nothing that a script may call does, with its shards in hand.
fn at_once(run: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    match pin!(run).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => Err(Error::NOT_FROM_SCRIPT),
    }
}
