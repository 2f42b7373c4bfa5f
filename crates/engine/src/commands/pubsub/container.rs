//! PUBSUB.

use crate::commands::prelude::*;
use crate::exchange::Reach;
use crate::glob;

pub(super) const PUBSUB: Command = Command {
    handler: Handler::Container,
    meta: Meta {
        group: "pubsub",
        since: "2.8.0",
        summary: "A container for Pub/Sub commands",
        complexity: "Depends on subcommand.",
        subcommands: &[
            &PUBSUB_CHANNELS,
            &PUBSUB_HELP,
            &PUBSUB_NUMPAT,
            &PUBSUB_NUMSUB,
            &PUBSUB_SHARDCHANNELS,
            &PUBSUB_SHARDNUMSUB,
        ],
        ..Meta::new("pubsub", Arity::AtLeast(2), Flags::empty(), Acl::empty())
    },
}
.checked();

pub(super) const PUBSUB_CHANNELS: Command = Command {
    handler: Handler::Shard(pubsub_channels),
    meta: Meta {
        args: &[Arg::new("pattern", ArgKind::Pattern).optional()],
        group: "pubsub", since: "2.8.0",
        summary: "List active channels",
        complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching (relatively short channels and patterns)",
        ..Meta::new("channels", Arity::AtLeast(2), Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE), Acl::empty())
    },
}
.checked();

pub(super) const PUBSUB_NUMSUB: Command = Command {
    handler: Handler::Shard(pubsub_numsub),
    meta: Meta {
        args: &[Arg::new("channel", ArgKind::String).optional().multiple()],
        group: "pubsub",
        since: "2.8.0",
        summary: "Get the count of subscribers for channels",
        complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels",
        ..Meta::new(
            "numsub",
            Arity::AtLeast(2),
            Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const PUBSUB_NUMPAT: Command = Command {
    handler: Handler::Shard(pubsub_numpat),
    meta: Meta {
        group: "pubsub",
        since: "2.8.0",
        summary: "Get the count of unique patterns pattern subscriptions",
        complexity: "O(1)",
        ..Meta::new(
            "numpat",
            Arity::Exact(2),
            Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const PUBSUB_SHARDCHANNELS: Command = Command {
    handler: Handler::Shard(pubsub_shardchannels),
    meta: Meta {
        args: &[Arg::new("pattern", ArgKind::Pattern).optional()],
        group: "pubsub", since: "7.0.0",
        summary: "List active shard channels",
        complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern matching (relatively short shard channels).",
        ..Meta::new("shardchannels", Arity::AtLeast(2), Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE), Acl::empty())
    },
}
.checked();

pub(super) const PUBSUB_SHARDNUMSUB: Command = Command {
    handler: Handler::Shard(pubsub_shardnumsub),
    meta: Meta {
        args: &[Arg::new("shardchannel", ArgKind::String).optional().multiple()],
        group: "pubsub",
        since: "7.0.0",
        summary: "Get the count of subscribers for shard channels",
        complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels",
        ..Meta::new(
            "shardnumsub",
            Arity::AtLeast(2),
            Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const PUBSUB_HELP: Command = Command {
    handler: Handler::Shard(pubsub_help),
    meta: Meta {
        group: "pubsub",
        since: "6.2.0",
        summary: "Show helpful text about the different subcommands",
        complexity: "O(1)",
        ..Meta::new("help", Arity::Exact(2), Flags::LOADING.union(Flags::STALE), Acl::empty())
    },
}
.checked();

fn pubsub_channels(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    channels(cx, args, Reach::Global)
}

fn pubsub_shardchannels(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    channels(cx, args, Reach::Shard)
}

fn pubsub_numsub(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    count_subscribers(cx, args, Reach::Global)
}

fn pubsub_shardnumsub(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    count_subscribers(cx, args, Reach::Shard)
}

fn pubsub_numpat(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.count(cx.exchange.patterns());
    DONE
}

fn channels(cx: &mut Ctx<'_>, args: Args<'_>, reach: Reach) -> CmdResult {
    if args.len() > 3 {
        return Err(Error::subcommand_syntax(args));
    }
    let pattern = args.get(2);
    let open = cx.reply.open_array();
    let mut found = 0;
    let reply = &mut *cx.reply;
    cx.exchange.each_channel(reach, &mut |channel| {
        if pattern.is_none_or(|pattern| glob::matches(pattern, channel, false)) {
            reply.bulk(channel);
            found += 1;
        }
    });
    cx.reply.close(open, found);
    DONE
}

fn count_subscribers(cx: &mut Ctx<'_>, args: Args<'_>, reach: Reach) -> CmdResult {
    let channels = args.from(2);
    cx.reply.array(channels.len() * 2);
    for channel in channels {
        cx.reply.bulk(channel);
        cx.reply.count(cx.exchange.subscribers(reach, channel));
    }
    DONE
}

fn pubsub_help(cx: &mut Ctx<'_>, _args: Args<'_>) -> CmdResult {
    cx.reply.lines(&[
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    Return the currently active channels matching a <pattern> (default: '*').",
        "NUMPAT",
        "    Return number of subscriptions to patterns.",
        "NUMSUB [<channel> ...]",
        "    Return the number of subscribers for the specified channels, excluding",
        "    pattern subscriptions(default: no channels).",
        "SHARDCHANNELS [<pattern>]",
        "    Return the currently active shard level channels matching a <pattern> (default: '*').",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Return the number of subscribers for the specified shard level channel(s)",
        "HELP",
        "    Prints this help.",
    ]);
    DONE
}
