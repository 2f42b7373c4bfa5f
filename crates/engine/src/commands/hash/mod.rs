//! Hashes.

mod field_args;
mod hdel;
mod hexists;
mod hexpire;
mod hget;
mod hgetall;
mod hgetdel;
mod hgetex;
mod hincrby;
mod hincrbyfloat;
mod hlen;
mod hmget;
mod hpersist;
mod hrandfield;
mod hscan;
mod hset;
mod hsetex;
mod hsetnx;
mod hstrlen;
mod httl;
#[cfg(test)]
mod tests;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[
    &hset::HSET,
    &hset::HMSET,
    &hsetnx::HSETNX,
    &hget::HGET,
    &hmget::HMGET,
    &hgetall::HGETALL,
    &hgetall::HKEYS,
    &hgetall::HVALS,
    &hlen::HLEN,
    &hstrlen::HSTRLEN,
    &hdel::HDEL,
    &hexists::HEXISTS,
    &hincrby::HINCRBY,
    &hincrbyfloat::HINCRBYFLOAT,
    &hrandfield::HRANDFIELD,
    &hscan::HSCAN,
    &hexpire::HEXPIRE,
    &hexpire::HPEXPIRE,
    &hexpire::HEXPIREAT,
    &hexpire::HPEXPIREAT,
    &httl::HTTL,
    &httl::HPTTL,
    &httl::HEXPIRETIME,
    &httl::HPEXPIRETIME,
    &hpersist::HPERSIST,
    &hgetdel::HGETDEL,
    &hgetex::HGETEX,
    &hsetex::HSETEX,
];
