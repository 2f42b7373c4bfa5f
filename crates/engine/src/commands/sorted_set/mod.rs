//! Sorted sets.

mod bzpop;
mod operation;
mod range;
#[cfg(test)]
mod tests;
mod zadd;
mod zcard;
mod zcount;
mod zdiff;
mod zinter;
mod zintercard;
mod zmpop;
mod zpop;
mod zrandmember;
mod zrange;
mod zrangestore;
mod zrank;
mod zrem;
mod zremrange;
mod zscan;
mod zscore;
mod zunion;

use crate::command::Command;

pub(super) const COMMANDS: &[&Command] = &[
    &zadd::ZADD,
    &zadd::ZINCRBY,
    &zrem::ZREM,
    &zscore::ZSCORE,
    &zscore::ZMSCORE,
    &zcard::ZCARD,
    &zcount::ZCOUNT,
    &zcount::ZLEXCOUNT,
    &zrank::ZRANK,
    &zrank::ZREVRANK,
    &zrange::ZRANGE,
    &zrange::ZREVRANGE,
    &zrange::ZRANGEBYSCORE,
    &zrange::ZREVRANGEBYSCORE,
    &zrange::ZRANGEBYLEX,
    &zrange::ZREVRANGEBYLEX,
    &zrangestore::ZRANGESTORE,
    &zremrange::ZREMRANGEBYRANK,
    &zremrange::ZREMRANGEBYSCORE,
    &zremrange::ZREMRANGEBYLEX,
    &zpop::ZPOPMIN,
    &zpop::ZPOPMAX,
    &zmpop::ZMPOP,
    &bzpop::BZPOPMIN,
    &bzpop::BZPOPMAX,
    &zmpop::BZMPOP,
    &zunion::ZUNION,
    &zunion::ZUNIONSTORE,
    &zinter::ZINTER,
    &zinter::ZINTERSTORE,
    &zintercard::ZINTERCARD,
    &zdiff::ZDIFF,
    &zdiff::ZDIFFSTORE,
    &zrandmember::ZRANDMEMBER,
    &zscan::ZSCAN,
];
