//! PUBLISH and SPUBLISH.

use crate::commands::prelude::*;
use crate::exchange::Reach;

pub(super) const PUBLISH: Command = Command {
    handler: Handler::Shard(publish),
    meta: Meta {
        channels: Channels::First,
        args: &[Arg::new("channel", ArgKind::String), Arg::new("message", ArgKind::String)],
        group: "pubsub", since: "2.0.0",
        summary: "Post a message to a channel",
        complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
        ..Meta::new("publish", Arity::Exact(3), Flags::PUBSUB.union(Flags::LOADING).union(Flags::STALE).union(Flags::FAST).union(Flags::MAY_REPLICATE), Acl::empty())
    },
}
.checked();

pub(super) const SPUBLISH: Command = Command {
    handler: Handler::Shard(spublish),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::NOT_KEY)],
        channels: Channels::First,
        args: &[Arg::new("shardchannel", ArgKind::String), Arg::new("message", ArgKind::String)],
        group: "pubsub",
        since: "7.0.0",
        summary: "Post a message to a shard channel",
        complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        ..Meta::new(
            "spublish",
            Arity::Exact(3),
            Flags::PUBSUB
                .union(Flags::LOADING)
                .union(Flags::STALE)
                .union(Flags::FAST)
                .union(Flags::MAY_REPLICATE),
            Acl::empty(),
        )
    },
}
.checked();

fn publish(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let receivers = cx.publish(Reach::Global, args.raw(1), args.raw(2));
    cx.reply.count(receivers);
    DONE
}

fn spublish(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let receivers = cx.publish(Reach::Shard, args.raw(1), args.raw(2));
    cx.reply.count(receivers);
    DONE
}
