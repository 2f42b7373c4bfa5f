//! The count of SRANDMEMBER, HRANDFIELD and ZRANDMEMBER.

use crate::args::Args;
use crate::error::Error;

/// How many members are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SampleCount {
    /// So many different ones, or all if there are fewer.
    Distinct(usize),
    /// So many, each of all.
    Repeating(usize),
}

impl SampleCount {
    /// The count in the argument at `index`: a negative one stands for repetitions.
    pub(super) fn parse(args: Args<'_>, index: usize) -> Result<Self, Error> {
        match args.int(index)? {
            i64::MIN => Err(Error::text(format!(
                "ERR value is out of range, value must between {} and {}",
                -i64::MAX,
                i64::MAX
            ))),
            count if count < 0 => Ok(Self::Repeating(count.unsigned_abs() as usize)),
            count => Ok(Self::Distinct(count as usize)),
        }
    }

    /// The arguments `count [word]` of a command after its key, and whether the word is there.
    pub(super) fn parse_with(args: Args<'_>, word: &str) -> Result<(Self, bool), Error> {
        let count = Self::parse(args, 2)?;
        if args.len() == 3 {
            return Ok((count, false));
        }
        if args.len() > 4 || !args.is(3, word) {
            return Err(Error::SYNTAX);
        }
        // Twice as many elements must be countable.
        if count.asked() > (i64::MAX / 2) as usize {
            return Err(Error::OUT_OF_RANGE);
        }
        Ok((count, true))
    }

    const fn asked(self) -> usize {
        match self {
            Self::Distinct(count) | Self::Repeating(count) => count,
        }
    }

    /// How many are drawn of `len`, which is not 0.
    pub(super) fn drawn_of(self, len: usize) -> usize {
        match self {
            Self::Distinct(count) => count.min(len),
            Self::Repeating(count) => count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_their_bounds() {
        let parse = |words: &[&str]| {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            SampleCount::parse_with(Args::new(&words), "WITHVALUES")
        };
        assert_eq!(parse(&["H", "k", "3"]), Ok((SampleCount::Distinct(3), false)));
        assert_eq!(parse(&["H", "k", "-3", "withvalues"]), Ok((SampleCount::Repeating(3), true)));
        assert_eq!(parse(&["H", "k", "3", "x"]), Err(Error::SYNTAX));
        assert_eq!(parse(&["H", "k", "x", "x"]), Err(Error::NOT_AN_INTEGER));
        assert_eq!(parse(&["H", "k", "-9223372036854775807", "WITHVALUES"]), Err(Error::OUT_OF_RANGE));
        let line =
            b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
        let error = parse(&["H", "k", "-9223372036854775808"]).unwrap_err();
        assert_eq!(error.line(), line);
    }
}
