//! Ids of entries as arguments give them.

use crate::error::Error;
use moonshard_store::StreamId;

const INVALID: Error = Error::fixed("ERR Invalid stream ID specified as stream command argument");

/// An id as it was spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelt {
    /// Both parts.
    Whole(StreamId),
    /// `<ms>`.
    Milliseconds(u64),
    /// `<ms>-*`.
    AnySequence(u64),
}

fn parse(text: &[u8]) -> Option<Spelt> {
    const LEN_MAX: usize = 127;
    if text.len() > LEN_MAX {
        return None;
    }
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let Some(dash) = text.iter().position(|&byte| byte == b'-') else {
        return part(text).map(Spelt::Milliseconds);
    };
    let ms = part(&text[..dash])?;
    match &text[dash + 1..] {
        b"*" => Some(Spelt::AnySequence(ms)),
        seq => Some(Spelt::Whole(StreamId::new(ms, part(seq)?))),
    }
}

/// One of an id's numbers, read as generously as `strtoull` does: blanks, a plus and zeros may go before it.
#[inline]
fn part(text: &[u8]) -> Option<u64> {
    match text.first()? {
        b'0'..=b'9' => {}
        _ => return odd_part(text),
    }
    text.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cold]
fn odd_part(text: &[u8]) -> Option<u64> {
    let is_blank = |&byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let start = text.iter().position(|byte| !is_blank(byte))?;
    let text = &text[start..];
    let (negative, digits) = match text.split_first()? {
        (b'+', digits) => (false, digits),
        (b'-', digits) => (true, digits),
        _ => (false, text),
    };
    let value = digits.first()?.is_ascii_digit().then(|| part(digits))??;
    // A negative number wraps around; one that is no more than 63 bits was refused before it came to that.
    let plain = start == 0 && digits.first() != Some(&b'0') && value <= i64::MAX as u64 + 1;
    if negative && plain { None } else { Some(if negative { value.wrapping_neg() } else { value }) }
}

/// An id that must be one: neither `-` nor `+`. Where the sequence is missing it is `missing`.
///
/// # Errors
/// Redis' text for an invalid id.
#[inline]
pub(super) fn strict(text: &[u8], missing: u64) -> Result<StreamId, Error> {
    match parse(text) {
        Some(Spelt::Whole(id)) => Ok(id),
        Some(Spelt::Milliseconds(ms)) => Ok(StreamId::new(ms, missing)),
        _ => Err(INVALID),
    }
}

/// An id, or `-` for the least and `+` for the greatest.
///
/// # Errors
/// As [`strict`].
pub(super) fn any(text: &[u8], missing: u64) -> Result<StreamId, Error> {
    match text.split(|&byte| byte == 0).next() {
        Some(b"-") => Ok(StreamId::MIN),
        Some(b"+") => Ok(StreamId::MAX),
        _ => strict(text, missing),
    }
}

/// The id of a new entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    /// `*`.
    Auto,
    /// `<ms>-*`.
    AutoSequence(u64),
    /// This one.
    Given(StreamId),
}

/// The id of a new entry, `*` aside.
///
/// # Errors
/// As [`strict`].
pub(super) fn new(text: &[u8]) -> Result<NewId, Error> {
    match parse(text) {
        Some(Spelt::Whole(id)) => Ok(NewId::Given(id)),
        Some(Spelt::Milliseconds(ms)) => Ok(NewId::Given(StreamId::new(ms, 0))),
        Some(Spelt::AnySequence(ms)) => Ok(NewId::AutoSequence(ms)),
        None => Err(INVALID),
    }
}

/// The begin of a range; `(` leaves the id itself out.
///
/// # Errors
/// As [`strict`], and when nothing can be after the id that is left out.
pub(super) fn range_start(text: &[u8]) -> Result<StreamId, Error> {
    match text {
        [b'(', _, ..] => {
            strict(&text[1..], 0)?.successor().ok_or(Error::fixed("ERR invalid start ID for the interval"))
        }
        _ => any(text, 0),
    }
}

/// The end of a range; `(` leaves the id itself out.
///
/// # Errors
/// As [`strict`], and when nothing can be before the id that is left out.
pub(super) fn range_end(text: &[u8]) -> Result<StreamId, Error> {
    match text {
        [b'(', _, ..] => strict(&text[1..], u64::MAX)?
            .predecessor()
            .ok_or(Error::fixed("ERR invalid end ID for the interval")),
        _ => any(text, u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let id = StreamId::new;
        for (text, expected) in [
            (&b"1-2"[..], Some(Spelt::Whole(id(1, 2)))),
            (b"18446744073709551615-18446744073709551615", Some(Spelt::Whole(StreamId::MAX))),
            (b"18446744073709551616", None),
            (b"7", Some(Spelt::Milliseconds(7))),
            (b"007-01", Some(Spelt::Whole(id(7, 1)))),
            (b"7-*", Some(Spelt::AnySequence(7))),
            (b"7-**", None),
            (b"-1", None),
            (b"1-", None),
            (b"1--1", None),
            (b"1--0", Some(Spelt::Whole(id(1, 0)))),
            (b"1-+5", Some(Spelt::Whole(id(1, 5)))),
            (b" 1- 5", Some(Spelt::Whole(id(1, 5)))),
            (b"1- -5", Some(Spelt::Whole(id(1, u64::MAX - 4)))),
            (b"1 -5", None),
            (b"", None),
            (b"*", None),
            (b"1-2\0x", Some(Spelt::Whole(id(1, 2)))),
        ] {
            assert_eq!(parse(text), expected, "{}", text.escape_ascii());
        }
        assert_eq!(parse(&[b'0'; 128]), None);
        assert_eq!(parse(&[b'0'; 127]), Some(Spelt::Milliseconds(0)));
    }

    #[test]
    fn bounds_of_ranges() {
        assert_eq!(range_start(b"(5"), Ok(StreamId::new(5, 1)));
        assert_eq!(range_end(b"(5"), Ok(StreamId::new(5, u64::MAX - 1)));
        assert_eq!(range_end(b"(5-0"), Ok(StreamId::new(4, u64::MAX)));
        assert_eq!((range_start(b"-"), range_end(b"+")), (Ok(StreamId::MIN), Ok(StreamId::MAX)));
        assert!(range_start(b"(-").is_err() && range_start(b"(").is_err() && range_end(b"(0-0").is_err());
        assert!(range_start(b"(18446744073709551615-18446744073709551615").is_err());
    }
}
