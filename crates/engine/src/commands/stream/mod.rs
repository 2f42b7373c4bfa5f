//! Streams.

mod group;
mod id;
mod read_option;
mod reply;
#[cfg(test)]
mod tests;
mod trim_option;
mod xack;
mod xadd;
mod xautoclaim;
mod xclaim;
mod xdel;
mod xgroup;
mod xinfo;
mod xlen;
mod xpending;
mod xrange;
mod xread;
mod xreadgroup;
mod xsetid;
mod xtrim;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[
    &xadd::XADD,
    &xlen::XLEN,
    &xrange::XRANGE,
    &xrange::XREVRANGE,
    &xdel::XDEL,
    &xtrim::XTRIM,
    &xsetid::XSETID,
    &xread::XREAD,
    &xreadgroup::XREADGROUP,
    &xgroup::XGROUP,
    &xack::XACK,
    &xpending::XPENDING,
    &xclaim::XCLAIM,
    &xautoclaim::XAUTOCLAIM,
    &xinfo::XINFO,
];
