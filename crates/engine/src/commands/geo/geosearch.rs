//! GEOSEARCH and GEOSEARCHSTORE.

use super::query::{Form, search};
use crate::commands::prelude::*;

pub(super) const GEOSEARCH: Command = Command {
    handler: Handler::Shard(geosearch),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("from", ArgKind::OneOf(&[Arg::new("member", ArgKind::String).token("FROMMEMBER"), Arg::new("longitude_latitude", ArgKind::Block(&[Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double)])).token("FROMLONLAT")])), Arg::new("by", ArgKind::OneOf(&[Arg::new("circle", ArgKind::Block(&[Arg::new("radius", ArgKind::Double).token("BYRADIUS"), Arg::new("unit", ArgKind::OneOf(&[Arg::word("m", "M"), Arg::word("km", "KM"), Arg::word("ft", "FT"), Arg::word("mi", "MI")]))])), Arg::new("box", ArgKind::Block(&[Arg::new("width", ArgKind::Double).token("BYBOX"), Arg::new("height", ArgKind::Double), Arg::new("unit", ArgKind::OneOf(&[Arg::word("m", "M"), Arg::word("km", "KM"), Arg::word("ft", "FT"), Arg::word("mi", "MI")]))]))])), Arg::new("order", ArgKind::OneOf(&[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")])).optional(), Arg::new("count", ArgKind::Block(&[Arg::new("count", ArgKind::Int).token("COUNT"), Arg::word("any", "ANY").optional()])).optional(), Arg::word("withcoord", "WITHCOORD").optional(), Arg::word("withdist", "WITHDIST").optional(), Arg::word("withhash", "WITHHASH").optional()],
        group: "geo", since: "6.2.0",
        summary: "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle.",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        ..Meta::new("geosearch", Arity::AtLeast(7), Flags::READONLY, Acl::GEO)
    },
}
.checked();

pub(super) const GEOSEARCHSTORE: Command = Command {
    handler: Handler::Shard(geosearchstore),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::OW.union(KeyFlags::UPDATE)), KeySpec::one(2, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("destination", ArgKind::Key(0)), Arg::new("source", ArgKind::Key(1)), Arg::new("from", ArgKind::OneOf(&[Arg::new("member", ArgKind::String).token("FROMMEMBER"), Arg::new("longitude_latitude", ArgKind::Block(&[Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double)])).token("FROMLONLAT")])), Arg::new("by", ArgKind::OneOf(&[Arg::new("circle", ArgKind::Block(&[Arg::new("radius", ArgKind::Double).token("BYRADIUS"), Arg::new("unit", ArgKind::OneOf(&[Arg::word("m", "M"), Arg::word("km", "KM"), Arg::word("ft", "FT"), Arg::word("mi", "MI")]))])), Arg::new("box", ArgKind::Block(&[Arg::new("width", ArgKind::Double).token("BYBOX"), Arg::new("height", ArgKind::Double), Arg::new("unit", ArgKind::OneOf(&[Arg::word("m", "M"), Arg::word("km", "KM"), Arg::word("ft", "FT"), Arg::word("mi", "MI")]))]))])), Arg::new("order", ArgKind::OneOf(&[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")])).optional(), Arg::new("count", ArgKind::Block(&[Arg::new("count", ArgKind::Int).token("COUNT"), Arg::word("any", "ANY").optional()])).optional(), Arg::word("storedist", "STOREDIST").optional()],
        group: "geo", since: "6.2.0",
        summary: "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle, and store the result in another key.",
        complexity: "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        ..Meta::new("geosearchstore", Arity::AtLeast(8), Flags::WRITE.union(Flags::DENYOOM), Acl::GEO)
    },
}
.checked();

fn geosearch(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    search(cx, args, Form::Search)
}

fn geosearchstore(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    search(cx, args, Form::SearchStore)
}
