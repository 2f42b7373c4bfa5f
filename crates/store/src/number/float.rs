//! Doubles as text: the C library's `strtod`, with the checks that the server puts around it.

/// Reads a double as the server reads scores and increments: decimal or hexadecimal (`0x1.8p3`), a sign, `inf` and
/// `infinity` in any case. Refused are the empty text, spaces, NaN, anything after the number, and a number that
/// overflows to infinity or underflows to zero. O(len).
#[inline]
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    // Short integers are most of what clients send, and they need no rounding.
    if text.len() <= 15
        && let Some(value) = super::parse_i64(text)
    {
        return Some(value as f64);
    }
    let Parsed { value, out_of_range } = strtod(text)?;
    (!out_of_range).then_some(value)
}

/// Reads the limit of a range of scores (without the parenthesis that excludes it) with the server's indulgence: the
/// text ends at the first NUL byte, spaces may precede the number, nothing at all is zero, and what is out of range
/// becomes infinite or zero. NaN and trailing bytes are refused.
pub fn parse_score_limit(text: &[u8]) -> Option<f64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    Some(strtod(&text[spaces..])?.value)
}

/// Reads what SORT compares by, with the indulgence of the C library: the text ends at the first NUL byte, spaces may
/// precede the number, and nothing at all is zero. Refused are NaN, trailing bytes, and what a double cannot hold or
/// holds with fewer digits.
#[inline]
pub fn parse_weight(text: &[u8]) -> Option<f64> {
    match super::parse_i64(text) {
        Some(value) => Some(value as f64),
        None => parse_loose_weight(text),
    }
}

fn parse_loose_weight(text: &[u8]) -> Option<f64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let Parsed { value, out_of_range } = strtod(&text[spaces..])?;
    (!out_of_range && !value.is_subnormal()).then_some(value)
}

struct Parsed {
    value: f64,
    /// A number that is not infinite became so, or one that is not zero.
    out_of_range: bool,
}

/// A whole text as `strtod` reads it, without leading spaces; NaN is refused.
fn strtod(text: &[u8]) -> Option<Parsed> {
    if let Some(hexadecimal) = Hexadecimal::parse(text) {
        return Some(hexadecimal.to_f64());
    }
    // For decimal numbers and words, Rust's grammar is C's, and both round correctly.
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let out_of_range = match value {
        _ if value.is_nan() => return None,
        _ if value.is_infinite() => !text.last().is_some_and(u8::is_ascii_alphabetic),
        0.0 => {
            let mut mantissa = text.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
            mantissa.any(|byte| matches!(byte, b'1'..=b'9'))
        }
        _ => false,
    };
    Some(Parsed { value, out_of_range })
}

/// A hexadecimal number: `mantissa * 2^exponent`, and a bit more if `inexact`.
pub(super) struct Hexadecimal {
    pub(super) negative: bool,
    pub(super) mantissa: u128,
    pub(super) inexact: bool,
    pub(super) exponent: i64,
}

/// Exponents beyond this are out of range in every format, whatever the mantissa; sums of a few stay far from overflow.
const EXPONENT_LIMIT: i64 = 1 << 40;

impl Hexadecimal {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let [b'0', b'x' | b'X', body @ ..] = text else { return None };
        let mut number = Self { negative, mantissa: 0, inexact: false, exponent: 0 };
        let (mut digits, mut point) = (0usize, false);
        let mut at = 0;
        while let Some(&byte) = body.get(at) {
            if byte == b'.' && !point {
                point = true;
            } else if let Some(digit) = (byte as char).to_digit(16) {
                digits += 1;
                number.push_digit(u128::from(digit), point);
            } else {
                break;
            }
            at += 1;
        }
        if digits == 0 {
            return None;
        }
        match &body[at..] {
            [] => {}
            [b'p' | b'P', exponent @ ..] => number.exponent += parse_exponent(exponent)?,
            _ => return None,
        }
        Some(number)
    }

    fn push_digit(&mut self, digit: u128, after_point: bool) {
        if self.mantissa >> 124 == 0 {
            self.mantissa = self.mantissa << 4 | digit;
            self.exponent -= if after_point { 4 } else { 0 };
        } else {
            self.inexact |= digit != 0;
            self.exponent += if after_point { 0 } else { 4 };
        }
    }

    fn to_f64(&self) -> Parsed {
        const DOUBLE: Format = Format { precision: 53, exponent_min: -1074, exponent_end: 1024 };
        let sign = if self.negative { -1.0 } else { 1.0 };
        let rounded = DOUBLE.round(self.mantissa, self.inexact, self.exponent);
        let Some((mantissa, exponent)) = rounded else {
            return Parsed { value: sign * f64::INFINITY, out_of_range: true };
        };
        // Both factors and the product are exact: the rounding has been done.
        let power = match exponent {
            -1074..-1022 => f64::from_bits(1 << (exponent + 1074)),
            -1022..=1023 => f64::from_bits(((exponent + 1023) as u64) << 52),
            _ => 0.0,
        };
        Parsed { value: sign * (mantissa as f64 * power), out_of_range: mantissa == 0 && self.mantissa != 0 }
    }
}

/// The decimal digits of an exponent with an optional sign, held within [`EXPONENT_LIMIT`].
pub(super) fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size =
        digits.iter().fold(0i64, |sum, digit| (sum * 10 + i64::from(digit - b'0')).min(EXPONENT_LIMIT));
    Some(if negative { -size } else { size })
}

/// A binary floating-point format.
pub(super) struct Format {
    /// Bits of the mantissa.
    pub(super) precision: u32,
    /// The power of two that the last bit of the smallest number counts.
    pub(super) exponent_min: i64,
    /// The lowest power of two that is too large.
    pub(super) exponent_end: i64,
}

