//! ZRANGE and the older commands for its forms.

use super::operation::reply_members;
use super::range::{By, RangeQuery};
use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const ZRANGE: Command = Command {
    handler: Handler::Shard(zrange),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("start", ArgKind::String), Arg::new("stop", ArgKind::String), Arg::new("sortby", ArgKind::OneOf(&[Arg::word("byscore", "BYSCORE"), Arg::word("bylex", "BYLEX")])).optional().since("6.2.0"), Arg::word("rev", "REV").optional().since("6.2.0"), Arg::new("offset_count", ArgKind::Block(&[Arg::new("offset", ArgKind::Int), Arg::new("count", ArgKind::Int)])).token("LIMIT").optional().since("6.2.0"), Arg::word("withscores", "WITHSCORES").optional()],
        group: "sorted-set", since: "1.2.0",
        summary: "Return a range of members in a sorted set",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        history: &[("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.")],
        ..Meta::new("zrange", Arity::AtLeast(4), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZREVRANGE: Command = Command {
    handler: Handler::Shard(zrevrange),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("start", ArgKind::Int), Arg::new("stop", ArgKind::Int), Arg::word("withscores", "WITHSCORES").optional()],
        group: "sorted-set", since: "1.2.0",
        summary: "Return a range of members in a sorted set, by index, with scores ordered from high to low",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`ZRANGE` with the `REV` argument",
        ..Meta::new("zrevrange", Arity::AtLeast(4), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZRANGEBYSCORE: Command = Command {
    handler: Handler::Shard(zrangebyscore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double), Arg::word("withscores", "WITHSCORES").optional().since("2.0.0"), Arg::new("offset_count", ArgKind::Block(&[Arg::new("offset", ArgKind::Int), Arg::new("count", ArgKind::Int)])).token("LIMIT").optional()],
        group: "sorted-set", since: "1.0.5",
        summary: "Return a range of members in a sorted set, by score",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        history: &[("2.0.0", "Added the `WITHSCORES` modifier.")],
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`ZRANGE` with the `BYSCORE` argument",
        ..Meta::new("zrangebyscore", Arity::AtLeast(4), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZREVRANGEBYSCORE: Command = Command {
    handler: Handler::Shard(zrevrangebyscore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("max", ArgKind::Double), Arg::new("min", ArgKind::Double), Arg::word("withscores", "WITHSCORES").optional(), Arg::new("offset_count", ArgKind::Block(&[Arg::new("offset", ArgKind::Int), Arg::new("count", ArgKind::Int)])).token("LIMIT").optional()],
        group: "sorted-set", since: "2.2.0",
        summary: "Return a range of members in a sorted set, by score, with scores ordered from high to low",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        history: &[("2.1.6", "`min` and `max` can be exclusive.")],
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`ZRANGE` with the `REV` and `BYSCORE` arguments",
        ..Meta::new("zrevrangebyscore", Arity::AtLeast(4), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZRANGEBYLEX: Command = Command {
    handler: Handler::Shard(zrangebylex),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String), Arg::new("offset_count", ArgKind::Block(&[Arg::new("offset", ArgKind::Int), Arg::new("count", ArgKind::Int)])).token("LIMIT").optional()],
        group: "sorted-set", since: "2.8.9",
        summary: "Return a range of members in a sorted set, by lexicographical range",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`ZRANGE` with the `BYLEX` argument",
        ..Meta::new("zrangebylex", Arity::AtLeast(4), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

pub(super) const ZREVRANGEBYLEX: Command = Command {
    handler: Handler::Shard(zrevrangebylex),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("max", ArgKind::String), Arg::new("min", ArgKind::String), Arg::new("offset_count", ArgKind::Block(&[Arg::new("offset", ArgKind::Int), Arg::new("count", ArgKind::Int)])).token("LIMIT").optional()],
        group: "sorted-set", since: "2.8.9",
        summary: "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower strings.",
        complexity: "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`ZRANGE` with the `REV` and `BYLEX` arguments",
        ..Meta::new("zrevrangebylex", Arity::AtLeast(4), Flags::READONLY, Acl::SORTEDSET)
    },
}
.checked();

fn zrange(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    reply_range(cx, args, None, None)
}

fn zrevrange(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    reply_range(cx, args, Some(By::Rank), Some(true))
}

fn zrangebyscore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    reply_range(cx, args, Some(By::Score), Some(false))
}

fn zrevrangebyscore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    reply_range(cx, args, Some(By::Score), Some(true))
}

fn zrangebylex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    reply_range(cx, args, Some(By::Lex), Some(false))
}

fn zrevrangebylex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    reply_range(cx, args, Some(By::Lex), Some(true))
}

fn reply_range(cx: &mut Ctx<'_>, args: Args<'_>, by: Option<By>, reverse: Option<bool>) -> CmdResult {
    let query = RangeQuery::parse(args, 1, false, by, reverse)?;
    let Some(set) = cx.keys.read_as::<SortedSet>(args.raw(1))? else {
        cx.reply.array(0);
        return DONE;
    };
    let members = set.iter_ranks(query.ranks(set), query.reverse);
    reply_members(cx.reply, members, query.with_scores);
    DONE
}
