//! The one place where calls are admitted or denied for who makes them.

use super::check::Denied;
use super::user::User;
use crate::args::Args;
use crate::command::{CommandTable, Entry};
use crate::error::Error;

/// What a call was denied for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The command.
    Command,
    /// A key.
    Key,
    /// A channel.
    Channel,
    /// Name and password.
    Auth,
}

/// Where a denied call was made, as ACL LOG tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// By a client.
    TopLevel,
    /// In a transaction.
    Multi,
    /// By a script.
    Lua,
}

/// On what occasion a call is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A client makes it.
    Client,
    /// A client queues it for EXEC.
    Queue,
    /// EXEC makes it.
    Exec,
    /// A script makes it.
    Script,
}

/// A denied call.
#[derive(Clone, Copy, Debug)]
pub struct Denial<'a> {
    /// What it was denied for.
    pub reason: Reason,
    /// Where it was made.
    pub context: Context,
    /// The command, key or channel.
    pub object: &'a [u8],
    /// The user.
    pub user: &'a [u8],
}

/// Who hears of denied calls.
pub trait Denials {
    /// Hears of one.
    fn note(&self, denial: Denial<'_>);
}

/// A user who may not do everything, and who hears of what is denied.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// The user.
    pub user: &'a User,
    /// Who hears of what is denied.
    pub denials: &'a dyn Denials,
}

impl Access<'_> {
    /// Whether the user may make a call.
    ///
    /// # Errors
    /// What Redis answers in its place.
    pub fn admit(self, entry: &Entry, args: Args<'_>, occasion: Occasion) -> Result<(), Error> {
        self.user.check(entry, args).map_err(|denied| self.deny(denied, entry, args, occasion))
    }

    /// Whether the user may make this call and read any key besides.
    pub fn may_read_all(self, args: Args<'_>) -> bool {
        CommandTable::get().find(args).is_some_and(|entry| self.user.may_read_all(entry, args))
    }

    #[cold]
    fn deny(self, denied: Denied, entry: &Entry, args: Args<'_>, occasion: Occasion) -> Error {
        let (reason, object) = match denied {
            Denied::Command => (Reason::Command, entry.full_name.as_bytes()),
            Denied::Key(at) => (Reason::Key, args.raw(at)),
            Denied::Channel(at) => (Reason::Channel, args.raw(at)),
        };
        let context = match occasion {
            Occasion::Client => Context::TopLevel,
            Occasion::Queue | Occasion::Exec => Context::Multi,
            Occasion::Script => Context::Lua,
        };
        self.denials.note(Denial { reason, context, object, user: self.user.name() });
        match occasion {
            Occasion::Client | Occasion::Queue => to_client(denied, entry),
            Occasion::Exec => to_transaction(denied),
            Occasion::Script => to_script(denied),
        }
    }
}

fn to_client(denied: Denied, entry: &Entry) -> Error {
    match denied {
        Denied::Command => Error::text(format!(
            "NOPERM this user has no permissions to run the '{}' command",
            entry.full_name
        )),
        Denied::Key(_) => {
            Error::fixed("NOPERM this user has no permissions to access one of the keys used as arguments")
        }
        Denied::Channel(_) => Error::fixed(
            "NOPERM this user has no permissions to access one of the channels used as arguments",
        ),
    }
}

fn to_transaction(denied: Denied) -> Error {
    let reason = match denied {
        Denied::Command => "no permission to execute the command or subcommand",
        Denied::Key(_) => "no permission to touch the specified keys",
        Denied::Channel(_) => "no permission to access one of the channels used as arguments",
    };
    Error::text(format!(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command \
         is no longer allowed for the following reason: {reason}"
    ))
}

const fn to_script(denied: Denied) -> Error {
    Error::fixed(match denied {
        Denied::Command => "ERR The user executing the script can't run this command or subcommand",
        Denied::Key(_) => {
            "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments"
        }
        Denied::Channel(_) => {
            "ERR The user executing the script can't publish to the channel mentioned in the command"
        }
    })
}
