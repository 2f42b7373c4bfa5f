//! Searches: what all commands that look for places around one have in common.

use super::extent::{Extent, Shape};
use super::geopos::reply_position;
use super::position::Position;
use super::sort_first::sort_first;
use super::unit::{parse_length, parse_unit, reply_distance};
use crate::commands::prelude::*;
use moonshard_protocol::Reply;
use moonshard_store::{AddFlags, Collection, SortedSet, Value};
use std::cmp::Ordering;

/// How a command's arguments are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `key longitude latitude radius unit` and options.
    Radius { may_store: bool },
    /// `key member radius unit` and options.
    RadiusByMember { may_store: bool },
    /// `key` and options.
    Search,
    /// `target key` and options.
    SearchStore,
}

impl Form {
    /// The argument with the sorted set's key.
    fn source(self) -> usize {
        if self == Self::SearchStore { 2 } else { 1 }
    }

    /// The argument that the options begin at.
    fn options(self) -> usize {
        match self {
            Self::Radius { .. } => 6,
            Self::RadiusByMember { .. } => 5,
            Self::Search => 2,
            Self::SearchStore => 3,
        }
    }

    /// Whether the options tell what is searched.
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }

    /// Whether STORE and STOREDIST are options with a key.
    fn takes_target(self) -> bool {
        matches!(self, Self::Radius { may_store: true } | Self::RadiusByMember { may_store: true })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// What a command asks for.
struct Query<'a> {
    /// The middle; without a sorted set it may be a member that nobody can tell the place of.
    center: Option<Position>,
    from_member: bool,
    extent: Option<Extent>,
    with_distance: bool,
    with_hash: bool,
    with_position: bool,
    order: Option<Order>,
    /// The most places wanted.
    count: Option<usize>,
    /// Whether any will do, rather than the nearest.
    any: bool,
    /// Where the result goes.
    target: Option<&'a [u8]>,
    /// Whether distances become its scores.
    store_distances: bool,
}

impl<'a> Query<'a> {
    /// Reads the arguments; `set` is where members have their places.
    fn parse(args: Args<'a>, form: Form, set: Option<&SortedSet>) -> Result<Self, Error> {
        let mut query = Query {
            center: None,
            from_member: false,
            extent: None,
            with_distance: false,
            with_hash: false,
            with_position: false,
            order: None,
            count: None,
            any: false,
            target: (form == Form::SearchStore).then(|| args.raw(1)),
            store_distances: false,
        };
        match form {
            Form::Radius { .. } => {
                query.center = Some(Position::parse(args, 2)?);
                query.extent = Some(parse_circle(args, 4)?);
            }
            Form::RadiusByMember { .. } if set.is_some() => {
                query.center = place_of(set, args.raw(2))?;
                query.extent = Some(parse_circle(args, 3)?);
            }
            _ => {}
        }
        let mut at = form.options();
        while at < args.len() {
            at += query.parse_option(args, at, form, set)?;
        }
        query.check(args, form)?;
        Ok(query)
    }

    /// Reads the option at `at`; how many arguments it has.
    fn parse_option(
        &mut self,
        args: Args<'a>,
        at: usize,
        form: Form,
        set: Option<&SortedSet>,
    ) -> Result<usize, Error> {
        let left = args.len() - at - 1;
        if args.is(at, "WITHDIST") {
            self.with_distance = true;
        } else if args.is(at, "WITHHASH") {
            self.with_hash = true;
        } else if args.is(at, "WITHCOORD") {
            self.with_position = true;
        } else if args.is(at, "ANY") {
            self.any = true;
        } else if args.is(at, "ASC") {
            self.order = Some(Order::Nearest);
        } else if args.is(at, "DESC") {
            self.order = Some(Order::Farthest);
        } else if args.is(at, "COUNT") && left >= 1 {
            let count = usize::try_from(args.int(at + 1)?).ok().filter(|&count| count > 0);
            self.count = Some(count.ok_or(Error::fixed("ERR COUNT must be > 0"))?);
            return Ok(2);
        } else if form.takes_target() && left >= 1 && (args.is(at, "STORE") || args.is(at, "STOREDIST")) {
            self.target = args.get(at + 1);
            self.store_distances = args.is(at, "STOREDIST");
            return Ok(2);
        } else if form == Form::SearchStore && args.is(at, "STOREDIST") {
            self.store_distances = true;
        } else if form.is_search() {
            return self.parse_area(args, at, set);
        } else {
            return Err(Error::SYNTAX);
        }
        Ok(1)
    }

