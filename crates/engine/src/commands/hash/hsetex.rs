//! HSETEX.

use super::field_args::{Replaying, deadline};
use crate::commands::prelude::*;
use crate::commands::string::ExpiryUnit;
use moonshard_store::Hash;

pub(super) const HSETEX: Command = Command {
    handler: Handler::Shard(hsetex),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("condition", ArgKind::OneOf(&[Arg::word("fnx", "FNX"), Arg::word("fxx", "FXX")])).optional(),
            Arg::new(
                "expiration",
                ArgKind::OneOf(&[
                    Arg::new("seconds", ArgKind::Int).token("EX"),
                    Arg::new("milliseconds", ArgKind::Int).token("PX"),
                    Arg::new("unix-time-seconds", ArgKind::UnixTime).token("EXAT"),
                    Arg::new("unix-time-milliseconds", ArgKind::UnixTime).token("PXAT"),
                    Arg::word("keepttl", "KEEPTTL"),
                ]),
            )
            .optional(),
            Arg::new(
                "fields",
                ArgKind::Block(&[
                    Arg::new("numfields", ArgKind::Int),
                    Arg::new(
                        "data",
                        ArgKind::Block(&[
                            Arg::new("field", ArgKind::String),
                            Arg::new("value", ArgKind::String),
                        ]),
                    )
                    .multiple(),
                ]),
            )
            .token("FIELDS"),
        ],
        group: "hash",
        since: "8.0.0",
        summary: "Set the value of one or more fields of a given hash key, and optionally set their expiration.",
        complexity: "O(N) where N is the number of fields being set.",
        ..Meta::new(
            "hsetex",
            Arity::AtLeast(6),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::HASH,
        )
    },
}
.checked();

#[derive(Default)]
struct Options<'a> {
    /// Whether all fields must be there, or none may.
    present: Option<bool>,
    keep: bool,
    at: Option<u64>,
    /// Fields and values by turns.
    pairs: &'a [&'a [u8]],
}

fn parse(args: Args<'_>, now_ms: u64) -> Result<Options<'_>, Error> {
    let mut options = Options::default();
    let mut index = 2;
    while !args.is(index, "FIELDS") {
        let Some(word) = args.get(index) else { return Err(Error::wrong_arity("hsetex")) };
        let expires = options.keep || options.at.is_some();
        let unit = ExpiryUnit::of(args, index);
        if unit.is_some() || args.is(index, "KEEPTTL") {
            if expires {
                return Err(Error::fixed(
                    "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
                ));
            }
            options.keep = unit.is_none();
        }
        if let Some(unit) = unit {
            index += 1;
            if index >= args.len() {
                return Err(Error::fixed("ERR missing expire time"));
            }
            options.at = Some(deadline(args, index, unit, now_ms, "hsetex")?);
        } else if args.is(index, "FXX") || args.is(index, "FNX") {
            if options.present.is_some() {
                return Err(Error::fixed("ERR Only one of FXX or FNX arguments can be specified"));
            }
            options.present = Some(args.is(index, "FXX"));
        } else if !args.is(index, "KEEPTTL") {
            return Err(Error::bytes([b"ERR unknown argument: ", word].concat()));
        }
        index += 1;
    }
    options.pairs = pairs(args, index)?;
    Ok(options)
}

/// The fields and values after the word FIELDS at `index` and their number.
fn pairs<'a>(args: Args<'a>, index: usize) -> Result<&'a [&'a [u8]], Error> {
    let pairs = args.from(index + 2);
    if pairs.len() < 2 {
        return Err(Error::wrong_arity("hsetex"));
    }
    let invalid = Error::fixed("ERR invalid number of fields");
    let count = args.int_or(index + 1, invalid.clone())?;
    let count = usize::try_from(count).ok().filter(|&count| count > 0).ok_or(invalid)?;
    if count.checked_mul(2) != Some(pairs.len()) {
        return Err(Error::wrong_arity("hsetex"));
    }
    Ok(pairs)
}

fn hsetex(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let (key, now_ms) = (args.raw(1), cx.keys.now_ms());
    let options = parse(args, now_ms)?;
    let (limits, seed) = (cx.settings.hash, cx.settings.seed);
    let delete = options.at.is_some_and(|at| at <= now_ms) && cx.keys.deletes_due();
    let hash = cx.keys.write_as::<Hash>(key)?;
    let fields = || options.pairs.chunks_exact(2).map(|pair| pair[0]);
    if let Some(present) = options.present {
        let there = |field: &[u8]| hash.as_ref().is_some_and(|hash| hash.contains(field));
        if !fields().all(|field| there(field) == present) {
            cx.reply.int(0);
            return DONE;
        }
    }
    let hash = cx.keys.create_as::<Hash>(key)?;
    hash.prepare(options.pairs.iter().map(|text| text.len()), limits, seed);
    let mut changed = Replaying::new();
    for pair in options.pairs.chunks_exact(2) {
        let (field, value) = (pair[0], pair[1]);
        if options.keep {
            hash.set_keeping_deadline(field, value, limits, seed);
        } else {
            hash.set(field, value, limits, seed);
        }
        if let Some(at) = options.at {
            if !delete {
                hash.set_deadline(field, at, seed);
            }
            changed.push(field);
        }
    }
    cx.keys.changed(EventClass::HASH, "hset", key);
    cx.reply.int(1);
    match options.at {
        None => {
            // Where no deadline is kept it is a plain HSET, which is said so: Redis 7.0 knows no other.
            let keeps =
                options.keep && cx.keys.get_as::<Hash>(key)?.is_some_and(|hash| hash.expiring_len() > 0);
            if cx.keys.replays() {
                let mut count = itoa::Buffer::new();
                let count = count.format(options.pairs.len() / 2).as_bytes();
                let words: &[&[u8]] = &[b"HSETEX", key, b"KEEPTTL", b"FIELDS", count];
                let words = if keeps { words } else { &[&b"HSET"[..], key] };
                cx.keys.replay_as(&[words, options.pairs].concat());
            }
        }
        Some(_) if delete => {
            let hash = cx.keys.create_as::<Hash>(key)?;
            options.pairs.chunks_exact(2).for_each(|pair| {
                hash.remove(pair[0]);
            });
            let drained = hash.is_empty();
            changed.tell(cx, key, None, drained);
        }
        Some(at) => {
            cx.keys.note_deadlines(key);
            cx.keys.changed(EventClass::HASH, "hexpire", key);
            replay(cx, key, at, options.pairs);
        }
    }
    DONE
}

fn replay(cx: &mut Ctx<'_>, key: &[u8], at: u64, pairs: &[&[u8]]) {
    if cx.keys.replays() {
        let (mut time, mut count) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (time, count) = (time.format(at).as_bytes(), count.format(pairs.len() / 2).as_bytes());
        let words: &[&[u8]] = &[b"HSETEX", key, b"PXAT", time, b"FIELDS", count];
        cx.keys.replay_as(&[words, pairs].concat());
    }
}
