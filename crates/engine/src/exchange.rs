//! Where messages meet their subscribers. The engine knows no more of connections than this.

/// Which of the two worlds of channels a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Channels of the whole server; patterns match them.
    Global,
    /// Channels that belong to a slot, as keys do. No pattern sees them.
    Shard,
}

/// Delivers messages and tells who would get them.
pub trait Exchange: Sync {
    /// Sends a message to all subscribers of a channel. Returns to how many.
    fn publish(&self, reach: Reach, channel: &[u8], message: &[u8]) -> usize;

    /// How many would get a message now.
    fn receivers(&self, reach: Reach, channel: &[u8]) -> usize;

    /// How many have subscribed to a channel itself.
    fn subscribers(&self, reach: Reach, channel: &[u8]) -> usize;

    /// How many patterns are subscribed to.
    fn patterns(&self) -> usize;

    /// Visits every channel that somebody has subscribed to, in no order. O(n).
    fn each_channel(&self, reach: Reach, visit: &mut dyn FnMut(&[u8]));
}

/// An exchange without subscribers.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSubscribers;

impl Exchange for NoSubscribers {
    fn publish(&self, _reach: Reach, _channel: &[u8], _message: &[u8]) -> usize {
        0
    }

    fn receivers(&self, _reach: Reach, _channel: &[u8]) -> usize {
        0
    }

    fn subscribers(&self, _reach: Reach, _channel: &[u8]) -> usize {
        0
    }

    fn patterns(&self) -> usize {
        0
    }

    fn each_channel(&self, _reach: Reach, _visit: &mut dyn FnMut(&[u8])) {}
}
