//! SORT and SORT_RO.

mod options;
mod order;
mod pattern;
#[cfg(test)]
mod tests;

use crate::command::{Begin, Find, KeyError, KeySpan, SpecSource};
use crate::commands::prelude::*;
use crate::keyspace::Keyspace;
use moonshard_store::number::parse_weight;
use moonshard_store::{Collection, Element, End, List, ListLimits, Scratch, Value, ValueRef};
use options::{Options, Patterns, keys_of_sort, reaches_other_slots};
use order::{by_text, by_weight, by_weight_text};
use pattern::Pattern;

pub(super) const SORT: Command = Command {
    handler: Handler::Shard(sort),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS)), KeySpec::new(Begin::Unknown, Find::Unknown, KeyFlags::RO.union(KeyFlags::ACCESS)).notes("For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort"), KeySpec::new(Begin::Unknown, Find::Unknown, KeyFlags::OW.union(KeyFlags::UPDATE)).notes("For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array")],
        key_source: SpecSource::Function(keys_of_sort),
        widens: reaches_other_slots,
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("pattern", ArgKind::KeyPattern(1)).token("BY").optional(), Arg::new("offset_count", ArgKind::Block(&[Arg::new("offset", ArgKind::Int), Arg::new("count", ArgKind::Int)])).token("LIMIT").optional(), Arg::new("pattern", ArgKind::KeyPattern(1)).token("GET").optional().multiple().multiple_token(), Arg::new("order", ArgKind::OneOf(&[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")])).optional(), Arg::word("sorting", "ALPHA").optional(), Arg::new("destination", ArgKind::Key(2)).token("STORE").optional()],
        group: "generic", since: "1.0.0",
        summary: "Sort the elements in a list, set or sorted set",
        complexity: "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).",
        ..Meta::new("sort", Arity::AtLeast(2), Flags::WRITE.union(Flags::DENYOOM), Acl::SET.union(Acl::SORTEDSET).union(Acl::LIST).union(Acl::DANGEROUS))
    },
}
.checked();

pub(super) const SORT_RO: Command = Command {
    handler: Handler::Shard(sort_ro),
    meta: Meta {
        keys: &[KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS)), KeySpec::new(Begin::Unknown, Find::Unknown, KeyFlags::RO.union(KeyFlags::ACCESS)).notes("For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort")],
        key_source: SpecSource::Function(keys_of_sort_ro),
        widens: reaches_other_slots,
        args: &[Arg::new("key", ArgKind::Key(0)), Arg::new("pattern", ArgKind::KeyPattern(1)).token("BY").optional(), Arg::new("offset_count", ArgKind::Block(&[Arg::new("offset", ArgKind::Int), Arg::new("count", ArgKind::Int)])).token("LIMIT").optional(), Arg::new("pattern", ArgKind::KeyPattern(1)).token("GET").optional().multiple().multiple_token(), Arg::new("order", ArgKind::OneOf(&[Arg::word("asc", "ASC"), Arg::word("desc", "DESC")])).optional(), Arg::word("sorting", "ALPHA").optional()],
        group: "generic", since: "7.0.0",
        summary: "Sort the elements in a list, set or sorted set. Read-only variant of SORT.",
        complexity: "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).",
        ..Meta::new("sort_ro", Arity::AtLeast(2), Flags::READONLY, Acl::SET.union(Acl::SORTEDSET).union(Acl::LIST).union(Acl::DANGEROUS))
    },
}
.checked();

fn keys_of_sort_ro(_args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
    visit(KeySpan { index: 1, flags: KeyFlags::RO.union(KeyFlags::ACCESS) });
    Ok(())
}

fn sort(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    sort_by(cx, args, Options::parse(args, true, Patterns::of(cx, args))?)
}

fn sort_ro(cx: &mut Ctx<'_>, args: Args<'_>) -> CmdResult {
    sort_by(cx, args, Options::parse(args, false, Patterns::of(cx, args))?)
}

fn sort_by(cx: &mut Ctx<'_>, args: Args<'_>, mut options: Options<'_>) -> CmdResult {
    let key = args.raw(1);
    let is_set = match cx.keys.read(key).map(|entry| entry.value()) {
        None | Some(ValueRef::Collection(Collection::List(_) | Collection::SortedSet(_))) => false,
        Some(ValueRef::Collection(Collection::Set(_))) => true,
        Some(_) => return Err(Error::WRONG_TYPE),
    };
    if options.keeps_order && is_set {
        // A set has no order of its own, and the outcome must not depend on where its members happen to lie.
        options.keeps_order = false;
        options.alpha = true;
        options.by = None;
    }
    if options.by.is_none() && options.gets.iter().all(|get| !get.reads_keys()) {
        return sort_in_place(cx, key, &options);
    }
    // Reading the keys that the patterns name may remove one that is due, so the elements are copied first.
    let mut arena = Arena::default();
    if let Some(collection) = cx.keys.get(key).and_then(|entry| entry.collection()) {
        for element in elements_of(collection, &options) {
            arena.push(element.bytes(&mut Scratch::new()));
        }
    }
    let mut elements: Vec<Element<'_>> = (0..arena.len()).map(|at| Element::Bytes(arena.get(at))).collect();
    if !options.keeps_order {
        order_by(&mut cx.keys, &mut elements, &options)?;
    }
    match options.store {
        Some(destination) => {
            let result = list_of_gets(&mut cx.keys, &elements, &options, cx.settings.list);
            store(cx, destination, result);
        }
        None => reply_gets(cx, &elements, &options),
    }
    DONE
}

