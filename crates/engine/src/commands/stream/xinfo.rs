//! XINFO.

use super::group::no_group_of_key;
use super::reply::{self, bulk_id};
use crate::commands::prelude::*;
use moonshard_protocol::Reply;
use moonshard_store::{Consumer, Direction, Group, Stream, StreamId, StreamView};

pub(super) const XINFO: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "stream",
        since: "5.0.0",
        summary: "A container for stream introspection commands",
        complexity: "Depends on subcommand.",
        subcommands: &[&XINFO_CONSUMERS, &XINFO_GROUPS, &XINFO_HELP, &XINFO_STREAM],
        ..Meta::new("xinfo", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const XINFO_CONSUMERS: Command = Command {
    handler: Handler::Shard(xinfo_consumers),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("groupname", ArgKind::String)],
        group: "stream",
        since: "5.0.0",
        summary: "List the consumers in a consumer group",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new("consumers", Arity::Exact(4), Flags::READONLY, Acl::STREAM)
    },
}
.checked();

pub(super) const XINFO_GROUPS: Command = Command {
    handler: Handler::Shard(xinfo_groups),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "stream",
        since: "5.0.0",
        summary: "List the consumer groups of a stream",
        complexity: "O(1)",
        history: &[("7.0.0", "Added the `entries-read` and `lag` fields")],
        ..Meta::new("groups", Arity::Exact(3), Flags::READONLY, Acl::STREAM)
    },
}
.checked();

pub(super) const XINFO_HELP: Command = Command {
    handler: Handler::Shard(xinfo_help),
    meta: Meta {
        group: "stream",
        since: "5.0.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::STREAM)
    },
}
.checked();

pub(super) const XINFO_STREAM: Command = Command {
    handler: Handler::Shard(xinfo_stream),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("full", ArgKind::Block(&[Arg::new("count", ArgKind::Int).token("COUNT").optional()])).token("FULL").optional()],
        group: "stream", since: "5.0.0",
        summary: "Get information about a stream",
        complexity: "O(1)",
        history: &[("6.0.0", "Added the `FULL` modifier."), ("7.0.0", "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` fields")],
        ..Meta::new("stream", Arity::AtLeast(3), Flags::READONLY, Acl::STREAM)
    },
}
.checked();

fn xinfo_consumers(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let now_ms = cx.keys.now_ms();
    let stream = cx.keys.read_as::<Stream>(args.raw(2))?.ok_or(Error::NO_SUCH_KEY)?;
    let group = stream.group(args.raw(3)).ok_or_else(|| no_group_of_key(args.raw(3), args.raw(2)))?;
    let reply = &mut *cx.reply;
    reply.array(group.consumers_len());
    for consumer in group.consumers() {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        reply.bulk(b"pending");
        reply.count(consumer.pending_len());
        reply.bulk(b"idle");
        reply.int(now_ms.saturating_sub(consumer.seen_ms) as i64);
    }
    DONE
}

fn xinfo_groups(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let stream = cx.keys.read_as::<Stream>(args.raw(2))?.ok_or(Error::NO_SUCH_KEY)?;
    let reply = &mut *cx.reply;
    reply.array(stream.groups_len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"consumers");
        reply.count(group.consumers_len());
        reply.bulk(b"pending");
        reply.count(group.pending_len());
        reply_progress(reply, stream.view(), group);
    }
    DONE
}

/// How far a group has read.
fn reply_progress(reply: &mut Reply, view: StreamView<'_>, group: &Group) {
    let int_or_null = |reply: &mut Reply, value: Option<i64>| match value {
        Some(value) => reply.int(value),
        None => reply.null(),
    };
    reply.bulk(b"last-delivered-id");
    bulk_id(reply, group.last_id);
    reply.bulk(b"entries-read");
    int_or_null(reply, group.entries_read.map(|read| read as i64));
    reply.bulk(b"lag");
    int_or_null(reply, view.lag(group));
}

