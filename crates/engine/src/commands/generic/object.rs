//! OBJECT.

use crate::commands::prelude::*;
use crate::keyspace::Shard;
use moonshard_store::number::parse_i64;
use std::ops::Range;

pub(super) const OBJECT: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "generic",
        since: "2.2.3",
        summary: "A container for object introspection commands",
        complexity: "Depends on subcommand.",
        subcommands: &[&OBJECT_ENCODING, &OBJECT_FREQ, &OBJECT_HELP, &OBJECT_IDLETIME, &OBJECT_REFCOUNT],
        ..Meta::new("object", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const OBJECT_ENCODING: Command = Command {
    handler: Handler::Shard(object_encoding),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic",
        since: "2.2.3",
        summary: "Inspect the internal encoding of a Redis object",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new("encoding", Arity::Exact(3), Flags::READONLY, Acl::KEYSPACE)
    },
}
.checked();

pub(super) const OBJECT_FREQ: Command = Command {
    handler: Handler::Shard(object_freq),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic",
        since: "4.0.0",
        summary: "Get the logarithmic access frequency counter of a Redis object",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new("freq", Arity::Exact(3), Flags::READONLY, Acl::KEYSPACE)
    },
}
.checked();

pub(super) const OBJECT_HELP: Command = Command {
    handler: Handler::Shard(object_help),
    meta: Meta {
        group: "generic",
        since: "6.2.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::KEYSPACE)
    },
}
.checked();

pub(super) const OBJECT_IDLETIME: Command = Command {
    handler: Handler::Shard(object_idletime),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic",
        since: "2.2.3",
        summary: "Get the time since a Redis object was last accessed",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new("idletime", Arity::Exact(3), Flags::READONLY, Acl::KEYSPACE)
    },
}
.checked();

pub(super) const OBJECT_REFCOUNT: Command = Command {
    handler: Handler::Shard(object_refcount),
    meta: Meta {
        keys: &[KeySpec::one(2, KeyFlags::RO)],
        args: &[Arg::new("key", ArgKind::Key(0))],
        group: "generic",
        since: "2.2.3",
        summary: "Get the number of references to the value of the key",
        complexity: "O(1)",
        tips: &["nondeterministic_output"],
        ..Meta::new("refcount", Arity::Exact(3), Flags::READONLY, Acl::KEYSPACE)
    },
}
.checked();

fn object_encoding(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    match cx.keys.examine(args.raw(2)) {
        Some(entry) => cx.reply.bulk(Shard::encoding_name(entry).as_bytes()),
        None => cx.reply.null(),
    }
    DONE
}

/// Values are not shared here; the answer is that of Redis, which shares small integers.
fn object_refcount(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    const SHARED_INTEGERS: Range<i64> = 0..10_000;
    const SHARED: i64 = i32::MAX as i64;
    match cx.keys.examine(args.raw(2)) {
        Some(entry) => {
            let number = entry.string().filter(|_| !entry.is_raw()).and_then(parse_i64);
            cx.reply.int(if number.is_some_and(|n| SHARED_INTEGERS.contains(&n)) { SHARED } else { 1 });
        }
        None => cx.reply.null(),
    }
    DONE
}

fn object_idletime(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let clock = *cx.keys.clock();
    let Some(bits) = cx.keys.examine(args.raw(2)).map(|entry| entry.access()) else {
        cx.reply.null();
        return DONE;
    };
    if cx.settings.eviction.is_lfu() {
        return Err(Error::fixed(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
             policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    cx.reply.int(clock.idle_seconds(bits) as i64);
    DONE
}

fn object_freq(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let clock = *cx.keys.clock();
    let Some(bits) = cx.keys.examine(args.raw(2)).map(|entry| entry.access()) else {
        cx.reply.null();
        return DONE;
    };
    if !cx.settings.eviction.is_lfu() {
        return Err(Error::fixed(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    cx.reply.int(clock.frequency(bits).into());
    DONE
}

fn object_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    const LINES: &[&str] = &[
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
        "HELP",
        "    Prints this help.",
    ];
    cx.reply.array(LINES.len());
    LINES.iter().for_each(|line| cx.reply.status(line));
    DONE
}
