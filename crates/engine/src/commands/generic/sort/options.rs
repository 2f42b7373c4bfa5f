//! The options of SORT, and what they say about the keys that a call touches.

use super::pattern::Pattern;
use crate::command::{KeyError, KeySpan};
use crate::commands::prelude::*;
use crate::slot::slot;
use std::ops::Range;

/// What a call asks for.
#[derive(Default)]
pub(super) struct Options<'a> {
    /// Names what is compared instead of the elements.
    pub(super) by: Option<Pattern<'a>>,
    /// What is answered for each element, instead of it.
    pub(super) gets: Vec<Pattern<'a>>,
    /// Whether texts are compared rather than numbers.
    pub(super) alpha: bool,
    pub(super) descending: bool,
    /// Whether the elements stay in the collection's own order (`BY nosort`).
    pub(super) keeps_order: bool,
    /// Where the result goes instead of to the client.
    pub(super) store: Option<&'a [u8]>,
    limit: Option<(i64, i64)>,
}

/// Whether a call may have patterns, which may name any key.
#[derive(Clone, Copy)]
pub(super) enum Patterns {
    Allowed,
    /// A node of a cluster does not have every key.
    InCluster,
    /// The user may not read every key.
    NoPermission,
}

impl Patterns {
    pub(super) fn of(cx: &Ctx<'_>, args: Args<'_>) -> Self {
        match cx.access {
            _ if cx.settings.cluster => Self::InCluster,
            Some(access) if !access.may_read_all(args) => Self::NoPermission,
            _ => Self::Allowed,
        }
    }

    fn admit(self, option: &str) -> Result<(), Error> {
        let reason = match self {
            Self::Allowed => return Ok(()),
            Self::InCluster => "in Cluster mode.",
            Self::NoPermission => "due to insufficient ACL permissions.",
        };
        Err(Error::text(format!("ERR {option} option of SORT denied {reason}")))
    }
}

impl<'a> Options<'a> {
    /// Reads the options, in the order in which they are given.
    ///
    /// # Errors
    /// Redis' texts.
    pub(super) fn parse(args: Args<'a>, may_store: bool, patterns: Patterns) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut at = 2;
        while at < args.len() {
            let following = args.len() - at - 1;
            if args.is(at, "ASC") {
                options.descending = false;
            } else if args.is(at, "DESC") {
                options.descending = true;
            } else if args.is(at, "ALPHA") {
                options.alpha = true;
            } else if args.is(at, "LIMIT") && following >= 2 {
                options.limit = Some((args.int(at + 1)?, args.int(at + 2)?));
                at += 2;
            } else if may_store && args.is(at, "STORE") && following >= 1 {
                options.store = Some(args.raw(at + 1));
                at += 1;
            } else if args.is(at, "BY") && following >= 1 {
                let by = Pattern::parse(args.raw(at + 1));
                if by.is_constant() {
                    options.keeps_order = true;
                } else {
                    patterns.admit("BY")?;
                }
                options.by = Some(by);
                at += 1;
            } else if args.is(at, "GET") && following >= 1 {
                patterns.admit("GET")?;
                options.gets.push(Pattern::parse(args.raw(at + 1)));
                at += 1;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        if options.keeps_order {
            // One constant pattern among several is enough: nothing is looked up and nothing sorted.
            options.by = None;
        }
        Ok(options)
    }

    /// The range of LIMIT within `len` elements.
    pub(super) fn range(&self, len: usize) -> Range<usize> {
        let Some((start, count)) = self.limit else { return 0..len };
        let start = usize::try_from(start).unwrap_or(0).min(len);
        let count = usize::try_from(count).unwrap_or(len);
        start..start.saturating_add(count).min(len)
    }
}

/// The sorted key, and the key of the last STORE. The options are skipped as Redis skips them, which also finds a key
/// in a call that is not well-formed.
pub(super) fn keys_of_sort(args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
    visit(KeySpan { index: 1, flags: KeyFlags::RO.union(KeyFlags::ACCESS) });
    let (mut at, mut store) = (2, None);
    while at < args.len() {
        if args.is(at, "LIMIT") {
            at += 2;
        } else if args.is(at, "GET") || args.is(at, "BY") {
            at += 1;
        } else if args.is(at, "STORE") && at + 1 < args.len() {
            store = Some(at + 1);
        }
        at += 1;
    }
    if let Some(index) = store {
        visit(KeySpan { index, flags: KeyFlags::OW.union(KeyFlags::UPDATE) });
    }
    Ok(())
}

/// Whether the patterns of a call may name keys of another slot than that of the sorted key.
pub(super) fn reaches_other_slots(args: Args<'_>) -> bool {
    let mut at = 2;
    while at < args.len() {
        if args.is(at, "LIMIT") {
            at += 2;
        } else if args.is(at, "STORE") {
            at += 1;
        } else if args.is(at, "GET") || args.is(at, "BY") {
            at += 1;
            let pattern = args.get(at).map(Pattern::parse);
            if pattern
                .is_some_and(|pattern| pattern.reads_keys() && pattern.slot() != Some(slot(args.raw(1))))
            {
                return true;
            }
        }
        at += 1;
    }
    false
}
