//! Messages to whoever has subscribed to a channel.

mod container;
mod publish;
mod subscribe;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[
    &container::PUBSUB,
    &publish::PUBLISH,
    &publish::SPUBLISH,
    &subscribe::PSUBSCRIBE,
    &subscribe::PUNSUBSCRIBE,
    &subscribe::SSUBSCRIBE,
    &subscribe::SUBSCRIBE,
    &subscribe::SUNSUBSCRIBE,
    &subscribe::UNSUBSCRIBE,
];
