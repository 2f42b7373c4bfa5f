//! XGROUP.

use super::group::no_group_of_key;
use super::id;
use crate::commands::prelude::*;
use moonshard_store::{Group, Stream, StreamId};

pub(super) const XGROUP: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "stream",
        since: "5.0.0",
        summary: "A container for consumer groups commands",
        complexity: "Depends on subcommand.",
        subcommands: &[
            &XGROUP_CREATE,
            &XGROUP_CREATECONSUMER,
            &XGROUP_DELCONSUMER,
            &XGROUP_DESTROY,
            &XGROUP_HELP,
            &XGROUP_SETID,
        ],
        ..Meta::new("xgroup", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const XGROUP_CREATE: Command = Command {
    handler: Handler::Shard(xgroup_create),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("groupname", ArgKind::String),
            Arg::new("id", ArgKind::OneOf(&[Arg::new("id", ArgKind::String), Arg::word("new_id", "$")])),
            Arg::word("mkstream", "MKSTREAM").optional(),
            Arg::new("entries_read", ArgKind::Int).token("ENTRIESREAD").optional(),
        ],
        group: "stream",
        since: "5.0.0",
        summary: "Create a consumer group.",
        complexity: "O(1)",
        history: &[("7.0.0", "Added the `entries_read` named argument.")],
        ..Meta::new("create", Arity::AtLeast(5), Flags::WRITE.union(Flags::DENYOOM), Acl::STREAM)
    },
}
.checked();

pub(super) const XGROUP_CREATECONSUMER: Command = Command {
    handler: Handler::Shard(xgroup_createconsumer),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::INSERT))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("groupname", ArgKind::String),
            Arg::new("consumername", ArgKind::String),
        ],
        group: "stream",
        since: "6.2.0",
        summary: "Create a consumer in a consumer group.",
        complexity: "O(1)",
        ..Meta::new("createconsumer", Arity::Exact(5), Flags::WRITE.union(Flags::DENYOOM), Acl::STREAM)
    },
}
.checked();

pub(super) const XGROUP_DELCONSUMER: Command = Command {
    handler: Handler::Shard(xgroup_delconsumer),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("groupname", ArgKind::String),
            Arg::new("consumername", ArgKind::String),
        ],
        group: "stream",
        since: "5.0.0",
        summary: "Delete a consumer from a consumer group.",
        complexity: "O(1)",
        ..Meta::new("delconsumer", Arity::Exact(5), Flags::WRITE, Acl::STREAM)
    },
}
.checked();

pub(super) const XGROUP_DESTROY: Command = Command {
    handler: Handler::Shard(xgroup_destroy),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("groupname", ArgKind::String)],
        group: "stream",
        since: "5.0.0",
        summary: "Destroy a consumer group.",
        complexity: "O(N) where N is the number of entries in the group's pending entries list (PEL).",
        ..Meta::new("destroy", Arity::Exact(4), Flags::WRITE, Acl::STREAM)
    },
}
.checked();

pub(super) const XGROUP_HELP: Command = Command {
    handler: Handler::Shard(xgroup_help),
    meta: Meta {
        group: "stream",
        since: "5.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::STREAM)
    },
}
.checked();

pub(super) const XGROUP_SETID: Command = Command {
    handler: Handler::Shard(xgroup_setid),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("groupname", ArgKind::String),
            Arg::new("id", ArgKind::OneOf(&[Arg::new("id", ArgKind::String), Arg::word("new_id", "$")])),
            Arg::new("entries_read", ArgKind::Int).token("ENTRIESREAD").optional(),
        ],
        group: "stream",
        since: "5.0.0",
        summary: "Set a consumer group to an arbitrary last delivered ID value.",
        complexity: "O(1)",
        history: &[("7.0.0", "Added the optional `entries_read` argument.")],
        ..Meta::new("setid", Arity::AtLeast(5), Flags::WRITE, Acl::STREAM)
    },
}
.checked();

/// The options of CREATE and SETID.
#[derive(Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(args: Args<'_>, create: bool) -> Result<Self, Error> {
        let (mut options, mut at) = (Self::default(), 5);
        while at < args.len() {
            if create && args.is(at, "MKSTREAM") {
                options.make_stream = true;
                at += 1;
            } else if args.is(at, "ENTRIESREAD") && at + 1 < args.len() {
                options.entries_read = match args.int(at + 1)? {
                    -1 => None,
                    read @ 0.. => Some(read as u64),
                    _ => return Err(Error::fixed("ERR value for ENTRIESREAD must be positive or -1")),
                };
                at += 2;
            } else {
                return Err(Error::subcommand_syntax(args));
            }
        }
        Ok(options)
    }
}

