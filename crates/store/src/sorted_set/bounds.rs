//! The limits of ranges by score and by member.

use crate::number::parse_score_limit;

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScoreBound {
    /// The score itself belongs to the range.
    Inclusive(f64),
    /// The score itself does not.
    Exclusive(f64),
}

/// A range of scores; empty if its ends are the wrong way round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lower end.
    pub min: ScoreBound,
    /// The upper end.
    pub max: ScoreBound,
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Below every member.
    Lowest,
    /// Above every member.
    Highest,
    /// The member itself belongs to the range.
    Inclusive(&'a [u8]),
    /// The member itself does not.
    Exclusive(&'a [u8]),
}

/// A range of members in the order of their bytes; empty if its ends are the wrong way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// The lower end.
    pub min: LexBound<'a>,
    /// The upper end.
    pub max: LexBound<'a>,
}

impl ScoreBound {
    /// Reads `1.5`, `(1.5`, `-inf`, `(inf`. As the server does, it takes spaces before the number and nothing at all
    /// as zero, and ends at a NUL byte.
    pub fn parse(text: &[u8]) -> Option<Self> {
        match text {
            [b'(', score @ ..] => parse_score_limit(score).map(Self::Exclusive),
            score => parse_score_limit(score).map(Self::Inclusive),
        }
    }
}

impl ScoreRange {
    /// Every score.
    pub const ALL: Self =
        Self { min: ScoreBound::Inclusive(f64::NEG_INFINITY), max: ScoreBound::Inclusive(f64::INFINITY) };

    /// Reads both ends with [`ScoreBound::parse`].
    pub fn parse(min: &[u8], max: &[u8]) -> Option<Self> {
        Some(Self { min: ScoreBound::parse(min)?, max: ScoreBound::parse(max)? })
    }

    /// Whether the score is below the lower end.
    #[inline]
    pub fn is_below(&self, score: f64) -> bool {
        match self.min {
            ScoreBound::Inclusive(min) => score < min,
            ScoreBound::Exclusive(min) => score <= min,
        }
    }

    /// Whether the score is not above the upper end.
    #[inline]
    pub fn is_within_max(&self, score: f64) -> bool {
        match self.max {
            ScoreBound::Inclusive(max) => score <= max,
            ScoreBound::Exclusive(max) => score < max,
        }
    }
}

impl<'a> LexBound<'a> {
    /// Reads `[member`, `(member`, `-`, `+`. As in the server, what follows a `-` or `+` and a NUL byte is ignored.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        match text {
            [b'-'] | [b'-', 0, ..] => Some(Self::Lowest),
            [b'+'] | [b'+', 0, ..] => Some(Self::Highest),
            [b'[', member @ ..] => Some(Self::Inclusive(member)),
            [b'(', member @ ..] => Some(Self::Exclusive(member)),
            _ => None,
        }
    }
}

impl<'a> LexRange<'a> {
    /// Every member.
    pub const ALL: Self = Self { min: LexBound::Lowest, max: LexBound::Highest };

    /// Reads both ends with [`LexBound::parse`].
    pub fn parse(min: &'a [u8], max: &'a [u8]) -> Option<Self> {
        Some(Self { min: LexBound::parse(min)?, max: LexBound::parse(max)? })
    }

    /// Whether the member is below the lower end.
    #[inline]
    pub fn is_below(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Inclusive(min) => member < min,
            LexBound::Exclusive(min) => member <= min,
        }
    }

    /// Whether the member is not above the upper end.
    #[inline]
    pub fn is_within_max(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Inclusive(max) => member <= max,
            LexBound::Exclusive(max) => member < max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_scores() {
        let parse = ScoreBound::parse;
        assert_eq!(parse(b"1.5"), Some(ScoreBound::Inclusive(1.5)));
        assert_eq!(parse(b"(1.5"), Some(ScoreBound::Exclusive(1.5)));
        assert_eq!(parse(b"(-inf"), Some(ScoreBound::Exclusive(f64::NEG_INFINITY)));
        assert_eq!(parse(b""), Some(ScoreBound::Inclusive(0.0)));
        assert_eq!(parse(b"("), Some(ScoreBound::Exclusive(0.0)));
        assert_eq!(parse(b"( 2"), Some(ScoreBound::Exclusive(2.0)));
        for text in [&b" "[..], b"((1", b"[1", b"nan", b"(1x"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        let range = ScoreRange::parse(b"(1", b"2").unwrap();
        assert!(range.is_below(1.0) && !range.is_below(1.1));
        assert!(range.is_within_max(2.0) && !range.is_within_max(2.1));
    }

    #[test]
    fn bounds_of_members() {
        let parse = LexBound::parse;
        assert_eq!(parse(b"-"), Some(LexBound::Lowest));
        assert_eq!(parse(b"+\0b"), Some(LexBound::Highest));
        assert_eq!(parse(b"["), Some(LexBound::Inclusive(b"")));
        assert_eq!(parse(b"(a\0b"), Some(LexBound::Exclusive(b"a\0b")));
        for text in [&b""[..], b"a", b"-a", b"+ ", b"\0"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        let range = LexRange::parse(b"(a", b"[c").unwrap();
        assert!(range.is_below(b"a") && !range.is_below(b"a\0"));
        assert!(range.is_within_max(b"c") && !range.is_within_max(b"c\0"));
        let reversed = LexRange::parse(b"+", b"-").unwrap();
        assert!(reversed.is_below(b"\xff") && !reversed.is_within_max(b""));
    }
}
