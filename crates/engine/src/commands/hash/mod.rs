//! Hashes.

mod hdel;
mod hexists;
mod hget;
mod hgetall;
mod hincrby;
mod hincrbyfloat;
mod hlen;
mod hmget;
mod hrandfield;
mod hscan;
mod hset;
mod hsetnx;
mod hstrlen;
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
];
