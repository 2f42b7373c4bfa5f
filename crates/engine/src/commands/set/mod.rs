//! Sets.

mod operation;
mod sadd;
mod scard;
mod sdiff;
mod sinter;
mod sintercard;
mod sismember;
mod smembers;
mod smove;
mod spop;
mod srandmember;
mod srem;
mod sscan;
mod sunion;
#[cfg(test)]
mod tests;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[
    &sadd::SADD,
    &srem::SREM,
    &smembers::SMEMBERS,
    &sismember::SISMEMBER,
    &sismember::SMISMEMBER,
    &scard::SCARD,
    &spop::SPOP,
    &srandmember::SRANDMEMBER,
    &smove::SMOVE,
    &sinter::SINTER,
    &sinter::SINTERSTORE,
    &sintercard::SINTERCARD,
    &sunion::SUNION,
    &sunion::SUNIONSTORE,
    &sdiff::SDIFF,
    &sdiff::SDIFFSTORE,
    &sscan::SSCAN,
];
