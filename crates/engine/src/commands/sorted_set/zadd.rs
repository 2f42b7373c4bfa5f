//! ZADD and ZINCRBY.

use crate::commands::prelude::*;
use moonshard_store::{AddFlags, AddOutcome, SortedSet};

pub(super) const ZADD: Command = Command {
    handler: Handler::Shard(zadd),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("condition", ArgKind::OneOf(&[Arg::word("nx", "NX"), Arg::word("xx", "XX")]))
                .optional()
                .since("3.0.2"),
            Arg::new("comparison", ArgKind::OneOf(&[Arg::word("gt", "GT"), Arg::word("lt", "LT")]))
                .optional()
                .since("6.2.0"),
            Arg::word("change", "CH").optional().since("3.0.2"),
            Arg::word("increment", "INCR").optional().since("3.0.2"),
            Arg::new(
                "score_member",
                ArgKind::Block(&[Arg::new("score", ArgKind::Double), Arg::new("member", ArgKind::String)]),
            )
            .multiple(),
        ],
        group: "sorted-set",
        since: "1.2.0",
        summary: "Add one or more members to a sorted set, or update its score if it already exists",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        history: &[
            ("2.4.0", "Accepts multiple elements."),
            ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
            ("6.2.0", "Added the `GT` and `LT` options."),
        ],
        ..Meta::new(
            "zadd",
            Arity::AtLeast(4),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::SORTEDSET,
        )
    },
}
.checked();

pub(super) const ZINCRBY: Command = Command {
    handler: Handler::Shard(zincrby),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("increment", ArgKind::Int),
            Arg::new("member", ArgKind::String),
        ],
        group: "sorted-set",
        since: "1.2.0",
        summary: "Increment the score of a member in a sorted set",
        complexity: "O(log(N)) where N is the number of elements in the sorted set.",
        ..Meta::new(
            "zincrby",
            Arity::Exact(4),
            Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
            Acl::SORTEDSET,
        )
    },
}
.checked();

/// The options before the scores.
#[derive(Default)]
struct Options {
    flags: AddFlags,
    /// Whether changed scores are counted in the reply, beside new members.
    count_changed: bool,
    /// The index of the first score.
    scores: usize,
}

fn parse(args: Args<'_>, incr: bool) -> Result<Options, Error> {
    let mut options = Options { scores: 2, ..Options::default() };
    let flags = &mut options.flags;
    flags.incr = incr;
    while options.scores < args.len() {
        let at = options.scores;
        // A score starts with none of the options' letters, but for the `i` of `inf`.
        match args.raw(at).first().map(u8::to_ascii_lowercase) {
            Some(b'n') if args.is(at, "NX") => flags.nx = true,
            Some(b'x') if args.is(at, "XX") => flags.xx = true,
            Some(b'c') if args.is(at, "CH") => options.count_changed = true,
            Some(b'i') if args.is(at, "INCR") => flags.incr = true,
            Some(b'g') if args.is(at, "GT") => flags.gt = true,
            Some(b'l') if args.is(at, "LT") => flags.lt = true,
            _ => break,
        }
        options.scores += 1;
    }
    let rest = args.len() - options.scores;
    if rest == 0 || rest % 2 == 1 {
        return Err(Error::SYNTAX);
    }
    let AddFlags { nx, xx, gt, lt, incr } = *flags;
    if nx && xx {
        return Err(Error::fixed("ERR XX and NX options at the same time are not compatible"));
    }
    if (nx && (gt || lt)) || (gt && lt) {
        return Err(Error::fixed("ERR GT, LT, and/or NX options at the same time are not compatible"));
    }
    if incr && rest > 2 {
        return Err(Error::fixed("ERR INCR option supports a single increment-element pair"));
    }
    Ok(options)
}

fn zadd(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    add(cx, args, &parse(args, false)?)
}

fn zincrby(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    add(cx, args, &parse(args, true)?)
}

fn add(cx: &mut Ctx<'_>, args: Args<'_>, options: &Options) -> CmdResult {
    let (key, flags) = (args.raw(1), options.flags);
    let pairs = args.from(options.scores).chunks_exact(2).len();
    if pairs == 1 {
        return add_one(cx, args, options);
    }
    // All scores are looked at before the first is stored, and read again then: nothing has to be kept.
    for pair in 0..pairs {
        args.float(options.scores + 2 * pair)?;
    }
    let (limits, seed) = (cx.settings.sorted_set, cx.settings.seed);
    let Some(set) = set_to_change(cx, key, flags)? else {
        cx.reply.int(0);
        return DONE;
    };
    let (mut added, mut updated) = (0, 0);
    for at in (options.scores..args.len()).step_by(2) {
        match set.add(args.raw(at + 1), args.float(at)?, flags, limits, seed) {
            AddOutcome::Added(_) => added += 1,
            AddOutcome::Updated(_) => updated += 1,
            AddOutcome::Unchanged(_) | AddOutcome::Skipped | AddOutcome::NotANumber => {}
        }
    }
    if added + updated > 0 {
        cx.keys.changed(EventClass::SORTED_SET, "zadd", key);
    }
    cx.reply.int(if options.count_changed { added + updated } else { added });
    DONE
}

fn add_one(cx: &mut Ctx<'_>, args: Args<'_>, options: &Options) -> CmdResult {
    let (key, flags) = (args.raw(1), options.flags);
    let (score, member) = (args.float(options.scores)?, args.raw(options.scores + 1));
    let (limits, seed) = (cx.settings.sorted_set, cx.settings.seed);
    let outcome = match set_to_change(cx, key, flags)? {
        Some(set) => set.add(member, score, flags, limits, seed),
        None => AddOutcome::Skipped,
    };
    let (added, updated, score) = match outcome {
        AddOutcome::Added(score) => (true, false, Some(score)),
        AddOutcome::Updated(score) => (false, true, Some(score)),
        AddOutcome::Unchanged(score) => (false, false, Some(score)),
        AddOutcome::Skipped => (false, false, None),
        AddOutcome::NotANumber => {
            return Err(Error::fixed("ERR resulting score is not a number (NaN)"));
        }
    };
    if added || updated {
        let event = if flags.incr { "zincr" } else { "zadd" };
        cx.keys.changed(EventClass::SORTED_SET, event, key);
    }
    match score {
        _ if !flags.incr => cx.reply.int(i64::from(added || (updated && options.count_changed))),
        Some(score) => cx.reply.double(score),
        None => cx.reply.null(),
    }
    DONE
}

/// The sorted set at `key`, made unless only members that are there may change.
fn set_to_change<'k>(
    cx: &'k mut Ctx<'_>,
    key: &[u8],
    flags: AddFlags,
) -> Result<Option<&'k mut SortedSet>, Error> {
    if flags.xx { cx.keys.write_as(key) } else { cx.keys.create_as(key).map(Some) }
}
