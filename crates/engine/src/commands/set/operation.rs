//! Intersection, union and difference of sets, some of whose keys may not be there.

use crate::commands::prelude::*;
use crate::keyspace::Keyspace;
use crate::settings::Settings;
use moonshard_protocol::Reply;
use moonshard_store::{Collection, Element, Scratch, Set, Value};
use std::ops::ControlFlow;

/// The sets of `names`, in that order, each read once; `None` for a key that is not there.
pub(super) fn read_sets<'k>(
    keys: &'k mut Keyspace<'_>,
    names: &[&[u8]],
) -> Result<Vec<Option<&'k Set>>, Error> {
    for name in names {
        keys.read_as::<Set>(name)?;
    }
    names.iter().map(|name| keys.get_as(name)).collect()
}

/// Visits the members that all sets have, until `visit` breaks off. O(members of the smallest * sets).
pub(super) fn intersect<'k>(sets: &[Option<&'k Set>], mut visit: impl FnMut(Element<'k>) -> ControlFlow<()>) {
    let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<&Set>>>() else { return };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        if others.iter().all(|set| set.contains_element(member)) && visit(member).is_break() {
            return;
        }
    }
}

/// The members that any set has.
pub(super) fn union(sets: &[Option<&Set>], settings: &Settings) -> Set {
    let mut result = Set::new();
    for set in sets.iter().flatten() {
        for member in set.iter() {
            result.add_element(member, settings.set, settings.seed);
        }
    }
    result
}

/// The members of the first set that no other set has. O(members of the first * sets) or O(members of all),
/// whichever is less.
pub(super) fn difference(sets: &[Option<&Set>], settings: &Settings) -> Set {
    let mut result = Set::new();
    let Some((Some(first), others)) = sets.split_first() else { return result };
    let mut others: Vec<&Set> = others.iter().copied().flatten().collect();
    let work_by_member = first.len() * (others.len() + 1) / 2;
    let work_by_set = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    if work_by_member <= work_by_set {
        // The larger a set, the likelier it has the member.
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        for member in first.iter().filter(|&member| !others.iter().any(|set| set.contains_element(member))) {
            result.add_element(member, settings.set, settings.seed);
        }
        return result;
    }
    result = union(&sets[..1], settings);
    for member in others.iter().flat_map(|set| set.iter()) {
        result.remove(member.bytes(&mut Scratch::new()));
        if result.is_empty() {
            break;
        }
    }
    result
}

/// Replies the members of `result`.
pub(super) fn reply_set(reply: &mut Reply, result: &Set) {
    reply.set(result.len());
    result.iter().for_each(|member| bulk_element(reply, member));
}

/// Puts `result` under `destination` in place of whatever is there, which an empty result only removes.
pub(super) fn store(cx: &mut Ctx<'_>, destination: &[u8], result: Set, event: &'static str) {
    let len = result.len();
    if len > 0 {
        cx.keys.put(destination, Value::Collection(Collection::Set(result)), None);
        cx.keys.changed(EventClass::SET, event, destination);
    } else if cx.keys.remove(destination) {
        cx.keys.changed(EventClass::GENERIC, "del", destination);
    }
    cx.reply.count(len);
}
