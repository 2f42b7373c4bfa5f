//! XRANGE and XREVRANGE.

use super::id;
use super::reply;
use crate::commands::prelude::*;
use moonshard_store::{Direction, Stream};

pub(super) const XRANGE: Command = Command {
    handler: Handler::Shard(xrange),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("start", ArgKind::String), Arg::new("end", ArgKind::String), Arg::new("count", ArgKind::Int).token("COUNT").optional()],
        group: "stream", since: "5.0.0",
        summary: "Return a range of elements in a stream, with IDs matching the specified IDs interval",
        complexity: "O(N) with N being the number of elements being returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
        history: &[("6.2.0", "Added exclusive ranges.")],
        ..Meta::new("xrange", Arity::AtLeast(4), Flags::READONLY, Acl::STREAM)
    },
}
.checked();

pub(super) const XREVRANGE: Command = Command {
    handler: Handler::Shard(xrevrange),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("end", ArgKind::String), Arg::new("start", ArgKind::String), Arg::new("count", ArgKind::Int).token("COUNT").optional()],
        group: "stream", since: "5.0.0",
        summary: "Return a range of elements in a stream, with IDs matching the specified IDs interval, in reverse order (from greater to smaller IDs) compared to XRANGE",
        complexity: "O(N) with N being the number of elements returned. If N is constant (e.g. always asking for the first 10 elements with COUNT), you can consider it O(1).",
        history: &[("6.2.0", "Added exclusive ranges.")],
        ..Meta::new("xrevrange", Arity::AtLeast(4), Flags::READONLY, Acl::STREAM)
    },
}
.checked();

fn xrange(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    range(cx, args, Direction::Forward)
}

fn xrevrange(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    range(cx, args, Direction::Backward)
}

fn range(cx: &mut Ctx<'_>, args: Args<'_>, direction: Direction) -> CmdResult {
    let (first, last) = match direction {
        Direction::Forward => (args.raw(2), args.raw(3)),
        Direction::Backward => (args.raw(3), args.raw(2)),
    };
    let (first, last) = (id::range_start(first)?, id::range_end(last)?);
    let (mut count, mut at) = (None, 4);
    while at < args.len() {
        if !args.is(at, "COUNT") || at + 1 == args.len() {
            return Err(Error::SYNTAX);
        }
        let wanted = args.int(at + 1)?;
        count = Some(usize::try_from(wanted).unwrap_or(0));
        at += 2;
    }
    let Some(stream) = cx.keys.read_as::<Stream>(args.raw(1))? else {
        cx.reply.array(0);
        return DONE;
    };
    if count == Some(0) {
        cx.reply.null_array();
        return DONE;
    }
    let entries = stream.range(first, last, direction).take(count.unwrap_or(usize::MAX));
    reply::entries(cx.reply, entries);
    DONE
}
