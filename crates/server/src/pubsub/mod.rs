//! Publishing and subscribing: who has subscribed to which channels and patterns.

mod message;
mod subscriptions;

pub use message::Shape;
pub use subscriptions::Subscriptions;

use crate::clients::Client;
use crate::wakes::Wakes;
use foldhash::fast::RandomState;
use moonshard_engine::command::Subscription;
use moonshard_engine::{Exchange, Reach, glob};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Parts of a table of channels, each with a lock of its own.
const PARTS: usize = 16;

type Subscribers = Vec<Arc<Client>>;

type Part = RwLock<HashMap<Box<[u8]>, Subscribers, RandomState>>;

/// Channels with their subscribers.
#[derive(Debug, Default)]
struct Channels {
    len: AtomicUsize,
    hasher: RandomState,
    parts: [Part; PARTS],
}

impl Channels {
    fn part(&self, channel: &[u8]) -> &Part {
        // The high bits: the maps use the low ones.
        &self.parts[(self.hasher.hash_one(channel) >> 60) as usize % PARTS]
    }

    fn add(&self, channel: &[u8], client: &Arc<Client>) {
        let mut part = self.part(channel).write();
        match part.get_mut(channel) {
            Some(subscribers) => subscribers.push(client.clone()),
            None => {
                part.insert(channel.into(), vec![client.clone()]);
                self.len.fetch_add(1, Relaxed);
            }
        }
    }

    fn remove(&self, channel: &[u8], client: &Arc<Client>) {
        let mut part = self.part(channel).write();
        let Some(subscribers) = part.get_mut(channel) else { return };
        subscribers.retain(|other| !Arc::ptr_eq(other, client));
        if subscribers.is_empty() {
            part.remove(channel);
            self.len.fetch_sub(1, Relaxed);
        }
    }

    fn is_empty(&self) -> bool {
        self.len.load(Relaxed) == 0
    }

    /// What `look` makes of a channel's subscribers.
    fn with<T: Default>(&self, channel: &[u8], look: impl FnOnce(&Subscribers) -> T) -> T {
        if self.is_empty() {
            return T::default();
        }
        self.part(channel).read().get(channel).map(look).unwrap_or_default()
    }
}

/// Patterns with their subscribers, in the order in which they were first subscribed to.
#[derive(Debug, Default)]
struct Patterns {
    len: AtomicUsize,
    all: RwLock<Vec<(Box<[u8]>, Subscribers)>>,
}

impl Patterns {
    fn add(&self, pattern: &[u8], client: &Arc<Client>) {
        let mut all = self.all.write();
        match all.iter_mut().find(|(other, _)| **other == *pattern) {
            Some((_, subscribers)) => subscribers.push(client.clone()),
            None => {
                all.push((pattern.into(), vec![client.clone()]));
                self.len.store(all.len(), Relaxed);
            }
        }
    }

    fn remove(&self, pattern: &[u8], client: &Arc<Client>) {
        let mut all = self.all.write();
        let Some(at) = all.iter().position(|(other, _)| **other == *pattern) else { return };
        all[at].1.retain(|other| !Arc::ptr_eq(other, client));
        if all[at].1.is_empty() {
            all.remove(at);
            self.len.store(all.len(), Relaxed);
        }
    }

    /// Visits each pattern that matches.
    fn each_match(&self, channel: &[u8], mut visit: impl FnMut(&[u8], &Subscribers)) {
        if self.len.load(Relaxed) == 0 {
            return;
        }
        for (pattern, subscribers) in &*self.all.read() {
            if glob::matches(pattern, channel, false) {
                visit(pattern, subscribers);
            }
        }
    }
}

/// All subscriptions of the server.
#[derive(Debug, Default)]
pub struct PubSub {
    channels: Channels,
    shard_channels: Channels,
    patterns: Patterns,
    /// Who is to be woken for what was sent.
    pub wakes: Wakes,
}

impl PubSub {
    fn channels(&self, reach: Reach) -> &Channels {
        match reach {
            Reach::Global => &self.channels,
            Reach::Shard => &self.shard_channels,
        }
    }

    /// Subscribes a client to what it has not subscribed to yet. O(1); for a pattern O(patterns).
    pub fn subscribe(&self, what: Subscription, name: &[u8], client: &Arc<Client>) {
        match what {
            Subscription::Channel => self.channels.add(name, client),
            Subscription::ShardChannel => self.shard_channels.add(name, client),
            Subscription::Pattern => self.patterns.add(name, client),
        }
    }

    /// Ends a client's subscription. O(subscribers); for a pattern O(patterns) more.
    pub fn unsubscribe(&self, what: Subscription, name: &[u8], client: &Arc<Client>) {
        match what {
            Subscription::Channel => self.channels.remove(name, client),
            Subscription::ShardChannel => self.shard_channels.remove(name, client),
            Subscription::Pattern => self.patterns.remove(name, client),
        }
    }

