//! Lists.

mod blpop;
mod end;
mod index;
mod lindex;
mod linsert;
mod llen;
mod lmove;
mod lmpop;
mod lpos;
mod lrange;
mod lrem;
mod lset;
mod ltrim;
mod pop;
mod push;
#[cfg(test)]
mod tests;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[
    &push::LPUSH,
    &push::RPUSH,
    &push::LPUSHX,
    &push::RPUSHX,
    &pop::LPOP,
    &pop::RPOP,
    &llen::LLEN,
    &lindex::LINDEX,
    &lset::LSET,
    &linsert::LINSERT,
    &lrange::LRANGE,
    &ltrim::LTRIM,
    &lpos::LPOS,
    &lrem::LREM,
    &lmove::LMOVE,
    &lmove::RPOPLPUSH,
    &lmpop::LMPOP,
    &blpop::BLPOP,
    &blpop::BRPOP,
    &lmove::BLMOVE,
    &lmove::BRPOPLPUSH,
    &lmpop::BLMPOP,
];
