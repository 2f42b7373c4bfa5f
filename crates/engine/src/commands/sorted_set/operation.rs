//! Union, intersection and difference of sorted sets and plain sets.

use crate::commands::counted_keys::CountedKeys;
use crate::commands::prelude::*;
use crate::keyspace::Keyspace;
use crate::settings::Settings;
use moonshard_protocol::Reply;
use moonshard_store::{AddFlags, Collection, Scratch, Set, SortedSet, SortedSetIter, SortedSetLimits, Value};
use std::ops::ControlFlow;

/// What is operated on; the members of a plain set have the score 1.
#[derive(Clone, Copy)]
pub(super) enum Source<'k> {
    /// A key that is not there.
    Absent,
    Plain(&'k Set),
    Sorted(&'k SortedSet),
}

/// How scores of one member become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Min,
    Max,
}

/// The keys of an operation, and the index of the argument after them. `name` is that of the command.
pub(super) fn parse_keys<'a>(args: Args<'a>, index: usize, name: &str) -> Result<CountedKeys<'a>, Error> {
    let number = args.int(index)?;
    if number < 1 {
        return Err(Error::text(format!("ERR at least 1 input key is needed for '{name}' command")));
    }
    CountedKeys::of(args, index, number).ok_or(Error::SYNTAX)
}

/// Reads each of `names` once, and refuses those of other types.
pub(super) fn read_sources(keys: &mut Keyspace<'_>, names: &[&[u8]]) -> Result<(), Error> {
    for name in names {
        match keys.read(name).map(|entry| entry.collection()) {
            None | Some(Some(Collection::Set(_) | Collection::SortedSet(_))) => {}
            Some(_) => return Err(Error::WRONG_TYPE),
        }
    }
    Ok(())
}

/// The sources of these names, after [`read_sources`].
pub(super) fn sources<'k>(keys: &'k Keyspace<'_>, names: &[&[u8]]) -> Vec<Source<'k>> {
    let source = |name: &&[u8]| match keys.get(name).and_then(|entry| entry.collection()) {
        Some(Collection::Set(set)) => Source::Plain(set),
        Some(Collection::SortedSet(set)) => Source::Sorted(set),
        _ => Source::Absent,
    };
    names.iter().map(source).collect()
}

/// The options after the keys.
pub(super) struct Options {
    /// Factors of the scores, by source; empty when all are 1.
    weights: Vec<f64>,
    aggregate: Aggregate,
    pub(super) with_scores: bool,
}

impl Options {
    /// The options from `at` on. WEIGHTS and AGGREGATE are allowed if the operation has to do with scores of several
    /// sources, WITHSCORES if the result is replied.
    pub(super) fn parse(
        args: Args<'_>,
        keys: &CountedKeys<'_>,
        combines: bool,
        replies: bool,
    ) -> Result<Self, Error> {
        let count = keys.names.len();
        let mut options = Self { weights: Vec::new(), aggregate: Aggregate::Sum, with_scores: false };
        let mut at = keys.end;
        while at < args.len() {
            let rest = args.len() - at;
            if combines && rest > count && args.is(at, "WEIGHTS") {
                let weight =
                    |index| args.float(index).map_err(|_| Error::fixed("ERR weight value is not a float"));
                options.weights = (at + 1..=at + count).map(weight).collect::<Result<_, _>>()?;
                at += count + 1;
            } else if combines && rest >= 2 && args.is(at, "AGGREGATE") {
                options.aggregate = parse_aggregate(args, at + 1)?;
                at += 2;
            } else if replies && args.is(at, "WITHSCORES") {
                options.with_scores = true;
                at += 1;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(options)
    }

    /// The sources with their weights, smallest first: the order in which scores are summed is visible in the sum.
    fn weighted<'k>(&self, sources: &[Source<'k>]) -> Vec<(Source<'k>, f64)> {
        let weight = |at: usize| self.weights.get(at).copied().unwrap_or(1.0);
        let mut weighted: Vec<_> = sources.iter().enumerate().map(|(at, s)| (*s, weight(at))).collect();
        weighted.sort_by_key(|(source, _)| source.len());
        weighted
    }
}

fn parse_aggregate(args: Args<'_>, at: usize) -> Result<Aggregate, Error> {
    let words = [("SUM", Aggregate::Sum), ("MIN", Aggregate::Min), ("MAX", Aggregate::Max)];
    words.into_iter().find(|(word, _)| args.is(at, word)).map(|(_, found)| found).ok_or(Error::SYNTAX)
}

impl Aggregate {
    /// Two infinities that cancel each other sum up to 0.
    fn of(self, target: f64, value: f64) -> f64 {
        match self {
            Self::Sum => zero_if_nan(target + value),
            Self::Min if value < target => value,
            Self::Max if value > target => value,
            Self::Min | Self::Max => target,
        }
    }
}