    /// Visits every channel and pattern with its subscribers. Nobody can subscribe or unsubscribe meanwhile to what is
    /// being visited.
    pub fn each(&self, mut visit: impl FnMut(Subscription, &[u8], &[Arc<Client>])) {
        for (what, channels) in
            [(Subscription::Channel, &self.channels), (Subscription::ShardChannel, &self.shard_channels)]
        {
            for part in &channels.parts {
                part.read().iter().for_each(|(channel, subscribers)| visit(what, channel, subscribers));
            }
        }
        for (pattern, subscribers) in &*self.patterns.all.read() {
            visit(Subscription::Pattern, pattern, subscribers);
        }
    }

    /// How many channels have subscribers.
    pub fn channel_count(&self, reach: Reach) -> usize {
        self.channels(reach).len.load(Relaxed)
    }

    /// Whether nobody would get a message to any channel.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.len.load(Relaxed) == 0
    }
}

impl Exchange for PubSub {
    fn publish(&self, reach: Reach, channel: &[u8], message: &[u8]) -> usize {
        let kind = match reach {
            Reach::Global => Shape::MESSAGE,
            Reach::Shard => Shape::SHARD_MESSAGE,
        };
        let mut receivers = self.channels(reach).with(channel, |subscribers| {
            self.wakes.send(subscribers, &kind.encode(&[channel, message]));
            subscribers.len()
        });
        if reach == Reach::Global {
            self.patterns.each_match(channel, |pattern, subscribers| {
                let message = Shape::PATTERN_MESSAGE.encode(&[pattern, channel, message]);
                self.wakes.send(subscribers, &message);
                receivers += subscribers.len();
            });
        }
        receivers
    }

    fn receivers(&self, reach: Reach, channel: &[u8]) -> usize {
        let mut receivers = self.subscribers(reach, channel);
        if reach == Reach::Global {
            self.patterns.each_match(channel, |_, subscribers| receivers += subscribers.len());
        }
        receivers
    }

    fn subscribers(&self, reach: Reach, channel: &[u8]) -> usize {
        self.channels(reach).with(channel, Vec::len)
    }

    fn patterns(&self) -> usize {
        self.patterns.len.load(Relaxed)
    }

    fn each_channel(&self, reach: Reach, visit: &mut dyn FnMut(&[u8])) {
        for part in &self.channels(reach).parts {
            part.read().keys().for_each(|channel| visit(channel));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: u64) -> Arc<Client> {
        Arc::new(Client::new(id, "a:1".into(), "b:2".into(), 3, 0))
    }

    fn taken(client: &Client) -> String {
        let mut bytes = Vec::new();
        client.take_pushes(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_message_reaches_channels_and_patterns_in_each_ones_protocol() {
        let pubsub = PubSub::default();
        let (old, new) = (client(1), client(2));
        new.resp.store(3, Relaxed);
        pubsub.subscribe(Subscription::Channel, b"news", &old);
        pubsub.subscribe(Subscription::Channel, b"news", &new);
        pubsub.subscribe(Subscription::Pattern, b"n*", &new);
        assert_eq!(pubsub.publish(Reach::Global, b"news", b"hi"), 3);
        assert_eq!(taken(&old), "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n");
        assert_eq!(
            taken(&new),
            ">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n\
             >4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$2\r\nhi\r\n"
        );
        assert_eq!(pubsub.publish(Reach::Shard, b"news", b"hi"), 0);
        assert_eq!((pubsub.subscribers(Reach::Global, b"news"), pubsub.patterns()), (2, 1));
    }

    #[test]
    fn channels_without_subscribers_are_forgotten() {
        let pubsub = PubSub::default();
        let clients = [client(1), client(2)];
        for what in [Subscription::Channel, Subscription::Pattern, Subscription::ShardChannel] {
            for client in &clients {
                pubsub.subscribe(what, b"c", client);
            }
        }
        for what in [Subscription::Channel, Subscription::Pattern, Subscription::ShardChannel] {
            pubsub.unsubscribe(what, b"c", &clients[0]);
        }
        assert_eq!(pubsub.publish(Reach::Global, b"c", b""), 2);
        assert_eq!(pubsub.publish(Reach::Shard, b"c", b""), 1);
        assert!(taken(&clients[0]).is_empty());
        for what in [Subscription::Channel, Subscription::Pattern, Subscription::ShardChannel] {
            pubsub.unsubscribe(what, b"c", &clients[1]);
        }
        assert!(pubsub.is_empty() && pubsub.channel_count(Reach::Shard) == 0 && pubsub.patterns() == 0);
        assert_eq!(pubsub.publish(Reach::Global, b"c", b""), 0);
    }
}
