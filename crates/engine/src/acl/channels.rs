//! The channels that a user may use, where they change under a subscriber.

use super::user::User;

impl User {
    /// Whether clients that have subscribed as this user may have to go when it becomes `new`: some channel is no
    /// longer allowed.
    pub fn loses_channels(&self, new: &Self) -> bool {
        if new.all_selectors().any(|selector| selector.all_channels) {
            return false;
        }
        let kept = |pattern: &[u8]| {
            new.all_selectors().any(|selector| selector.channels.iter().any(|known| **known == *pattern))
        };
        self.all_selectors().any(|old| old.all_channels || !old.channels.iter().all(|pattern| kept(pattern)))
    }

    /// Whether the user may subscribe to a channel, or to a pattern of channels.
    pub fn may_subscribe(&self, channel: &[u8], is_pattern: bool) -> bool {
        self.all_selectors().any(|selector| selector.has_channel(channel, is_pattern))
    }
}
