//! What one connection has subscribed to.

use crate::clients::{Client, flag};
use crate::pubsub::PubSub;
use moonshard_engine::command::Subscription;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// A connection's subscriptions.
#[derive(Debug, Default)]
pub struct Subscriptions {
    channels: BTreeSet<Box<[u8]>>,
    shard_channels: BTreeSet<Box<[u8]>>,
    /// In the order in which they came.
    patterns: Vec<Box<[u8]>>,
}

impl Subscriptions {
    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shard_channels.is_empty()
    }

    /// How many a confirmation counts: channels and patterns together, channels of slots by themselves.
    pub fn count(&self, what: Subscription) -> usize {
        match what {
            Subscription::Channel | Subscription::Pattern => self.channels.len() + self.patterns.len(),
            Subscription::ShardChannel => self.shard_channels.len(),
        }
    }

    /// Subscribes to one more, unless it is one of them already.
    pub fn add(&mut self, pubsub: &PubSub, client: &Arc<Client>, what: Subscription, name: &[u8]) {
        let is_new = match what {
            Subscription::Channel => self.channels.insert(name.into()),
            Subscription::ShardChannel => self.shard_channels.insert(name.into()),
            Subscription::Pattern if self.patterns.iter().any(|pattern| **pattern == *name) => false,
            Subscription::Pattern => {
                self.patterns.push(name.into());
                true
            }
        };
        if is_new {
            pubsub.subscribe(what, name, client);
        }
        self.show(client);
    }

    /// Ends a subscription, if it is one.
    pub fn remove(&mut self, pubsub: &PubSub, client: &Arc<Client>, what: Subscription, name: &[u8]) {
        let was_there = match what {
            Subscription::Channel => self.channels.remove(name),
            Subscription::ShardChannel => self.shard_channels.remove(name),
            Subscription::Pattern => {
                let before = self.patterns.len();
                self.patterns.retain(|pattern| **pattern != *name);
                self.patterns.len() < before
            }
        };
        if was_there {
            pubsub.unsubscribe(what, name, client);
        }
        self.show(client);
    }

    /// All subscriptions of a kind.
    pub fn names(&self, what: Subscription) -> Vec<Box<[u8]>> {
        match what {
            Subscription::Channel => self.channels.iter().cloned().collect(),
            Subscription::ShardChannel => self.shard_channels.iter().cloned().collect(),
            Subscription::Pattern => self.patterns.clone(),
        }
    }

    /// Ends all subscriptions.
    pub fn clear(&mut self, pubsub: &PubSub, client: &Arc<Client>) {
        if self.is_empty() {
            return;
        }
        for what in [Subscription::Channel, Subscription::Pattern, Subscription::ShardChannel] {
            for name in self.names(what) {
                pubsub.unsubscribe(what, &name, client);
            }
        }
        *self = Self::default();
        self.show(client);
    }

    /// Shows others how many there are.
    fn show(&self, client: &Client) {
        let counts = [self.channels.len(), self.patterns.len(), self.shard_channels.len()];
        for (shown, count) in client.subscriptions.iter().zip(counts) {
            shown.store(count as u32, Relaxed);
        }
        client.set_flag(flag::PUBSUB, !self.is_empty());
    }
}
