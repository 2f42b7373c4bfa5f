//! The commands, by group. Each is one declaration beside its handler, and one line in its group's list.

mod prelude {
    //! What every command's file starts from.
    #![allow(unused_imports, reason = "each file uses its part")]

    pub(super) use super::elements::bulk_element;
    pub(super) use crate::args::Args;
    pub(super) use crate::command::{
        Acl, Arg, ArgKind, Arity, Channels, Command, DocFlags, Flags, Handler, KeyFlags, KeySpec, Meta,
        Route, ServerCommand, SessionCommand, Subscription,
    };
    pub(super) use crate::ctx::{CmdResult, Ctx, DONE, Flow};
    pub(super) use crate::effects::{EventClass, deletion};
    pub(super) use crate::error::Error;
    pub(super) use crate::keyspace::Expiry;
    pub(super) use crate::wait::{Empty, Wait, WaitKey, WaitKind, timeout_ms};
}

mod bitmap;
mod cluster;
mod connection;
mod counted_keys;
mod elements;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod introspection;
mod list;
mod pubsub;
mod sample_count;
mod scan_elements;
mod scripting;
mod server;
mod set;
mod sorted_set;
mod stream;
mod string;
mod transaction;

use crate::command::Command;

/// Every command of the server.
pub(crate) const GROUPS: &[&[&Command]] = &[
    bitmap::COMMANDS,
    cluster::COMMANDS,
    connection::COMMANDS,
    generic::COMMANDS,
    geo::COMMANDS,
    hash::COMMANDS,
    hyperloglog::COMMANDS,
    introspection::COMMANDS,
    list::COMMANDS,
    pubsub::COMMANDS,
    scripting::COMMANDS,
    server::COMMANDS,
    set::COMMANDS,
    sorted_set::COMMANDS,
    stream::COMMANDS,
    string::COMMANDS,
    transaction::COMMANDS,
];