const NO_KEY: Error = Error::fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option \
     to create an empty stream automatically.",
);

/// The stream of the call, which must be there.
fn stream_of<'c>(cx: &'c mut Ctx<'_>, args: Args<'_>) -> Result<&'c mut Stream, Error> {
    cx.keys.write_as::<Stream>(args.raw(2))?.ok_or(NO_KEY)
}

/// The group of the call, which must be there, and the stream's last id.
fn group_of<'c>(cx: &'c mut Ctx<'_>, args: Args<'_>) -> Result<(&'c mut Group, StreamId), Error> {
    let stream = stream_of(cx, args)?;
    let last_id = stream.last_id();
    let (_, group) =
        stream.with_group(args.raw(3)).ok_or_else(|| no_group_of_key(args.raw(3), args.raw(2)))?;
    Ok((group, last_id))
}

fn xgroup_create(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    const ARGS_MAX: usize = 8;
    let (key, name) = (args.raw(2), args.raw(3));
    let options = Options::parse(args, true)?;
    let last_id = cx.keys.write_as::<Stream>(key)?.map(|stream| stream.last_id());
    if last_id.is_none() && !options.make_stream {
        return Err(NO_KEY);
    }
    if args.len() > ARGS_MAX {
        return Err(Error::subcommand_syntax(args));
    }
    let last_id = match args.raw(4) {
        b"$" => last_id.unwrap_or(StreamId::MIN),
        text => id::strict(text, 0)?,
    };
    let stream = cx.keys.create_as::<Stream>(key)?;
    if stream.create_group(name, last_id, options.entries_read).is_none() {
        return Err(Error::fixed("BUSYGROUP Consumer Group name already exists"));
    }
    cx.keys.changed(EventClass::STREAM, "xgroup-create", key);
    cx.reply.ok();
    DONE
}

fn xgroup_setid(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let options = Options::parse(args, false)?;
    let (group, last_id) = group_of(cx, args)?;
    if args.len() != 5 && args.len() != 7 {
        return Err(Error::subcommand_syntax(args));
    }
    group.last_id = match args.raw(4) {
        b"$" => last_id,
        text => id::any(text, 0)?,
    };
    group.entries_read = options.entries_read;
    cx.keys.changed(EventClass::STREAM, "xgroup-setid", args.raw(2));
    cx.reply.ok();
    DONE
}

fn xgroup_destroy(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let destroyed = stream_of(cx, args)?.remove_group(args.raw(3));
    if destroyed {
        cx.keys.changed(EventClass::STREAM, "xgroup-destroy", args.raw(2));
    }
    cx.reply.int(destroyed.into());
    DONE
}

fn xgroup_createconsumer(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let now_ms = cx.keys.now_ms();
    let created = group_of(cx, args)?.0.create_consumer(args.raw(4), now_ms).is_some();
    if created {
        cx.keys.changed(EventClass::STREAM, "xgroup-createconsumer", args.raw(2));
    }
    cx.reply.int(created.into());
    DONE
}

fn xgroup_delconsumer(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let pending = group_of(cx, args)?.0.remove_consumer(args.raw(4));
    if pending.is_some() {
        cx.keys.changed(EventClass::STREAM, "xgroup-delconsumer", args.raw(2));
    }
    cx.reply.count(pending.unwrap_or(0));
    DONE
}

fn xgroup_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.lines(&[
        "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CREATE <key> <groupname> <id|$> [option]",
        "    Create a new consumer group. Options are:",
        "    * MKSTREAM",
        "      Create the empty stream if it does not exist.",
        "    * ENTRIESREAD entries_read",
        "      Set the group's entries_read counter (internal use).",
        "CREATECONSUMER <key> <groupname> <consumer>",
        "    Create a new consumer in the specified group.",
        "DELCONSUMER <key> <groupname> <consumer>",
        "    Remove the specified consumer.",
        "DESTROY <key> <groupname>",
        "    Remove the specified group.",
        "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
        "    Set the current group ID and entries_read counter.",
        "HELP",
        "    Prints this help.",
    ]);
    DONE
}
