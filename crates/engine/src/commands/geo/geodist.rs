//! GEODIST.

use super::position::Position;
use super::unit::{parse_unit, reply_distance};
use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const GEODIST: Command = Command {
    handler: Handler::Shard(geodist),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[
            Arg::new("key", ArgKind::Key(0)),
            Arg::new("member1", ArgKind::String),
            Arg::new("member2", ArgKind::String),
            Arg::new(
                "unit",
                ArgKind::OneOf(&[
                    Arg::word("m", "M"),
                    Arg::word("km", "KM"),
                    Arg::word("ft", "FT"),
                    Arg::word("mi", "MI"),
                ]),
            )
            .optional(),
        ],
        group: "geo",
        since: "3.2.0",
        summary: "Returns the distance between two members of a geospatial index",
        complexity: "O(log(N))",
        ..Meta::new("geodist", Arity::AtLeast(4), Flags::READONLY, Acl::GEO)
    },
}
.checked();

fn geodist(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let metres = match args.len() {
        ..=4 => 1.0,
        5 => parse_unit(args, 4)?,
        _ => return Err(Error::SYNTAX),
    };
    let set = cx.keys.read_as::<SortedSet>(args.raw(1))?;
    let position = |member| set.and_then(|set| set.score(member)).map(Position::of_score);
    match (position(args.raw(2)), position(args.raw(3))) {
        (Some(from), Some(to)) => reply_distance(cx.reply, from.distance(to) / metres),
        _ => cx.reply.null(),
    }
    DONE
}
