//! Ranges of sorted sets as arguments give them: by rank, by score, by member.

use crate::args::Args;
use crate::error::Error;
use moonshard_store::{LexRange, ScoreRange, SortedSet};
use std::ops::Range;

pub(super) fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange, Error> {
    ScoreRange::parse(min, max).ok_or(Error::fixed("ERR min or max is not a float"))
}

pub(super) fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, Error> {
    LexRange::parse(min, max).ok_or(Error::fixed("ERR min or max not valid string range item"))
}

/// What a range goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Rank,
    Score,
    Lex,
}

enum Bounds<'a> {
    Rank(i64, i64),
    Score(ScoreRange),
    Lex(LexRange<'a>),
}

/// The range that a command asks for.
pub(super) struct RangeQuery<'a> {
    bounds: Bounds<'a>,
    /// Members skipped at the range's begin; a negative number skips all.
    offset: i64,
    /// Members taken after that; a negative number takes all.
    limit: i64,
    /// Whether the range is walked from its end.
    pub(super) reverse: bool,
    /// Whether scores are replied as well.
    pub(super) with_scores: bool,
}

impl<'a> RangeQuery<'a> {
    /// The arguments `key min max [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`, the key being at `key`.
    /// What the command itself decides is not an option; with `store` WITHSCORES is none.
    pub(super) fn parse(
        args: Args<'a>,
        key: usize,
        store: bool,
        by: Option<By>,
        reverse: Option<bool>,
    ) -> Result<Self, Error> {
        let (mut chosen, mut reversed) = (by, reverse);
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        let mut at = key + 3;
        while at < args.len() {
            if !store && args.is(at, "WITHSCORES") {
                with_scores = true;
            } else if args.is(at, "LIMIT") && at + 2 < args.len() {
                (offset, limit) = (args.int(at + 1)?, args.int(at + 2)?);
                at += 2;
            } else if reversed.is_none() && args.is(at, "REV") {
                reversed = Some(true);
            } else if chosen.is_none() && args.is(at, "BYLEX") {
                chosen = Some(By::Lex);
            } else if chosen.is_none() && args.is(at, "BYSCORE") {
                chosen = Some(By::Score);
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        let (by, reverse) = (chosen.unwrap_or(By::Rank), reversed.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            return Err(Error::fixed(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(Error::fixed("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        let bounds = bounds(args, key, by, reverse)?;
        Ok(Self { bounds, offset, limit, reverse, with_scores })
    }

    /// The range of ZREMRANGEBYRANK and its kin.
    pub(super) fn whole(args: Args<'a>, by: By) -> Result<Self, Error> {
        let bounds = bounds(args, 1, by, false)?;
        Ok(Self { bounds, offset: 0, limit: -1, reverse: false, with_scores: false })
    }

    /// The ranks that the range means in `set`.
    pub(super) fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let ranks = match &self.bounds {
            Bounds::Rank(start, stop) => return ranks_between(*start, *stop, set.len(), self.reverse),
            Bounds::Score(range) => set.ranks_by_score(range),
            Bounds::Lex(range) => set.ranks_by_lex(range, self.reverse),
        };
        let Ok(offset) = usize::try_from(self.offset) else { return 0..0 };
        let skipped = offset.min(ranks.len());
        let taken = usize::try_from(self.limit).unwrap_or(usize::MAX).min(ranks.len() - skipped);
        if self.reverse {
            let end = ranks.end - skipped;
            end - taken..end
        } else {
            let start = ranks.start + skipped;
            start..start + taken
        }
    }
}

/// The bounds in the two arguments after `key`, the greater of which comes first in reverse.
fn bounds(args: Args<'_>, key: usize, by: By, reverse: bool) -> Result<Bounds<'_>, Error> {
    let (first, second) = (args.raw(key + 1), args.raw(key + 2));
    let (min, max) = if reverse { (second, first) } else { (first, second) };
    Ok(match by {
        By::Rank => Bounds::Rank(args.int(key + 1)?, args.int(key + 2)?),
        By::Score => Bounds::Score(score_range(min, max)?),
        By::Lex => Bounds::Lex(lex_range(min, max)?),
    })
}

/// The ranks from `start` to `stop`, both included and counted from the end when negative, in a set of `len` members;
/// counted the other way round in reverse.
fn ranks_between(start: i64, stop: i64, len: usize, reverse: bool) -> Range<usize> {
    let len_signed = len as i64;
    let absolute = |index: i64| if index < 0 { index.saturating_add(len_signed) } else { index };
    let (start, stop) = (absolute(start).max(0), absolute(stop).min(len_signed - 1));
    if start > stop {
        return 0..0;
    }
    let (start, end) = (start as usize, stop as usize + 1);
    if reverse { len - end..len - start } else { start..end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_from_both_ends() {
        for (start, stop, forward, backward) in [
            (0, -1, 0..5, 0..5),
            (1, 2, 1..3, 2..4),
            (-2, 100, 3..5, 0..2),
            (-100, 0, 0..1, 4..5),
            (3, 2, 0..0, 0..0),
            (5, 9, 0..0, 0..0),
            (i64::MIN, i64::MAX, 0..5, 0..5),
            (i64::MAX, i64::MIN, 0..0, 0..0),
        ] {
            assert_eq!(ranks_between(start, stop, 5, false), forward, "{start} {stop}");
            assert_eq!(ranks_between(start, stop, 5, true), backward, "{start} {stop} in reverse");
        }
    }
}
