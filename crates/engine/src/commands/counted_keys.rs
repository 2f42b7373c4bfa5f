//! Keys that come after their number, as in LMPOP, ZMPOP and SINTERCARD.

use crate::args::Args;
use crate::error::Error;
use crate::wait::WaitKey;

/// The keys of a `numkeys key [key ...]` among the arguments.
pub(super) struct CountedKeys<'a> {
    /// The keys.
    pub(super) names: &'a [&'a [u8]],
    /// The index of the argument after them.
    pub(super) end: usize,
}

impl<'a> CountedKeys<'a> {
    /// The keys whose number is at `index`, with at least one argument after them.
    pub(super) fn parse_with_tail(args: Args<'a>, index: usize) -> Result<Self, Error> {
        match Self::of(args, index, parse_number(args, index)?) {
            Some(keys) if keys.end < args.len() => Ok(keys),
            _ => Err(Error::SYNTAX),
        }
    }

    /// The keys whose number is at `index`.
    pub(super) fn parse(args: Args<'a>, index: usize) -> Result<Self, Error> {
        let too_many = Error::fixed("ERR Number of keys can't be greater than number of args");
        Self::of(args, index, parse_number(args, index)?).ok_or(too_many)
    }

    /// The `number` keys that follow the argument at `index`, if there are so many arguments.
    pub(super) fn of(args: Args<'a>, index: usize, number: i64) -> Option<Self> {
        let end = usize::try_from(number).ok()?.checked_add(index + 1)?;
        Some(Self { names: args.all().get(index + 1..end)?, end })
    }

    /// What each key is waited for with, in a call whose number of keys is at `index`: the same call for that key alone.
    pub(super) fn waits(&self, args: Args<'_>, index: usize) -> Vec<WaitKey> {
        let call = |key: &[u8]| {
            let before = args.all()[..index].iter().map(|&arg| arg.into());
            let after = args.from(self.end).iter().map(|&arg| arg.into());
            before.chain([b"1"[..].into(), key.into()]).chain(after).collect()
        };
        self.names.iter().map(|&key| WaitKey { key: key.into(), call: call(key) }).collect()
    }
}

fn parse_number(args: Args<'_>, index: usize) -> Result<i64, Error> {
    positive(args, index, "ERR numkeys should be greater than 0")
}

/// The `[COUNT count]` from `index` to the arguments' end, 1 without it.
pub(super) fn parse_pop_count(args: Args<'_>, index: usize) -> Result<usize, Error> {
    if index == args.len() {
        return Ok(1);
    }
    if !args.is(index, "COUNT") || index + 1 == args.len() {
        return Err(Error::SYNTAX);
    }
    let count = positive(args, index + 1, "ERR count should be greater than 0")?;
    if index + 2 < args.len() { Err(Error::SYNTAX) } else { Ok(usize::try_from(count).unwrap_or(usize::MAX)) }
}

fn positive(args: Args<'_>, index: usize, text: &'static str) -> Result<i64, Error> {
    args.int_or(index, Error::fixed(text)).and_then(|n| if n > 0 { Ok(n) } else { Err(Error::fixed(text)) })
}

/// The `[LIMIT limit]` from `index` to the arguments' end, which may come several times; 0 without it.
pub(super) fn parse_limit(args: Args<'_>, index: usize) -> Result<usize, Error> {
    let text = Error::fixed("ERR LIMIT can't be negative");
    let (mut at, mut limit) = (index, 0);
    while at < args.len() {
        if !args.is(at, "LIMIT") || at + 1 == args.len() {
            return Err(Error::SYNTAX);
        }
        limit = usize::try_from(args.int_or(at + 1, text.clone())?).map_err(|_| text.clone())?;
        at += 2;
    }
    Ok(limit)
}
