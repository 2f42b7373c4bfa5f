//! Commands about keys of any type, and about whole databases.

mod copy;
mod dbsize;
mod del;
mod dump;
mod exists;
mod expire;
mod flush;
mod keys;
mod migrate;
mod move_to;
mod object;
mod persist;
mod randomkey;
mod rename;
mod restore;
mod scan;
mod sort;
mod swapdb;
#[cfg(test)]
mod tests;
mod ttl;
mod type_of;
mod wait;

use crate::command::Command;

pub(super) use expire::{delete_due, set_expiry};

pub(super) const COMMANDS: &[&Command] = &[
    &copy::COPY,
    &dbsize::DBSIZE,
    &del::DEL,
    &dump::DUMP,
    &exists::EXISTS,
    &expire::EXPIRE,
    &expire::EXPIREAT,
    &ttl::EXPIRETIME,
    &flush::FLUSHALL,
    &flush::FLUSHDB,
    &keys::KEYS,
    &migrate::MIGRATE,
    &move_to::MOVE,
    &object::OBJECT,
    &persist::PERSIST,
    &expire::PEXPIRE,
    &expire::PEXPIREAT,
    &ttl::PEXPIRETIME,
    &ttl::PTTL,
    &randomkey::RANDOMKEY,
    &rename::RENAME,
    &rename::RENAMENX,
    &restore::RESTORE,
    &restore::RESTORE_ASKING,
    &scan::SCAN,
    &sort::SORT,
    &sort::SORT_RO,
    &swapdb::SWAPDB,
    &exists::TOUCH,
    &ttl::TTL,
    &type_of::TYPE,
    &del::UNLINK,
    &wait::WAIT,
    &wait::WAITAOF,
];
