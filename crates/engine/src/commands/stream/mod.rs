//! Streams.

mod id;
mod reply;
#[cfg(test)]
mod tests;
mod trim_option;
mod xadd;
mod xdel;
mod xlen;
mod xrange;
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
];