fn zero_if_nan(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

impl<'k> Source<'k> {
    fn len(self) -> usize {
        match self {
            Self::Absent => 0,
            Self::Plain(set) => set.len(),
            Self::Sorted(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Absent => None,
            Self::Plain(set) => set.contains(member).then_some(1.0),
            Self::Sorted(set) => set.score(member),
        }
    }

    /// Visits all members with their scores, until `visit` breaks off.
    fn visit(self, mut visit: impl FnMut(&[u8], f64) -> ControlFlow<()>) {
        let _ = match self {
            Self::Absent => ControlFlow::Continue(()),
            Self::Plain(set) => {
                let mut scratch = Scratch::new();
                set.iter().try_for_each(|member| visit(member.bytes(&mut scratch), 1.0))
            }
            Self::Sorted(set) => set.iter().try_for_each(|(member, score)| visit(member, score)),
        };
    }
}

/// Collects a result: always in the large form, which alone tells the zeros apart.
struct Collector<'s> {
    set: SortedSet,
    settings: &'s Settings,
}

impl<'s> Collector<'s> {
    fn new(settings: &'s Settings) -> Self {
        Self { set: SortedSet::new(), settings }
    }

    fn put(&mut self, member: &[u8], score: f64) {
        let limits = SortedSetLimits { entries_max: 0, ..self.settings.sorted_set };
        self.set.add(member, score, AddFlags::default(), limits, self.settings.seed);
    }
}

/// The members of any source.
pub(super) fn union(sources: &[Source<'_>], options: &Options, settings: &Settings) -> SortedSet {
    let mut result = Collector::new(settings);
    for (source, weight) in options.weighted(sources) {
        source.visit(|member, score| {
            let score = zero_if_nan(weight * score);
            let score = match result.set.score(member) {
                Some(before) => options.aggregate.of(before, score),
                None => score,
            };
            result.put(member, score);
            ControlFlow::Continue(())
        });
    }
    result.set
}

/// The members of all sources.
pub(super) fn intersection(sources: &[Source<'_>], options: &Options, settings: &Settings) -> SortedSet {
    let mut result = Collector::new(settings);
    let weighted = options.weighted(sources);
    let Some(((smallest, weight), others)) = weighted.split_first() else { return result.set };
    smallest.visit(|member, score| {
        let mut combined = zero_if_nan(weight * score);
        for (other, weight) in others {
            let Some(score) = other.score(member) else { return ControlFlow::Continue(()) };
            combined = options.aggregate.of(combined, weight * score);
        }
        result.put(member, combined);
        ControlFlow::Continue(())
    });
    result.set
}

/// How many members all sources have, counted up to `limit` unless that is 0.
pub(super) fn count_common(sources: &[Source<'_>], limit: usize) -> usize {
    let mut sources = sources.to_vec();
    sources.sort_by_key(|source| source.len());
    let mut found = 0;
    let Some((smallest, others)) = sources.split_first() else { return found };
    smallest.visit(|member, _| {
        found += usize::from(others.iter().all(|other| other.score(member).is_some()));
        if found == limit && limit > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    found
}

/// The members of the first source that no other has, with their scores. O(members of the first * sources) or
/// O(members of all), whichever is less, and sorting.
pub(super) fn difference(sources: &[Source<'_>], settings: &Settings) -> SortedSet {
    let mut result = Collector::new(settings);
    let Some((first, others)) = sources.split_first() else { return result.set };
    let mut others = others.to_vec();
    let work_by_member = first.len() * (others.len() + 1) / 2;
    let work_by_source = sources.iter().map(|source| source.len()).sum::<usize>();
    if work_by_member <= work_by_source {
        // The larger a source, the likelier it has the member.
        others.sort_by_key(|source| std::cmp::Reverse(source.len()));
        first.visit(|member, score| {
            if others.iter().all(|other| other.score(member).is_none()) {
                result.put(member, score);
            }
            ControlFlow::Continue(())
        });
        return result.set;
    }
    first.visit(|member, score| {
        result.put(member, score);
        ControlFlow::Continue(())
    });
    for other in others {
        other.visit(|member, _| {
            result.set.remove(member);
            if result.set.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }
    result.set
}

/// Replies members, and their scores as pairs with them if asked for.
pub(super) fn reply_members(reply: &mut Reply, members: SortedSetIter<'_>, with_scores: bool) {
    if !with_scores {
        reply.array(members.len());
        return members.for_each(|(member, _)| reply.bulk(member));
    }
    reply.pairs(members.len());
    for (member, score) in members {
        reply.pair();
        reply.bulk(member);
        reply.double(score);
    }
}

/// Puts `result` under `destination` in place of whatever is there, which an empty result only removes.
pub(super) fn store(cx: &mut Ctx<'_>, destination: &[u8], mut result: SortedSet, event: &'static str) {
    let len = result.len();
    if len > 0 {
        result.compact_if_fits(cx.settings.sorted_set);
        cx.keys.put(destination, Value::Collection(Collection::SortedSet(result)), None);
        cx.keys.changed(EventClass::SORTED_SET, event, destination);
    } else if cx.keys.remove(destination) {
        cx.keys.changed(EventClass::GENERIC, "del", destination);
    }
    cx.reply.count(len);
}
