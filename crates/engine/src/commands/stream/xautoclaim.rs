//! XAUTOCLAIM.

use super::group::{consumer_for, no_group, replay_claim, replay_pending, tell_created};
use super::id;
use super::reply::{self, bulk_id};
use crate::commands::prelude::*;
use moonshard_store::number::parse_i64;
use moonshard_store::{Claim, Group, Pending, Stream, StreamId, StreamView};

pub(super) const XAUTOCLAIM: Command = Command {
    handler: Handler::Shard(xautoclaim),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::DELETE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String), Arg::new("min-idle-time", ArgKind::String), Arg::new("start", ArgKind::String), Arg::new("count", ArgKind::Int).token("COUNT").optional(), Arg::word("justid", "JUSTID").optional()],
        group: "stream", since: "6.2.0",
        summary: "Changes (or acquires) ownership of messages in a consumer group, as if the messages were delivered to the specified consumer.",
        complexity: "O(1) if COUNT is small.",
        history: &[("7.0.0", "Added an element to the reply array, containing deleted entries the command cleared from the PEL")],
        tips: &["nondeterministic_output"],
        ..Meta::new("xautoclaim", Arity::AtLeast(6), Flags::WRITE.union(Flags::FAST), Acl::STREAM)
    },
}
.checked();

/// What XAUTOCLAIM is asked for.
struct Options {
    min_idle_ms: i64,
    first: StreamId,
    count: usize,
    just_id: bool,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, Error> {
        const COUNT_DEFAULT: usize = 100;
        const COUNT_MAX: i64 = i64::MAX / 16;
        let min_idle_ms =
            args.int_or(4, Error::fixed("ERR Invalid min-idle-time argument for XAUTOCLAIM"))?;
        let first = id::range_start(args.raw(5))?;
        let mut options =
            Self { min_idle_ms: min_idle_ms.max(0), first, count: COUNT_DEFAULT, just_id: false };
        let mut at = 6;
        while at < args.len() {
            if at + 1 < args.len() && args.is(at, "COUNT") {
                options.count = match parse_i64(args.raw(at + 1)) {
                    Some(count @ 1..=COUNT_MAX) => count as usize,
                    _ => return Err(Error::fixed("ERR COUNT must be > 0")),
                };
                at += 1;
            } else if args.is(at, "JUSTID") {
                options.just_id = true;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }
}

/// What became of the pending entries.
#[derive(Default)]
struct Outcome {
    claimed: Vec<StreamId>,
    /// Pending ones that are gone from the stream, each with how many were claimed before it.
    dropped: Vec<(StreamId, Pending, usize)>,
    /// Where the next call goes on; none if there is nothing left.
    next: Option<StreamId>,
    created: bool,
}

fn xautoclaim(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, name, consumer, now_ms) = (args.raw(1), args.raw(2), args.raw(3), cx.keys.now_ms());
    // A wrong type is told after wrong arguments.
    let options = Options::parse(args)?;
    let stream = cx.keys.write_as::<Stream>(key)?;
    let Some((view, group)) = stream.and_then(|stream| stream.with_group(name)) else {
        return Err(no_group(key, name));
    };
    let outcome = claim_idle(view, group, &options, consumer, now_ms);
    cx.reply.array(3);
    bulk_id(cx.reply, outcome.next.unwrap_or(StreamId::MIN));
    cx.reply.array(outcome.claimed.len());
    for &id in &outcome.claimed {
        match view.get(id) {
            Some(entry) if !options.just_id => reply::entry(cx.reply, &entry),
            _ => bulk_id(cx.reply, id),
        }
    }
    cx.reply.array(outcome.dropped.len());
    outcome.dropped.iter().for_each(|(id, ..)| bulk_id(cx.reply, *id));
    let last_id = group.last_id;
    let dropped: Vec<_> = outcome
        .dropped
        .into_iter()
        .map(|(id, pending, at)| (id, pending, at, group.consumer_name(pending.consumer).to_vec()))
        .collect();
    if outcome.created {
        tell_created(cx, key, name, consumer, false);
    }
    if !outcome.claimed.is_empty() || !dropped.is_empty() {
        cx.keys.changed(EventClass::empty(), "xautoclaim", key);
    }
    let (mut claimed, mut said) = (outcome.claimed.into_iter(), 0);
    for (id, pending, at, owner) in dropped {
        claimed
            .by_ref()
            .take(at - said)
            .for_each(|id| replay_pending(cx, key, (name, consumer), (id, &id.text()), None));
        said = at;
        replay_claim(cx, key, name, &owner, &id.text(), pending, last_id);
    }
    claimed.for_each(|id| replay_pending(cx, key, (name, consumer), (id, &id.text()), None));
    DONE
}

/// Goes over the pending entries and gives those that are idle enough to the consumer.
fn claim_idle(
    view: StreamView<'_>,
    group: &mut Group,
    options: &Options,
    consumer: &[u8],
    now_ms: u64,
) -> Outcome {
    const LOOKED_AT_FOR_EACH: usize = 10;
    let (mut outcome, mut owner) = (Outcome::default(), None);
    let (mut left, mut looks) = (options.count, options.count.saturating_mul(LOOKED_AT_FOR_EACH));
    let mut from = Some(options.first);
    let after = |group: &Group, from: Option<StreamId>| {
        let (id, pending) = group.pending(from?, StreamId::MAX).next()?;
        Some((id, *pending))
    };
    while left > 0 && looks > 0 {
        let Some((id, pending)) = after(group, from) else { return outcome };
        looks -= 1;
        from = id.successor();
        if view.get(id).is_none() {
            group.acknowledge(id);
            outcome.dropped.push((id, pending, outcome.claimed.len()));
            left -= 1;
            continue;
        }
        let idle_ms = now_ms.wrapping_sub(pending.delivered_ms) as i64;
        if options.min_idle_ms > 0 && idle_ms < options.min_idle_ms {
            continue;
        }
        if owner.is_none()
            && let Some((found, created)) = consumer_for(group, consumer, now_ms)
        {
            (owner, outcome.created) = (Some(found), created);
        }
        let Some(consumer) = owner else { continue };
        let claim = Claim { consumer, delivered_ms: now_ms, deliveries: None, counts: !options.just_id };
        group.claim(id, &claim, now_ms);
        outcome.claimed.push(id);
        left -= 1;
    }
    outcome.next = after(group, from).map(|(id, _)| id);
    outcome
}
