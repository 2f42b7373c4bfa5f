//! GEORADIUS, GEORADIUSBYMEMBER and their read-only forms.

use super::query::{Form, search};
use crate::command::{Begin, Find, KeyError, KeySpan, SpecSource};
use crate::commands::prelude::*;

pub(super) const GEORADIUS: Command = Command {
    handler: Handler::Shard(georadius),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS)), KeySpec::new(Begin::Keyword("STORE", 6), Find::Range { last: 0, step: 1, limit: 0 }, KeyFlags::OW.union(KeyFlags::UPDATE)), KeySpec::new(Begin::Keyword("STOREDIST", 6), Find::Range { last: 0, step: 1, limit: 0 }, KeyFlags::OW.union(KeyFlags::UPDATE))],
        key_source: SpecSource::Function(keys_of_georadius),
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double), Arg::new("radius", ArgKind::Double), Arg::new("unit", ArgKind::OneOf(&[Arg::word("m", "M"), Arg::word("km", "KM"), Arg::word("ft", "FT"), Arg::word("mi", "MI")])), Arg::word("withcoord", "WITHCOORD").optional(), Arg::word("withdist", "WITHDIST").optional(), Arg::word("withhash", "WITHHASH").optional(), Arg::new("count", ArgKind::Block(&[Arg::new("count", ArgKind::Int).token("COUNT"), Arg::word("any", "ANY").optional().since("6.2.0")])).optional(), Arg::new("order", ArgKind::OneOf(&[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")])).optional(), Arg::new("key", ArgKind::Key(1)).token("STORE").optional(), Arg::new("key", ArgKind::Key(2)).token("STOREDIST").optional()],
        group: "geo", since: "3.2.0",
        summary: "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a point",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        history: &[("6.2.0", "Added the `ANY` option for `COUNT`."), ("7.0.0", "Added support for uppercase unit names.")],
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
        ..Meta::new("georadius", Arity::AtLeast(6), Flags::WRITE.union(Flags::DENYOOM), Acl::GEO)
    },
}
.checked();

pub(super) const GEORADIUS_RO: Command = Command {
    handler: Handler::Shard(georadius_ro),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("longitude", ArgKind::Double), Arg::new("latitude", ArgKind::Double), Arg::new("radius", ArgKind::Double), Arg::new("unit", ArgKind::OneOf(&[Arg::word("m", "M"), Arg::word("km", "KM"), Arg::word("ft", "FT"), Arg::word("mi", "MI")])), Arg::word("withcoord", "WITHCOORD").optional(), Arg::word("withdist", "WITHDIST").optional(), Arg::word("withhash", "WITHHASH").optional(), Arg::new("count", ArgKind::Block(&[Arg::new("count", ArgKind::Int).token("COUNT"), Arg::word("any", "ANY").optional().since("6.2.0")])).optional(), Arg::new("order", ArgKind::OneOf(&[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")])).optional()],
        group: "geo", since: "3.2.10",
        summary: "A read-only variant for GEORADIUS",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        history: &[("6.2.0", "Added the `ANY` option for `COUNT`.")],
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`GEOSEARCH` with the `BYRADIUS` argument",
        ..Meta::new("georadius_ro", Arity::AtLeast(6), Flags::READONLY, Acl::GEO)
    },
}
.checked();

pub(super) const GEORADIUSBYMEMBER: Command = Command {
    handler: Handler::Shard(georadiusbymember),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS)), KeySpec::new(Begin::Keyword("STORE", 5), Find::Range { last: 0, step: 1, limit: 0 }, KeyFlags::OW.union(KeyFlags::UPDATE)), KeySpec::new(Begin::Keyword("STOREDIST", 5), Find::Range { last: 0, step: 1, limit: 0 }, KeyFlags::OW.union(KeyFlags::UPDATE))],
        key_source: SpecSource::Function(keys_of_georadiusbymember),
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String), Arg::new("radius", ArgKind::Double), Arg::new("unit", ArgKind::OneOf(&[Arg::word("m", "M"), Arg::word("km", "KM"), Arg::word("ft", "FT"), Arg::word("mi", "MI")])), Arg::word("withcoord", "WITHCOORD").optional(), Arg::word("withdist", "WITHDIST").optional(), Arg::word("withhash", "WITHHASH").optional(), Arg::new("count", ArgKind::Block(&[Arg::new("count", ArgKind::Int).token("COUNT"), Arg::word("any", "ANY").optional()])).optional(), Arg::new("order", ArgKind::OneOf(&[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")])).optional(), Arg::new("key", ArgKind::Key(1)).token("STORE").optional(), Arg::new("key", ArgKind::Key(2)).token("STOREDIST").optional()],
        group: "geo", since: "3.2.0",
        summary: "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a member",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        history: &[("7.0.0", "Added support for uppercase unit names.")],
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        ..Meta::new("georadiusbymember", Arity::AtLeast(5), Flags::WRITE.union(Flags::DENYOOM), Acl::GEO)
    },
}
.checked();

pub(super) const GEORADIUSBYMEMBER_RO: Command = Command {
    handler: Handler::Shard(georadiusbymember_ro),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS))],
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("member", ArgKind::String), Arg::new("radius", ArgKind::Double), Arg::new("unit", ArgKind::OneOf(&[Arg::word("m", "M"), Arg::word("km", "KM"), Arg::word("ft", "FT"), Arg::word("mi", "MI")])), Arg::word("withcoord", "WITHCOORD").optional(), Arg::word("withdist", "WITHDIST").optional(), Arg::word("withhash", "WITHHASH").optional(), Arg::new("count", ArgKind::Block(&[Arg::new("count", ArgKind::Int).token("COUNT"), Arg::word("any", "ANY").optional()])).optional(), Arg::new("order", ArgKind::OneOf(&[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")])).optional()],
        group: "geo", since: "3.2.10",
        summary: "A read-only variant for GEORADIUSBYMEMBER",
        complexity: "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
        doc_flags: DocFlags::DEPRECATED,
        deprecated_since: "6.2.0",
        replaced_by: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
        ..Meta::new("georadiusbymember_ro", Arity::AtLeast(5), Flags::READONLY, Acl::GEO)
    },
}
.checked();

fn georadius(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    search(cx, args, Form::Radius { may_store: true })
}

fn georadius_ro(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    search(cx, args, Form::Radius { may_store: false })
}

fn georadiusbymember(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    search(cx, args, Form::RadiusByMember { may_store: true })
}

fn georadiusbymember_ro(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    search(cx, args, Form::RadiusByMember { may_store: false })
}

fn keys_of_georadius(args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
    keys(args, 6, visit)
}

fn keys_of_georadiusbymember(args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
    keys(args, 5, visit)
}

/// The source, and the targets as the command itself reads them from the options, which begin at `options`: it stores
/// into the last one where there are several, while the key specs name the first.
fn keys(args: Args<'_>, options: usize, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
    visit(KeySpan { index: 1, flags: KeyFlags::RO.union(KeyFlags::ACCESS) });
    for word in ["STORE", "STOREDIST"] {
        let mut at = options;
        while at + 1 < args.len() {
            if args.is(at, word) {
                visit(KeySpan { index: at + 1, flags: KeyFlags::OW.union(KeyFlags::UPDATE) });
            }
            at += if args.is(at, "STORE") || args.is(at, "STOREDIST") { 2 } else { 1 };
        }
    }
    Ok(())
}
