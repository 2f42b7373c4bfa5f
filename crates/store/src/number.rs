//! Numbers as text: what a client may write, and what the server writes back, to the byte.

mod big;
mod float;
mod long_double;

pub use float::{parse_f64, parse_score_limit, parse_weight};
pub use long_double::LongDouble;

/// The longest text of an `i64`, in bytes: a sign and nineteen digits.
pub const I64_TEXT_MAX: usize = 20;

/// Reads a decimal integer that is written in the one canonical way: no plus sign, no spaces, no leading zeros, no
/// `-0`, nothing after it, and within the range of an `i64`. O(len), and a length above [`I64_TEXT_MAX`] is refused
/// at once.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'0'] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let first = *digits.first()?;
    // Nineteen digits cannot overflow a u64, so one range check at the end is enough.
    if !first.is_ascii_digit() || first == b'0' || digits.len() > I64_TEXT_MAX - 1 {
        return None;
    }
    let mut value = 0u64;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    if negative {
        (value <= i64::MIN.unsigned_abs()).then(|| (value as i64).wrapping_neg())
    } else {
        i64::try_from(value).ok()
    }
}

/// Writes `value` in decimal into `buffer` and returns the written part. O(1), no allocation.
#[inline]
pub fn format_i64(value: i64, buffer: &mut [u8; I64_TEXT_MAX]) -> &[u8] {
    let mut digits = itoa::Buffer::new();
    let text = digits.format(value).as_bytes();
    buffer[..text.len()].copy_from_slice(text);
    &buffer[..text.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_integers_only() {
        for (text, value) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("-7", Some(-7)),
            ("10", Some(10)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("9999999999999999999", None),
            ("18446744073709551616", None),
            ("100000000000000000000", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+1", None),
            ("00", None),
            ("01", None),
            ("-01", None),
            (" 1", None),
            ("1 ", None),
            ("1a", None),
            ("1/", None),
            ("1:", None),
            ("--1", None),
            ("1.0", None),
        ] {
            assert_eq!(parse_i64(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn integers_come_back() {
        let mut buffer = [0; I64_TEXT_MAX];
        let powers = (0..63).flat_map(|bit| [1i64 << bit, -(1i64 << bit), (1i64 << bit) - 1]);
        for value in powers.chain([i64::MIN, i64::MAX, 0]) {
            let text = format_i64(value, &mut buffer);
            assert_eq!(text, value.to_string().as_bytes());
            assert_eq!(parse_i64(text), Some(value));
        }
    }
}
