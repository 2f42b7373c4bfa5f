//! GEOHASH.

use super::cell::{Cell, STEP_MAX};
use super::position::Position;
use crate::commands::prelude::*;
use moonshard_store::SortedSet;

pub(super) const GEOHASH: Command = Command {
    handler: Handler::Shard(geohash),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String).multiple()],
        group: "geo", since: "3.2.0",
        summary: "Returns members of a geospatial index as standard geohash strings",
        complexity: "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
        ..Meta::new("geohash", Arity::AtLeast(2), Flags::READONLY, Acl::GEO)
    },
}
.checked();

fn geohash(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let set = cx.keys.read_as::<SortedSet>(args.raw(1))?;
    let members = args.from(2);
    cx.reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => cx.reply.bulk(&text(Position::of_score(score))),
            None => cx.reply.null(),
        }
    }
    DONE
}

/// The position as geohashes are written: five bits a character. The eleventh would need more bits than there are.
fn text(position: Position) -> [u8; 11] {
    const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let bits = Cell::around_in_whole_world(position, STEP_MAX).bits();
    let mut text = [ALPHABET[0]; 11];
    for (character, at) in text[..10].iter_mut().zip(1..) {
        *character = ALPHABET[(bits >> (2 * STEP_MAX - 5 * at) & 0x1f) as usize];
    }
    text
}
