//! Strings.

mod append;
mod delex;
mod digest;
mod expiry_option;
mod get;
mod getdel;
mod getex;
mod getrange;
mod getset;
mod incr;
mod incrbyfloat;
mod increx;
mod lcs;
mod len_limit;
mod mget;
mod mset;
mod msetex;
mod set;
mod setex;
mod setnx;
mod setrange;
mod strlen;
#[cfg(test)]
mod tests;
mod value_condition;

use crate::command::Command;
pub(in crate::commands) use expiry_option::ExpiryUnit;

pub(super) const COMMANDS: &[&Command] = &[
    &append::APPEND,
    &incr::DECR,
    &incr::DECRBY,
    &delex::DELEX,
    &delex::DELIFEQ,
    &digest::DIGEST,
    &get::GET,
    &getdel::GETDEL,
    &getex::GETEX,
    &getrange::GETRANGE,
    &getset::GETSET,
    &incr::INCR,
    &incr::INCRBY,
    &incrbyfloat::INCRBYFLOAT,
    &increx::INCREX,
    &lcs::LCS,
    &mget::MGET,
    &mset::MSET,
    &msetex::MSETEX,
    &mset::MSETNX,
    &setex::PSETEX,
    &set::SET,
    &setex::SETEX,
    &setnx::SETNX,
    &setrange::SETRANGE,
    &strlen::STRLEN,
    &getrange::SUBSTR,
];