/// `FULL [COUNT count]`: most entries of each part of the answer; `None` for a short one.
fn parse_full(args: Args<'_>) -> Result<Option<usize>, Error> {
    const COUNT_DEFAULT: usize = 10;
    match args.len() {
        3 => return Ok(None),
        4 | 6 if args.is(3, "FULL") => {}
        _ => return Err(Error::subcommand_syntax(args)),
    }
    if args.len() == 4 {
        return Ok(Some(COUNT_DEFAULT));
    }
    if !args.is(4, "COUNT") {
        return Err(Error::subcommand_syntax(args));
    }
    Ok(Some(match args.int(5)? {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(COUNT_DEFAULT),
    }))
}

fn xinfo_stream(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let stream = cx.keys.read_as::<Stream>(args.raw(2))?.ok_or(Error::NO_SUCH_KEY)?;
    let full = parse_full(args)?;
    let reply = &mut *cx.reply;
    reply.map(if full.is_some() { 9 } else { 10 });
    reply.bulk(b"length");
    reply.count(stream.len());
    reply.bulk(b"radix-tree-keys");
    reply.count(stream.nodes_len());
    // Redis counts the nodes of its index here; ours has one node more than keys, as Redis has where there are few.
    reply.bulk(b"radix-tree-nodes");
    reply.count(stream.nodes_len() + 1);
    let meta = stream.meta();
    reply.bulk(b"last-generated-id");
    bulk_id(reply, meta.last_id);
    reply.bulk(b"max-deleted-entry-id");
    bulk_id(reply, meta.max_deleted_id);
    reply.bulk(b"entries-added");
    reply.int(meta.entries_added as i64);
    reply.bulk(b"recorded-first-entry-id");
    bulk_id(reply, meta.first_id);
    match full {
        Some(count) => reply_full(reply, stream, count),
        None => reply_short(reply, stream),
    }
    DONE
}

fn reply_short(reply: &mut Reply, stream: &Stream) {
    reply.bulk(b"groups");
    reply.count(stream.groups_len());
    for (name, direction) in [("first-entry", Direction::Forward), ("last-entry", Direction::Backward)] {
        reply.bulk(name.as_bytes());
        match stream.range(StreamId::MIN, StreamId::MAX, direction).next() {
            Some(entry) => reply::entry(reply, &entry),
            None => reply.null(),
        }
    }
}

fn reply_full(reply: &mut Reply, stream: &Stream, count: usize) {
    reply.bulk(b"entries");
    reply::entries(reply, stream.iter().take(count));
    reply.bulk(b"groups");
    reply.array(stream.groups_len());
    for (name, group) in stream.groups() {
        reply.map(7);
        reply.bulk(b"name");
        reply.bulk(name);
        reply_progress(reply, stream.view(), group);
        reply.bulk(b"pel-count");
        reply.count(group.pending_len());
        reply.bulk(b"pending");
        reply.array(group.pending_len().min(count));
        for (id, pending) in group.pending(StreamId::MIN, StreamId::MAX).take(count) {
            reply.array(4);
            bulk_id(reply, id);
            reply.bulk(group.consumer_name(pending.consumer));
            reply.int(pending.delivered_ms as i64);
            reply.int(pending.deliveries as i64);
        }
        reply.bulk(b"consumers");
        reply.array(group.consumers_len());
        group.consumers().for_each(|consumer| reply_consumer(reply, group, consumer, count));
    }
}

fn reply_consumer(reply: &mut Reply, group: &Group, consumer: &Consumer, count: usize) {
    reply.map(4);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    reply.bulk(b"seen-time");
    reply.int(consumer.seen_ms as i64);
    reply.bulk(b"pel-count");
    reply.count(consumer.pending_len());
    reply.bulk(b"pending");
    reply.array(consumer.pending_len().min(count));
    for id in consumer.pending(StreamId::MIN, StreamId::MAX).take(count) {
        let pending = group.find_pending(id);
        reply.array(3);
        bulk_id(reply, id);
        reply.int(pending.map_or(0, |pending| pending.delivered_ms as i64));
        reply.int(pending.map_or(0, |pending| pending.deliveries as i64));
    }
}

fn xinfo_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.lines(&[
        "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CONSUMERS <key> <groupname>",
        "    Show consumers of <groupname>.",
        "GROUPS <key>",
        "    Show the stream consumer groups.",
        "STREAM <key> [FULL [COUNT <count>]",
        "    Show information about the stream.",
        "HELP",
        "    Prints this help.",
    ]);
    DONE
}
