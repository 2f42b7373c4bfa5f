//! GEOADD.

use super::position::Position;
use crate::commands::prelude::*;
use moonshard_store::{AddFlags, AddOutcome, SortedSet};

pub(super) const GEOADD: Command = Command {
    handler: Handler::Shard(geoadd),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::UPDATE))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("condition", ArgKind::OneOf(&[Arg::word("nx", "NX"), Arg::word("xx", "XX")]))
                .optional()
                .since("6.2.0"),
            Arg::word("change", "CH").optional().since("6.2.0"),
            Arg::new(
                "longitude_latitude_member",
                ArgKind::Block(&[
                    Arg::new("longitude", ArgKind::Double),
                    Arg::new("latitude", ArgKind::Double),
                    Arg::new("member", ArgKind::String),
                ]),
            )
            .multiple(),
        ],
        group: "geo",
        since: "3.2.0",
        summary: "Add one or more geospatial items in the geospatial index represented using a sorted set",
        complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        history: &[("6.2.0", "Added the `CH`, `NX` and `XX` options.")],
        ..Meta::new("geoadd", Arity::AtLeast(5), Flags::WRITE.union(Flags::DENYOOM), Acl::GEO)
    },
}
.checked();

/// Arguments of one place: longitude, latitude, member.
const PLACE: usize = 3;

#[derive(Default)]
struct Options {
    flags: AddFlags,
    count_changed: bool,
    /// The argument that the places begin at.
    places: usize,
}

fn parse(args: Args<'_>) -> Result<Options, Error> {
    let mut options = Options { places: 2, ..Options::default() };
    loop {
        if args.is(options.places, "NX") {
            options.flags.nx = true;
        } else if args.is(options.places, "XX") {
            options.flags.xx = true;
        } else if args.is(options.places, "CH") {
            options.count_changed = true;
        } else {
            break;
        }
        options.places += 1;
    }
    let places = args.from(options.places).len();
    if places == 0 || !places.is_multiple_of(PLACE) || (options.flags.nx && options.flags.xx) {
        return Err(Error::SYNTAX);
    }
    Ok(options)
}

/// Says the call as ZADD, with the scores that the positions have become, as Redis does.
fn replay(cx: &mut Ctx<'_>, args: Args<'_>, places: usize) -> Result<(), Error> {
    if !cx.keys.replays() {
        return Ok(());
    }
    let mut scores = Vec::new();
    for at in (places..args.len()).step_by(PLACE) {
        scores.push(itoa::Buffer::new().format(Position::parse(args, at)?.score() as u64).to_owned());
    }
    let mut words: Vec<&[u8]> = vec![b"zadd"];
    words.extend_from_slice(args.all().get(1..places).unwrap_or_default());
    for (score, at) in scores.iter().zip((places..).step_by(PLACE)) {
        words.extend_from_slice(&[score.as_bytes(), args.raw(at + 2)]);
    }
    cx.keys.replay_as(&words);
    Ok(())
}

fn geoadd(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let Options { flags, count_changed, places } = parse(args)?;
    // All positions are looked at before the first is stored, and read again then: nothing has to be kept.
    for at in (places..args.len()).step_by(PLACE) {
        Position::parse(args, at)?;
    }
    let (key, limits, seed) = (args.raw(1), cx.settings.sorted_set, cx.settings.seed);
    let set: Option<&mut SortedSet> =
        if flags.xx { cx.keys.write_as(key)? } else { Some(cx.keys.create_as(key)?) };
    let (mut added, mut updated) = (0, 0);
    if let Some(set) = set {
        for at in (places..args.len()).step_by(PLACE) {
            let score = Position::parse(args, at)?.score();
            match set.add(args.raw(at + 2), score, flags, limits, seed) {
                AddOutcome::Added(_) => added += 1,
                AddOutcome::Updated(_) => updated += 1,
                AddOutcome::Unchanged(_) | AddOutcome::Skipped | AddOutcome::NotANumber => {}
            }
        }
    }
    if added + updated > 0 {
        cx.keys.changed(EventClass::SORTED_SET, "zadd", key);
        replay(cx, args, places)?;
    }
    cx.reply.int(if count_changed { added + updated } else { added });
    DONE
}
