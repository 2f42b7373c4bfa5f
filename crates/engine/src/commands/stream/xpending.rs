//! XPENDING.

use super::group::no_group;
use super::id;
use super::reply::bulk_id;
use crate::commands::prelude::*;
use moonshard_protocol::Reply;
use moonshard_store::{Group, Pending, Stream, StreamId};

pub(super) const XPENDING: Command = Command {
    handler: Handler::Shard(xpending),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("group", ArgKind::String), Arg::new("filters", ArgKind::Block(&[Arg::new("min-idle-time", ArgKind::Int).token("IDLE").optional().since("6.2.0"), Arg::new("start", ArgKind::String), Arg::new("end", ArgKind::String), Arg::new("count", ArgKind::Int), Arg::new("consumer", ArgKind::String).optional()])).optional()],
        group: "stream", since: "5.0.0",
        summary: "Return information and entries from a stream consumer group pending entries list, that are messages fetched but never acknowledged.",
        complexity: "O(N) with N being the number of elements returned, so asking for a small fixed number of entries per call is O(1). O(M), where M is the total number of entries scanned when used with the IDLE filter. When the command returns just the summary and the list of consumers is small, it runs in O(1) time; otherwise, an additional O(N) time for iterating every consumer.",
        history: &[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")],
        tips: &["nondeterministic_output"],
        ..Meta::new("xpending", Arity::AtLeast(3), Flags::READONLY, Acl::STREAM)
    },
}
.checked();

/// Which pending entries are asked for.
struct Query<'a> {
    min_idle_ms: i64,
    first: StreamId,
    last: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Query<'a> {
    /// Reads the arguments after the group; `None` if there are none.
    fn parse(args: Args<'a>) -> Result<Option<Self>, Error> {
        match args.len() {
            3 => return Ok(None),
            6..=9 => {}
            _ => return Err(Error::SYNTAX),
        }
        let (mut at, mut min_idle_ms) = (3, 0);
        if args.is(3, "IDLE") {
            min_idle_ms = args.int(4)?;
            if args.len() < 8 {
                return Err(Error::SYNTAX);
            }
            at = 5;
        }
        let count = usize::try_from(args.int(at + 2)?).unwrap_or(0);
        let (first, last) = (id::range_start(args.raw(at))?, id::range_end(args.raw(at + 1))?);
        Ok(Some(Self { min_idle_ms, first, last, count, consumer: args.get(at + 3) }))
    }

    /// Writes the entries.
    fn reply(&self, reply: &mut Reply, group: &Group, now_ms: u64) {
        let open = reply.open_array();
        let mut written = 0;
        let mut write = |(id, pending): (StreamId, &Pending)| {
            written += 1;
            reply.array(4);
            bulk_id(reply, id);
            reply.bulk(group.consumer_name(pending.consumer));
            reply.int(idle_ms(pending, now_ms).max(0));
            reply.int(pending.deliveries as i64);
        };
        let idle = |(_, pending): &(StreamId, &Pending)| {
            self.min_idle_ms == 0 || idle_ms(pending, now_ms) >= self.min_idle_ms
        };
        match self.consumer {
            None => group.pending(self.first, self.last).filter(idle).take(self.count).for_each(&mut write),
            Some(name) => {
                let consumer = group.find_consumer(name).and_then(|consumer| group.consumer(consumer));
                let ids = consumer.into_iter().flat_map(|consumer| consumer.pending(self.first, self.last));
                let pending = ids.filter_map(|id| group.find_pending(id).map(|pending| (id, pending)));
                pending.filter(idle).take(self.count).for_each(&mut write);
            }
        }
        reply.close(open, written);
    }
}

/// Milliseconds since an entry was delivered last; negative when the clock was set back meanwhile.
const fn idle_ms(pending: &Pending, now_ms: u64) -> i64 {
    now_ms.wrapping_sub(pending.delivered_ms) as i64
}

fn xpending(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let query = Query::parse(args)?;
    let (key, name, now_ms) = (args.raw(1), args.raw(2), cx.keys.now_ms());
    let stream = cx.keys.read_as::<Stream>(key)?;
    let Some(group) = stream.and_then(|stream| stream.group(name)) else { return Err(no_group(key, name)) };
    match query {
        Some(query) => query.reply(cx.reply, group, now_ms),
        None => reply_summary(cx.reply, group),
    }
    DONE
}

/// How many entries are pending, between which ids, and for whom.
fn reply_summary(reply: &mut Reply, group: &Group) {
    reply.array(4);
    reply.count(group.pending_len());
    let mut all = group.pending(StreamId::MIN, StreamId::MAX);
    let first = all.next().map(|(id, _)| id);
    let last = all.next_back().map(|(id, _)| id).or(first);
    let (Some(first), Some(last)) = (first, last) else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    bulk_id(reply, first);
    bulk_id(reply, last);
    let open = reply.open_array();
    let mut owners = 0;
    for consumer in group.consumers().filter(|consumer| consumer.pending_len() > 0) {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_int(consumer.pending_len() as i64);
        owners += 1;
    }
    reply.close(open, owners);
}
