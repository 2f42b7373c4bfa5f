//! XCLAIM.

use super::group::{consumer_for, no_group, replay_claim, replay_group_id, replay_pending, tell_created};
use super::id;
use super::reply::{self, bulk_id};
use crate::commands::prelude::*;
use moonshard_store::number::parse_i64;
use moonshard_store::{Claim, Group, Pending, Stream, StreamId};

pub(super) const XCLAIM: Command = Command {
    handler: Handler::Shard(xclaim),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String), Arg::new("min-idle-time", ArgKind::String), Arg::new("id", ArgKind::String).multiple(), Arg::new("ms", ArgKind::Int).token("IDLE").optional(), Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("TIME").optional(), Arg::new("count", ArgKind::Int).token("RETRYCOUNT").optional(), Arg::word("force", "FORCE").optional(), Arg::word("justid", "JUSTID").optional(), Arg::new("id", ArgKind::String).token("LASTID").optional()],
        group: "stream", since: "5.0.0",
        summary: "Changes (or acquires) ownership of a message in a consumer group, as if the message was delivered to the specified consumer.",
        complexity: "O(log N) with N being the number of messages in the PEL of the consumer group.",
        tips: &["nondeterministic_output"],
        ..Meta::new("xclaim", Arity::AtLeast(6), Flags::WRITE.union(Flags::FAST), Acl::STREAM)
    },
}
.checked();

/// What XCLAIM is asked for.
struct Options {
    min_idle_ms: i64,
    ids: Vec<StreamId>,
    /// When the entries count as delivered.
    delivered_ms: u64,
    deliveries: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

impl Options {
    /// Reads the arguments of a call, which may be run `again`, from a log.
    fn parse(args: Args<'_>, now_ms: u64, again: bool) -> Result<Self, Error> {
        let min_idle_ms = args.int_or(4, Error::fixed("ERR Invalid min-idle-time argument for XCLAIM"))?;
        // The first that is no id begins the options.
        let ids: Vec<StreamId> = args.from(5).iter().map_while(|text| id::strict(text, 0).ok()).collect();
        let mut options = Self {
            min_idle_ms: min_idle_ms.max(0),
            delivered_ms: now_ms,
            deliveries: None,
            force: false,
            just_id: false,
            last_id: StreamId::MIN,
            ids,
        };
        let mut at = 5 + options.ids.len();
        let mut delivered = None;
        while at < args.len() {
            let more = at + 1 < args.len();
            if args.is(at, "FORCE") {
                options.force = true;
            } else if args.is(at, "JUSTID") {
                options.just_id = true;
            } else if more && args.is(at, "IDLE") {
                let idle =
                    args.int_or(at + 1, Error::fixed("ERR Invalid IDLE option argument for XCLAIM"))?;
                delivered = Some((now_ms as i64).wrapping_sub(idle));
                at += 1;
            } else if more && args.is(at, "TIME") {
                let time =
                    args.int_or(at + 1, Error::fixed("ERR Invalid TIME option argument for XCLAIM"))?;
                delivered = Some(time);
                at += 1;
            } else if more && args.is(at, "RETRYCOUNT") {
                const INVALID: Error = Error::fixed("ERR Invalid RETRYCOUNT option argument for XCLAIM");
                options.deliveries = u64::try_from(parse_i64(args.raw(at + 1)).ok_or(INVALID)?).ok();
                at += 1;
            } else if more && args.is(at, "LASTID") {
                options.last_id = id::strict(args.raw(at + 1), 0)?;
                at += 1;
            } else {
                return Err(unrecognized(args.raw(at)));
            }
            at += 1;
        }
        // A moment that cannot be is taken for the present one: clients' clocks differ.
        let possible = delivered.and_then(|time| u64::try_from(time).ok());
        let possible = possible.filter(|&time| time <= now_ms || again);
        options.delivered_ms = possible.unwrap_or(now_ms);
        Ok(options)
    }

    /// Whether an entry may be claimed as it is.
    fn may_claim(&self, pending: Option<&Pending>, now_ms: u64) -> bool {
        match pending {
            Some(pending) => {
                self.min_idle_ms == 0 || now_ms.wrapping_sub(pending.delivered_ms) as i64 >= self.min_idle_ms
            }
            None => self.force,
        }
    }
}

#[cold]
fn unrecognized(option: &[u8]) -> Error {
    Error::bytes([b"ERR Unrecognized XCLAIM option '", option, b"'"].concat())
}

/// An entry that was pending and is gone.
struct Dropped {
    pending: Pending,
    consumer: Vec<u8>,
}

fn xclaim(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, name, now_ms) = (args.raw(1), args.raw(2), cx.keys.now_ms());
    let (replays, again) = (cx.keys.replays(), !cx.keys.deletes_due());
    let stream = cx.keys.write_as::<Stream>(key)?;
    let Some((view, group)) = stream.and_then(|stream| stream.with_group(name)) else {
        return Err(no_group(key, name));
    };
    let options = Options::parse(args, now_ms, again)?;
    let advanced = options.last_id > group.last_id;
    group.last_id = group.last_id.max(options.last_id);
    let (mut created, mut consumer) = (false, None);
    let (mut done, mut has_dropped) = (Vec::new(), false);
    let open = cx.reply.open_array();
    let mut count = 0;
    for (&id, &text) in options.ids.iter().zip(args.from(5)) {
        let Some(entry) = view.get(id) else {
            if let Some(dropped) = drop_pending(group, id) {
                has_dropped = true;
                done.push((id, text, Some(dropped)));
            }
            continue;
        };
        if !options.may_claim(group.find_pending(id), now_ms) {
            continue;
        }
        let owner = match consumer {
            Some(owner) => owner,
            None => {
                let Some((owner, new)) = consumer_for(group, args.raw(3), now_ms) else { continue };
                (consumer, created) = (Some(owner), new);
                owner
            }
        };
        let claim = Claim {
            consumer: owner,
            delivered_ms: options.delivered_ms,
            deliveries: options.deliveries,
            counts: !options.just_id,
        };
        group.claim(id, &claim, now_ms);
        if options.just_id {
            bulk_id(cx.reply, id);
        } else {
            reply::entry(cx.reply, &entry);
        }
        count += 1;
        if replays {
            done.push((id, text, None));
        }
    }
    cx.reply.close(open, count);
    let last_id = group.last_id;
    if created {
        tell_created(cx, key, name, args.raw(3), false);
    }
    if count > 0 || advanced || has_dropped {
        cx.keys.changed(EventClass::empty(), "xclaim", key);
    }
    for (id, text, dropped) in done {
        match dropped {
            Some(Dropped { pending, consumer }) => {
                replay_claim(cx, key, name, &consumer, text, pending, last_id);
            }
            None => replay_pending(cx, key, (name, args.raw(3)), (id, text), None),
        }
    }
    if advanced && count == 0 && !has_dropped {
        replay_group_id(cx, key, name);
    }
    DONE
}

/// Takes an entry that is gone off the pending ones. Claiming it once more does the same, so that is how it is
/// repeated.
fn drop_pending(group: &mut Group, id: StreamId) -> Option<Dropped> {
    let pending = *group.find_pending(id)?;
    let consumer = group.consumer_name(pending.consumer).to_vec();
    group.acknowledge(id).then_some(Dropped { pending, consumer })
}
