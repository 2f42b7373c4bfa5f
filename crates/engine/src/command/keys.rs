//! Where a command's keys are among its arguments.

use super::flags::{Flags, KeyFlags};
use super::{Command, Meta};
use crate::args::Args;

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this argument.
    Index(u16),
    /// After this word, looked for from this argument on (from the end, backwards, when negative).
    Keyword(&'static str, i16),
    /// Nobody knows without the command's own function.
    Unknown,
}

/// Which arguments are keys, from the begin on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Every `step`-th argument up to `last`: relative to the begin, or from the end when negative; with a
    /// `limit`, only the first `1/limit` of what is left.
    Range {
        #[allow(missing_docs)]
        last: i16,
        #[allow(missing_docs)]
        step: u16,
        #[allow(missing_docs)]
        limit: u16,
    },
    /// As many as the argument at `count` says, from `first` on; both relative to the begin.
    Keynum {
        #[allow(missing_docs)]
        count: u16,
        #[allow(missing_docs)]
        first: u16,
        #[allow(missing_docs)]
        step: u16,
    },
    /// Nobody knows without the command's own function.
    Unknown,
}

/// One rule that finds keys.
#[derive(Clone, Copy, Debug)]
pub struct KeySpec {
    /// Where it begins.
    pub begin: Begin,
    /// What it takes.
    pub find: Find,
    /// What the command does with them.
    pub flags: KeyFlags,
    /// A remark for the documentation; empty when there is none.
    pub notes: &'static str,
}

impl KeySpec {
    /// The one key at `index`.
    pub const fn one(index: u16, flags: KeyFlags) -> Self {
        Self::range(index, 0, 1, flags)
    }

    /// Keys from `index` to `last` (relative to `index`; from the end when negative), every `step`-th.
    pub const fn range(index: u16, last: i16, step: u16, flags: KeyFlags) -> Self {
        Self { begin: Begin::Index(index), find: Find::Range { last, step, limit: 0 }, flags, notes: "" }
    }

    /// As many keys as the argument at `index` says, right after it.
    pub const fn counted(index: u16, flags: KeyFlags) -> Self {
        Self {
            begin: Begin::Index(index),
            find: Find::Keynum { count: 0, first: 1, step: 1 },
            flags,
            notes: "",
        }
    }

    /// Any other rule.
    pub const fn new(begin: Begin, find: Find, flags: KeyFlags) -> Self {
        Self { begin, find, flags, notes: "" }
    }

    /// With a remark.
    pub const fn notes(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    /// First and last key and step of `args`, the last included; `None` when the rule's word is not there.
    fn bounds(&self, args: Args<'_>) -> Result<Option<(usize, usize, usize)>, KeyError> {
        let argc = args.len();
        let first = match self.begin {
            Begin::Index(index) => index as usize,
            Begin::Keyword(word, from) => match keyword(args, word, from) {
                Some(at) => at + 1,
                None => return Ok(None),
            },
            Begin::Unknown => return Err(KeyError::Invalid),
        };
        match self.find {
            Find::Range { last, step, limit } => {
                let last = if last >= 0 {
                    first + last as usize
                } else if limit <= 1 {
                    argc.checked_sub(last.unsigned_abs() as usize).ok_or(KeyError::Invalid)?
                } else {
                    let left = argc.checked_sub(first).ok_or(KeyError::Invalid)?;
                    (first + left / limit as usize)
                        .checked_sub(last.unsigned_abs() as usize)
                        .ok_or(KeyError::Invalid)?
                };
                Ok(Some((first, last, step as usize)))
            }
            Find::Keynum { count, first: offset, step } => {
                let count = args.get(first + count as usize).ok_or(KeyError::Invalid)?;
                let count = moonshard_store::number::parse_i64(count).ok_or(KeyError::Invalid)?;
                let count = usize::try_from(count).map_err(|_| KeyError::Invalid)?;
                // A count beyond the arguments is caught below; it must not overflow here.
                if count > argc {
                    return Err(KeyError::Invalid);
                }
                let first = first + offset as usize;
                if count == 0 {
                    return Ok(None);
                }
                Ok(Some((first, first + (count - 1) * step as usize, step as usize)))
            }
            Find::Unknown => Err(KeyError::Invalid),
        }
    }
}

fn keyword(args: Args<'_>, word: &str, from: i16) -> Option<usize> {
    // The last argument, and going backwards the first, cannot be the word: no key would follow.
    if from >= 0 {
        (from as usize..args.len().saturating_sub(1)).find(|&at| args.is(at, word))
    } else {
        let start = args.len().checked_sub(from.unsigned_abs() as usize)?;
        (2..=start).rev().find(|&at| args.is(at, word))
    }
}

/// A key among a command's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpan {
    /// The argument's index.
    pub index: usize,
    /// What the command does with it.
    pub flags: KeyFlags,
}