impl Format {
    /// The number of this format that is nearest to `mantissa * 2^exponent` (a bit above it if `inexact`), ties to
    /// even, as an exact mantissa and exponent; `None` on overflow. An inexact mantissa must have more bits than the
    /// format keeps.
    pub(super) fn round(&self, mantissa: u128, inexact: bool, exponent: i64) -> Option<(u64, i64)> {
        if mantissa == 0 {
            return Some((0, 0));
        }
        let bits = i64::from(128 - mantissa.leading_zeros());
        if exponent + bits > self.exponent_end {
            return None;
        }
        let dropped = (bits - i64::from(self.precision)).max(self.exponent_min - exponent);
        if dropped > bits {
            return Some((0, 0));
        }
        let (mut rounded, mut exponent) = (mantissa, exponent);
        if dropped > 0 {
            let lost = if dropped == 128 { mantissa } else { mantissa & ((1 << dropped) - 1) };
            let half = 1u128 << (dropped - 1);
            rounded = if dropped == 128 { 0 } else { mantissa >> dropped };
            exponent += dropped;
            if lost > half || (lost == half && (inexact || rounded & 1 == 1)) {
                rounded += 1;
            }
            if rounded >> self.precision != 0 {
                rounded >>= 1;
                exponent += 1;
            }
        }
        let bits = i64::from(128 - rounded.leading_zeros());
        if exponent + bits > self.exponent_end {
            return None;
        }
        Some((rounded as u64, if rounded == 0 { 0 } else { exponent }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_as_loosely_as_the_c_library_does() {
        for (text, weight) in [
            ("", Some(0.0)),
            ("\0x", Some(0.0)),
            ("7", Some(7.0)),
            (" \t7", Some(7.0)),
            ("007\0junk", Some(7.0)),
            ("0x10", Some(16.0)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("9223372036854775807", Some(9_223_372_036_854_775_807_f64)),
            (" ", None),
            ("7 ", None),
            ("nan", None),
            ("1e400", None),
            ("1e-310", None),
            ("a", None),
        ] {
            assert_eq!(parse_weight(text.as_bytes()), weight, "{text:?}");
        }
    }

    #[test]
    fn what_replies_print_reads_back() {
        for line in include_str!("../../../protocol/src/double_cases.txt").lines() {
            let (bits, text) = line.split_once('|').unwrap();
            let back = parse_f64(text.as_bytes()).unwrap();
            assert_eq!(back.to_bits(), u64::from_str_radix(bits, 16).unwrap(), "{text}");
        }
    }

    #[test]
    fn doubles_read_as_by_strtod() {
        for (text, value) in [
            ("0x1p3", Some(8.0)),
            ("0x.8", Some(0.5)),
            ("0x1.", Some(1.0)),
            ("0X1P+2", Some(4.0)),
            ("-0x1", Some(-1.0)),
            ("0xA.Bp0", Some(10.6875)),
            ("0x1e2", Some(482.0)),
            ("0x0p99999999999999999", Some(0.0)),
            ("0x1p-1074", Some(5e-324)),
            ("0x1.8p-1075", Some(5e-324)),
            ("0x1p-1075", None),
            ("0x1p1023", Some(8.98846567431158e307)),
            ("0x1p1024", None),
            ("0x1.fffffffffffff7p1023", Some(f64::MAX)),
            ("0x1.fffffffffffff8p1023", None),
            ("0x1.00000000000008p0", Some(1.0)),
            ("0x1.000000000000080000000000001p0", Some(1.0000000000000002)),
            ("inf", Some(f64::INFINITY)),
            ("+inf", Some(f64::INFINITY)),
            ("-INF", Some(f64::NEG_INFINITY)),
            ("Infinity", Some(f64::INFINITY)),
            ("+1", Some(1.0)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("00012", Some(12.0)),
            ("1E+05", Some(100000.0)),
            ("4.9e-324", Some(5e-324)),
            ("2.5e-324", Some(5e-324)),
            ("2.4e-324", None),
            ("1e-400", None),
            ("1e999", None),
            ("-1e999", None),
            ("0e999999999999999999", Some(0.0)),
            ("1e-9999999999999999999999", None),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), value, "{text:?}");
        }
        assert!(parse_f64(b"-0").unwrap().is_sign_negative());
        for text in [
            "", " ", " 1", "1 ", "\t1", "1\0", ".", "-", "+", "1e", "1e+", "e5", "++1", "+-1", "nan", "-nan",
            "nan(1)", "infinit", "0x", "0x.", "0x.p1", "0x1p", "0x1p1_", "0xg", "1,5", "1_0", "1f", "1e5x",
            "\u{b9}",
        ] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_f64(b"\xff1"), None);
    }

    #[test]
    fn limits_of_ranges_are_read_with_indulgence() {
        for (text, value) in [
            (&b""[..], Some(0.0)),
            (b"\x001", Some(0.0)),
            (b" 1\0x", Some(1.0)),
            (b"\t\n\x0b\x0c\r -2.5", Some(-2.5)),
            (b"1e999", Some(f64::INFINITY)),
            (b"-0x1p5000", Some(f64::NEG_INFINITY)),
            (b"1e-400", Some(0.0)),
            (b"-inf", Some(f64::NEG_INFINITY)),
            (b" ", None),
            (b"1 ", None),
            (b"nan", None),
            (b"1x", None),
            (b"0x", None),
        ] {
            assert_eq!(parse_score_limit(text), value, "{text:?}");
        }
    }
}
