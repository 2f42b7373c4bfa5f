//! GEOPOS.

use super::position::Position;
use crate::commands::prelude::*;
use moonshard_protocol::Reply;
use moonshard_store::SortedSet;

pub(super) const GEOPOS: Command = Command {
    handler: Handler::Shard(geopos),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String).multiple()],
        group: "geo",
        since: "3.2.0",
        summary: "Returns longitude and latitude of members of a geospatial index",
        complexity: "O(N) where N is the number of members requested.",
        ..Meta::new("geopos", Arity::AtLeast(2), Flags::READONLY, Acl::GEO)
    },
}
.checked();

fn geopos(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    let set = cx.keys.read_as::<SortedSet>(args.raw(1))?;
    let members = args.from(2);
    cx.reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => reply_position(cx.reply, Position::of_score(score)),
            None => cx.reply.null_array(),
        }
    }
    DONE
}

/// Replies longitude and latitude.
pub(super) fn reply_position(reply: &mut Reply, position: Position) {
    reply.array(2);
    reply.fixed_double(position.longitude);
    reply.fixed_double(position.latitude);
}