/// SORT that looks at nothing but the collection.
fn sort_in_place(cx: &mut Ctx<'_>, key: &[u8], options: &Options<'_>) -> CmdResult {
    let mut elements: Vec<Element<'_>> = Vec::new();
    if let Some(collection) = cx.keys.get(key).and_then(|entry| entry.collection()) {
        elements.reserve(collection.len());
        elements.extend(elements_of(collection, options));
    }
    if !options.keeps_order {
        if options.alpha {
            by_text(&mut elements, options);
        } else {
            by_weight(&mut elements, options, weight_of)?;
        }
    }
    let copies = options.gets.len().max(1);
    let null = |at: usize| options.gets.get(at).is_some_and(|get| *get == Pattern::Nothing);
    match options.store {
        Some(destination) => {
            let mut result = List::new();
            for &element in &elements {
                for at in 0..copies {
                    let element = if null(at) { Element::Bytes(b"") } else { element };
                    result.push_element(End::Back, element, cx.settings.list);
                }
            }
            store(cx, destination, result);
        }
        None => {
            cx.reply.array(elements.len() * copies);
            for &element in &elements {
                for at in 0..copies {
                    if null(at) {
                        cx.reply.null();
                    } else {
                        bulk_element(cx.reply, element);
                    }
                }
            }
        }
    }
    DONE
}

/// The elements to sort; those of the range already, where the order stays as it is.
fn elements_of<'k>(
    collection: &'k Collection,
    options: &Options<'_>,
) -> Box<dyn Iterator<Item = Element<'k>> + 'k> {
    let (all, reverse) = (!options.keeps_order, options.keeps_order && options.descending);
    let range = if all { 0..collection.len() } else { options.range(collection.len()) };
    match collection {
        Collection::List(list) if reverse => Box::new(list.iter().rev().skip(range.start).take(range.len())),
        Collection::List(list) => Box::new(list.iter_from(range.start).take(range.len())),
        Collection::Set(set) => Box::new(set.iter()),
        Collection::SortedSet(set) => {
            // Ranks count from the lowest score, whichever way they are walked.
            let range = if reverse { set.len() - range.end..set.len() - range.start } else { range };
            Box::new(set.iter_ranks(range, reverse).map(|(member, _)| Element::Bytes(member)))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// Orders `elements` by themselves or by what the BY pattern finds, and leaves those of the range.
fn order_by(
    keys: &mut Keyspace<'_>,
    elements: &mut Vec<Element<'_>>,
    options: &Options<'_>,
) -> Result<(), Error> {
    let Some(by) = &options.by else {
        if options.alpha {
            by_text(elements, options);
            return Ok(());
        }
        return by_weight(elements, options, weight_of);
    };
    let mut name = Vec::new();
    if !options.alpha {
        return by_weight(elements, options, |element| {
            by.find(keys, element, &mut name).map_or(Some(0.0), weight_of)
        });
    }
    let mut arena = Arena::default();
    let mut found = Vec::with_capacity(elements.len());
    for &element in elements.iter() {
        let weight = by.find(keys, element, &mut name);
        found.push(weight.map(|weight| arena.push(weight.bytes(&mut Scratch::new()))));
    }
    let weights = found.into_iter().map(|at| at.map(|at| arena.get(at)));
    by_weight_text(elements, weights.collect(), options);
    Ok(())
}

fn weight_of(element: Element<'_>) -> Option<f64> {
    match element {
        Element::Int(value) => Some(value as f64),
        Element::Bytes(bytes) => parse_weight(bytes),
    }
}

fn reply_gets(cx: &mut Ctx<'_>, elements: &[Element<'_>], options: &Options<'_>) {
    if options.gets.is_empty() {
        cx.reply.array(elements.len());
        elements.iter().for_each(|&element| bulk_element(cx.reply, element));
        return;
    }
    let mut name = Vec::new();
    cx.reply.array(elements.len() * options.gets.len());
    for &element in elements {
        for get in &options.gets {
            match get.find(&mut cx.keys, element, &mut name) {
                Some(found) => bulk_element(cx.reply, found),
                None => cx.reply.null(),
            }
        }
    }
}

fn list_of_gets(
    keys: &mut Keyspace<'_>,
    elements: &[Element<'_>],
    options: &Options<'_>,
    limits: ListLimits,
) -> List {
    let (mut result, mut name) = (List::new(), Vec::new());
    for &element in elements {
        if options.gets.is_empty() {
            result.push_element(End::Back, element, limits);
        }
        for get in &options.gets {
            let found = get.find(keys, element, &mut name).unwrap_or(Element::Bytes(b""));
            result.push_element(End::Back, found, limits);
        }
    }
    result
}

/// Puts `result` under `destination` in place of whatever is there, which an empty result only removes.
fn store(cx: &mut Ctx<'_>, destination: &[u8], result: List) {
    let len = result.len();
    if len > 0 {
        cx.keys.put(destination, Value::Collection(Collection::List(result)), None);
        cx.keys.changed(EventClass::LIST, "sortstore", destination);
    } else if cx.keys.remove(destination) {
        cx.keys.changed(EventClass::GENERIC, "del", destination);
    }
    cx.reply.count(len);
}

/// Byte strings one after the other in one allocation.
#[derive(Default)]
struct Arena {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Arena {
    /// Appends a byte string and returns its index.
    fn push(&mut self, bytes: &[u8]) -> usize {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
        self.ends.len() - 1
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    /// The byte string of this index; empty beyond the last.
    fn get(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(index).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }
}