    /// Reads an option that tells what is searched.
    fn parse_area(&mut self, args: Args<'a>, at: usize, set: Option<&SortedSet>) -> Result<usize, Error> {
        let left = args.len() - at - 1;
        let from_position = self.center.is_some() && !self.from_member;
        let shape = self.extent.map(|extent| extent.shape);
        if args.is(at, "FROMMEMBER") && left >= 1 && !from_position {
            self.from_member = true;
            self.center = place_of(set, args.raw(at + 1))?;
            Ok(2)
        } else if args.is(at, "FROMLONLAT") && left >= 2 && !self.from_member {
            self.center = Some(Position::parse(args, at + 1)?);
            Ok(3)
        } else if args.is(at, "BYRADIUS") && left >= 2 && !matches!(shape, Some(Shape::Box { .. })) {
            self.extent = Some(parse_circle(args, at + 1)?);
            Ok(3)
        } else if args.is(at, "BYBOX") && left >= 3 && !matches!(shape, Some(Shape::Circle { .. })) {
            self.extent = Some(parse_box(args, at + 1)?);
            Ok(4)
        } else {
            Err(Error::SYNTAX)
        }
    }

    /// Refuses options that do not go together, or lack one.
    fn check(&self, args: Args<'_>, form: Form) -> Result<(), Error> {
        if self.target.is_some() && (self.with_distance || self.with_hash || self.with_position) {
            let what = if form == Form::SearchStore { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            return Err(Error::text(format!(
                "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        let exactly_one = |of: &str| {
            let text = format!("ERR exactly one of {of} can be specified for ");
            Err(Error::bytes([text.as_bytes(), args.raw(0)].concat()))
        };
        if form.is_search() && self.center.is_none() && !self.from_member {
            return exactly_one("FROMMEMBER or FROMLONLAT");
        }
        if form.is_search() && self.extent.is_none() {
            return exactly_one("BYRADIUS and BYBOX");
        }
        if self.any && self.count.is_none() {
            return Err(Error::fixed("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// The places asked for, in the order asked for.
    fn places<'s>(&self, set: &'s SortedSet) -> Vec<Place<'s>> {
        let (Some(center), Some(extent)) = (self.center, self.extent) else { return Vec::new() };
        let limit = self.count.filter(|_| self.any).unwrap_or(usize::MAX);
        let mut places = find(set, center, extent, limit);
        let wanted = self.count.map_or(places.len(), |count| count.min(places.len()));
        // Without an order the first of many would be none in particular.
        let order = self.order.or((self.count.is_some() && !self.any).then_some(Order::Nearest));
        match order {
            Some(Order::Nearest) => sort(&mut places, wanted, &Place::nearer),
            Some(Order::Farthest) => sort(&mut places, wanted, &|a: &Place<'_>, b: &Place<'_>| b.nearer(a)),
            None => {}
        }
        places.truncate(wanted);
        for place in &mut places {
            place.distance /= extent.metres;
        }
        places
    }

    fn reply(&self, reply: &mut Reply, places: &[Place<'_>]) {
        let options = [self.with_distance, self.with_hash, self.with_position];
        let details = options.iter().filter(|&&with| with).count();
        reply.array(places.len());
        for place in places {
            if details > 0 {
                reply.array(details + 1);
            }
            reply.bulk(place.member);
            if self.with_distance {
                reply_distance(reply, place.distance);
            }
            if self.with_hash {
                reply.int(place.score as i64);
            }
            if self.with_position {
                reply_position(reply, place.position);
            }
        }
    }
}

/// A place that was found.
struct Place<'s> {
    member: &'s [u8],
    score: f64,
    position: Position,
    /// From the middle of the search.
    distance: f64,
}

impl Place<'_> {
    fn nearer(&self, other: &Self) -> Ordering {
        self.distance.partial_cmp(&other.distance).unwrap_or(Ordering::Equal)
    }
}

/// Where a member is; `None` if there is no sorted set.
fn place_of(set: Option<&SortedSet>, member: &[u8]) -> Result<Option<Position>, Error> {
    let Some(set) = set else { return Ok(None) };
    match set.score(member) {
        Some(score) => Ok(Some(Position::of_score(score))),
        None => Err(Error::fixed("ERR could not decode requested zset member")),
    }
}

/// Reads `radius unit`.
fn parse_circle(args: Args<'_>, at: usize) -> Result<Extent, Error> {
    let radius = parse_length(args, at, "ERR need numeric radius")?;
    if radius < 0.0 {
        return Err(Error::fixed("ERR radius cannot be negative"));
    }
    Ok(Extent { shape: Shape::Circle { radius }, metres: parse_unit(args, at + 1)? })
}

/// Reads `width height unit`.
fn parse_box(args: Args<'_>, at: usize) -> Result<Extent, Error> {
    let width = parse_length(args, at, "ERR need numeric width")?;
    let height = parse_length(args, at + 1, "ERR need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return Err(Error::fixed("ERR height or width cannot be negative"));
    }
    Ok(Extent { shape: Shape::Box { width, height }, metres: parse_unit(args, at + 2)? })
}

/// The places within reach, at most `limit`, in the order of their cells.
fn find(set: &SortedSet, center: Position, extent: Extent, limit: usize) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    let mut last = None;
    for (at, cell) in extent.cover(center).into_iter().enumerate() {
        let Some(cell) = cell else { continue };
        // Over large parts of the world neighbours are the same; only what follows another than the first is skipped.
        if last == Some(cell) {
            continue;
        }
        if at > 0 {
            last = Some(cell);
        }
        if places.len() >= limit {
            break;
        }
        for (member, score) in set.iter_ranks(set.ranks_by_score(&cell.scores()), false) {
            let position = Position::of_score(score);
            if let Some(distance) = extent.reaches(center, position) {
                places.push(Place { member, score, position, distance });
                if places.len() >= limit {
                    break;
                }
            }
        }
    }
    places
}

/// Sorts all places and leaves equal ones in their order, or only the first, as Redis does.
fn sort<'s>(places: &mut [Place<'s>], wanted: usize, compare: &impl Fn(&Place<'s>, &Place<'s>) -> Ordering) {
    if wanted == places.len() {
        places.sort_by(compare);
    } else {
        sort_first(places, wanted, compare);
    }
}

/// Runs a search.
pub(super) fn search(cx: &mut Ctx<'_>, args: Args<'_>, form: Form) -> CmdResult {
    let set = cx.keys.read_as::<SortedSet>(args.raw(form.source()))?;
    let query = Query::parse(args, form, set)?;
    let places = set.map(|set| query.places(set)).unwrap_or_default();
    let Some(target) = query.target else {
        query.reply(cx.reply, &places);
        return DONE;
    };
    let mut result = SortedSet::new();
    let (limits, seed) = (cx.settings.sorted_set, cx.settings.seed);
    for place in &places {
        let score = if query.store_distances { place.distance } else { place.score };
        result.add(place.member, score, AddFlags::default(), limits, seed);
    }
    cx.reply.count(places.len());
    if !result.is_empty() {
        let event = if form.is_search() { "geosearchstore" } else { "georadiusstore" };
        cx.keys.put(target, Value::Collection(Collection::SortedSet(result)), None);
        cx.keys.changed(EventClass::SORTED_SET, event, target);
    } else if cx.keys.remove(target) {
        cx.keys.changed(EventClass::GENERIC, "del", target);
    }
    DONE
}