/// Positions of a command's keys as clients learnt them before there were key specs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegacyRange {
    /// Position of the first key; 0 when there is none.
    pub first: i64,
    /// Position of the last; from the end when negative.
    pub last: i64,
    /// Distance of a key from the one before.
    pub step: i64,
    /// Whether the range does not tell all keys.
    pub movable: bool,
}

/// The arguments do not fit the key specs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// A count of keys that is none, or beyond the arguments.
    Invalid,
}

/// Finds keys by the arguments where specs alone cannot.
pub type KeyFunction = fn(Args<'_>, &mut dyn FnMut(KeySpan)) -> Result<(), KeyError>;

/// Where a command's keys are learnt from.
#[derive(Clone, Copy, Debug)]
pub enum SpecSource {
    /// Its key specs.
    Specs,
    /// A function: positions that no spec tells (SORT, MIGRATE) or flags that the arguments decide (SET).
    Function(KeyFunction),
}

impl Meta {
    /// Position of the key of a command with exactly one, at a fixed place: nearly all of the traffic.
    #[inline]
    pub const fn single_key(&self) -> Option<usize> {
        match self.keys {
            [KeySpec { begin: Begin::Index(at), find: Find::Range { last: 0, .. }, flags, .. }]
                if !flags.contains(KeyFlags::NOT_KEY) =>
            {
                Some(*at as usize)
            }
            _ => None,
        }
    }

    /// Calls `visit` with each key, in the order of the specs.
    ///
    /// # Errors
    /// When the arguments do not fit the specs: a count of keys beyond the arguments, say.
    pub fn each_key(&self, args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
        match self.key_source {
            SpecSource::Function(function) => function(args, visit),
            SpecSource::Specs => self.each_spec_key(args, visit),
        }
    }

    /// [`Meta::each_key`] by the specs alone.
    ///
    /// # Errors
    /// As [`Meta::each_key`].
    pub fn each_spec_key(&self, args: Args<'_>, visit: &mut dyn FnMut(KeySpan)) -> Result<(), KeyError> {
        for spec in self.keys {
            if spec.flags.contains(KeyFlags::NOT_KEY) {
                continue;
            }
            let Some((first, last, step)) = spec.bounds(args)? else { continue };
            if first <= last && last >= args.len() {
                return Err(KeyError::Invalid);
            }
            for index in (first..=last).step_by(step.max(1)) {
                visit(KeySpan { index, flags: spec.flags });
            }
        }
        Ok(())
    }

    /// Whether the call says itself that it has no keys where the command wants some: a count of zero.
    pub fn counts_no_keys(&self, args: Args<'_>) -> bool {
        matches!(self.key_source, SpecSource::Specs)
            && self
                .keys
                .iter()
                .any(|spec| matches!(spec.find, Find::Keynum { .. }) && matches!(spec.bounds(args), Ok(None)))
    }

    /// COMMAND's old way to tell keys, as far as specs can be said so.
    pub fn legacy_range(&self) -> LegacyRange {
        let incomplete = |spec: &KeySpec| spec.flags.contains(KeyFlags::INCOMPLETE);
        if let [spec @ KeySpec { begin: Begin::Index(first), find: Find::Range { last, step, .. }, .. }] =
            self.keys
        {
            let last = if *last >= 0 { i64::from(*first) + i64::from(*last) } else { i64::from(*last) };
            return LegacyRange {
                first: i64::from(*first),
                last,
                step: i64::from(*step),
                movable: incomplete(spec),
            };
        }
        let mut all = LegacyRange { first: 0, last: 0, step: 0, movable: false };
        for spec in self.keys {
            let (Begin::Index(first), Find::Range { last, step: 1, .. }) = (spec.begin, spec.find) else {
                all.movable = true;
                continue;
            };
            let first = i64::from(first);
            // Only a spec that goes on where the one before ended can be part of the range.
            if all.last != 0 && all.last != first - 1 {
                all.movable = true;
                continue;
            }
            let last = if last >= 0 { first + i64::from(last) } else { i64::from(last) };
            all.movable |= incomplete(spec);
            all.first = if all.first == 0 { first } else { all.first.min(first) };
            // A last key counted from the end lies behind all that are counted from the begin.
            all.last = if last < 0 || all.last < 0 { last.min(all.last) } else { last.max(all.last) };
            all.step = 1;
        }
        all
    }

    /// The command's flags, and whether its keys have to be asked for.
    pub fn reported_flags(&self) -> Flags {
        if self.legacy_range().movable { self.flags.union(Flags::MOVABLE_KEYS) } else { self.flags }
    }
}

impl Command {
    /// Whether the command has keys at all.
    pub fn has_keys(&self) -> bool {
        self.meta.keys.iter().any(|spec| !spec.flags.contains(KeyFlags::NOT_KEY))
            || matches!(self.meta.key_source, SpecSource::Function(_))
    }
}
