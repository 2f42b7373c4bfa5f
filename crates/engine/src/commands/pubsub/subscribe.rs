//! Subscribing and its end: the connection's own business, which the server sees to.

use crate::commands::prelude::*;

pub(super) const SUBSCRIBE: Command = Command {
    handler: Handler::Session(SessionCommand::Subscribe(Subscription::Channel)),
    meta: Meta {
        channels: Channels::All,
        args: &[Arg::new("channel", ArgKind::String).multiple()],
        group: "pubsub",
        since: "2.0.0",
        summary: "Listen for messages published to the given channels",
        complexity: "O(N) where N is the number of channels to subscribe to.",
        ..Meta::new(
            "subscribe",
            Arity::AtLeast(2),
            Flags::PUBSUB.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const UNSUBSCRIBE: Command = Command {
    handler: Handler::Session(SessionCommand::Unsubscribe(Subscription::Channel)),
    meta: Meta {
        args: &[Arg::new("channel", ArgKind::String).optional().multiple()],
        group: "pubsub",
        since: "2.0.0",
        summary: "Stop listening for messages posted to the given channels",
        complexity: "O(N) where N is the number of clients already subscribed to a channel.",
        ..Meta::new(
            "unsubscribe",
            Arity::AtLeast(1),
            Flags::PUBSUB.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const PSUBSCRIBE: Command = Command {
    handler: Handler::Session(SessionCommand::Subscribe(Subscription::Pattern)),
    meta: Meta {
        channels: Channels::Patterns,
        args: &[Arg::new("pattern", ArgKind::Block(&[Arg::new("pattern", ArgKind::Pattern)])).multiple()],
        group: "pubsub",
        since: "2.0.0",
        summary: "Listen for messages published to channels matching the given patterns",
        complexity: "O(N) where N is the number of patterns the client is already subscribed to.",
        ..Meta::new(
            "psubscribe",
            Arity::AtLeast(2),
            Flags::PUBSUB.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const PUNSUBSCRIBE: Command = Command {
    handler: Handler::Session(SessionCommand::Unsubscribe(Subscription::Pattern)),
    meta: Meta {
        args: &[Arg::new("pattern", ArgKind::Pattern).optional().multiple()],
        group: "pubsub", since: "2.0.0",
        summary: "Stop listening for messages posted to channels matching the given patterns",
        complexity: "O(N+M) where N is the number of patterns the client is already subscribed and M is the number of total patterns subscribed in the system (by any client).",
        ..Meta::new("punsubscribe", Arity::AtLeast(1), Flags::PUBSUB.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE), Acl::empty())
    },
}
.checked();

pub(super) const SSUBSCRIBE: Command = Command {
    handler: Handler::Session(SessionCommand::Subscribe(Subscription::ShardChannel)),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::NOT_KEY)],
        channels: Channels::All,
        args: &[Arg::new("shardchannel", ArgKind::String).multiple()],
        group: "pubsub",
        since: "7.0.0",
        summary: "Listen for messages published to the given shard channels",
        complexity: "O(N) where N is the number of shard channels to subscribe to.",
        ..Meta::new(
            "ssubscribe",
            Arity::AtLeast(2),
            Flags::PUBSUB.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();

pub(super) const SUNSUBSCRIBE: Command = Command {
    handler: Handler::Session(SessionCommand::Unsubscribe(Subscription::ShardChannel)),
    meta: Meta {
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::NOT_KEY)],
        args: &[Arg::new("shardchannel", ArgKind::String).optional().multiple()],
        group: "pubsub",
        since: "7.0.0",
        summary: "Stop listening for messages posted to the given shard channels",
        complexity: "O(N) where N is the number of clients already subscribed to a shard channel.",
        ..Meta::new(
            "sunsubscribe",
            Arity::AtLeast(1),
            Flags::PUBSUB.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
            Acl::empty(),
        )
    },
}
.checked();
