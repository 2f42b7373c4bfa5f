//! The x87's 80-bit extended precision, in integer arithmetic: what the server's float increments are computed in.
//! On other processors the same numbers come out.

use super::big::Natural;
use super::float::{Format, Hexadecimal, parse_exponent};

const EXTENDED: Format = Format { precision: 64, exponent_min: -16445, exponent_end: 16384 };
/// Texts of this length and above are refused, in bytes.
const TEXT_END: usize = 5 * 1024;
/// Digits after the point that are printed.
const FRACTION_DIGITS: usize = 17;
const TEN_TO_SEVENTEEN: u128 = 100_000_000_000_000_000;

/// A number of the x87's extended format: 64 bits of mantissa, 15 of exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    class: Class,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// `mantissa * 2^exponent`; zero has the exponent zero.
    Finite {
        mantissa: u64,
        exponent: i64,
    },
    Infinite,
    NotANumber,
}

impl LongDouble {
    /// Zero.
    pub const ZERO: Self = Self::finite(false, 0, 0);

    /// The largest number that is not infinite.
    pub const MAX: Self = Self::finite(false, u64::MAX, 16320);

    const fn finite(negative: bool, mantissa: u64, exponent: i64) -> Self {
        Self { negative, class: Class::Finite { mantissa, exponent } }
    }

    /// Reads a number as `strtold` does: decimal or hexadecimal, `inf`, `infinity`. Refused are the empty text, 5,120
    /// bytes and more, spaces, NaN, anything after the number, and what overflows or underflows to zero. O(len) for
    /// up to 19 digits and small exponents, O(len squared) beyond.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if let Some(value) = super::parse_i64(text) {
            return Some(Self::from(value));
        }
        if text.len() >= TEXT_END {
            return None;
        }
        if let Some(number) = Hexadecimal::parse(text) {
            return Self::rounded(number.negative, number.mantissa, number.inexact, number.exponent);
        }
        Decimal::parse(text)?.value()
    }

    /// Whether this is neither infinite nor NaN.
    pub fn is_finite(self) -> bool {
        matches!(self.class, Class::Finite { .. })
    }

    /// How it compares with zero; NaN is taken for zero.
    pub fn sign(self) -> std::cmp::Ordering {
        use std::cmp::Ordering::{Equal, Greater, Less};
        match self.class {
            Class::Finite { mantissa: 0, .. } | Class::NotANumber => Equal,
            _ if self.negative => Less,
            _ => Greater,
        }
    }

    /// The number nearest to a positive `mantissa * 2^exponent`; `None` out of range.
    fn rounded(negative: bool, mantissa: u128, inexact: bool, exponent: i64) -> Option<Self> {
        let (rounded, exponent) = EXTENDED.round(mantissa, inexact, exponent)?;
        (rounded != 0 || mantissa == 0).then_some(Self::finite(negative, rounded, exponent))
    }

    /// Appends the number as `printf("%.17Lf")` prints it, without trailing zeros and without the sign of a zero;
    /// `inf`, `-inf` and `nan` otherwise. O(1) below 2^64, O(digits squared) above.
    pub fn format(self, out: &mut Vec<u8>) {
        let (mantissa, exponent) = match self.class {
            Class::Finite { mantissa, exponent } => (mantissa, exponent),
            Class::Infinite if self.negative => return out.extend_from_slice(b"-inf"),
            Class::Infinite => return out.extend_from_slice(b"inf"),
            Class::NotANumber => return out.extend_from_slice(b"nan"),
        };
        let start = out.len();
        if self.negative {
            out.push(b'-');
        }
        if exponent > 0 {
            let mut whole = Natural::from_u64(mantissa);
            whole.shift_left(exponent as u32);
            return whole.write_decimal(out);
        }
        let (mut whole, mut fraction) = split(mantissa, exponent.unsigned_abs());
        if fraction == TEN_TO_SEVENTEEN {
            (whole, fraction) = (whole + 1, 0);
        }
        if whole == 0 && fraction == 0 {
            out.truncate(start);
        }
        let mut text = itoa::Buffer::new();
        out.extend_from_slice(text.format(whole).as_bytes());
        if fraction > 0 {
            out.push(b'.');
            let digits = text.format(fraction as u64).as_bytes();
            out.extend(std::iter::repeat_n(b'0', FRACTION_DIGITS - digits.len()));
            out.extend_from_slice(digits);
            let kept = out.iter().rposition(|&byte| byte != b'0').map_or(0, |last| last + 1);
            out.truncate(kept);
        }
    }
}

/// The whole part of `mantissa / 2^shift`, and its fraction in units of 10^-17, rounded to nearest, ties to even. The
/// fraction may be a whole unit.
fn split(mantissa: u64, shift: u64) -> (u128, u128) {
    let shift = shift as u32;
    // Below 2^-63 the fraction is less than half a unit of 10^-17 long before the product stops fitting.
    if shift > 124 {
        return (0, 0);
    }
    let value = u128::from(mantissa);
    let whole = value >> shift;
    let scaled = (value & ((1 << shift) - 1)) * TEN_TO_SEVENTEEN;
    let (fraction, lost) = (scaled >> shift, scaled & ((1 << shift) - 1));
    let half = (1u128 << shift) >> 1;
    let up = lost > half || (shift > 0 && lost == half && fraction & 1 == 1);
    (whole, fraction + u128::from(up))
}

impl From<i64> for LongDouble {
    fn from(value: i64) -> Self {
        Self::finite(value < 0, value.unsigned_abs(), 0)
    }
}

impl std::ops::Neg for LongDouble {
    type Output = Self;

    fn neg(self) -> Self {
        Self { negative: !self.negative, ..self }
    }
}

impl std::ops::Add for LongDouble {
    type Output = Self;

    /// The sum, rounded to nearest, ties to even; infinite on overflow, NaN for infinities of two signs.
    fn add(self, other: Self) -> Self {
        match (self.class, other.class) {
            (Class::Finite { mantissa: 0, .. }, _) => other,
            (_, Class::Finite { mantissa: 0, .. }) => self,
            (
                Class::Finite { mantissa, exponent },
                Class::Finite { mantissa: mantissa2, exponent: exponent2 },
            ) => {
                let (lead, lead2) = (mantissa.leading_zeros(), mantissa2.leading_zeros());
                let one = (self.negative, mantissa << lead, exponent - i64::from(lead));
                let two = (other.negative, mantissa2 << lead2, exponent2 - i64::from(lead2));
                let swap = (two.2, two.1) > (one.2, one.1);
                if swap { add_aligned(two, one) } else { add_aligned(one, two) }
            }
            (Class::Infinite, Class::Infinite) if self.negative != other.negative => {
                Self { negative: false, class: Class::NotANumber }
            }
            (Class::NotANumber | Class::Infinite, _) => self,
            _ => other,
        }
    }
}

/// Adds two numbers (negative, mantissa with its highest bit set, exponent), the first not smaller in size.
fn add_aligned(large: (bool, u64, i64), small: (bool, u64, i64)) -> LongDouble {
    // 63 bits below the mantissa: one above for the carry, and enough below for the rounding to see what is lost.
    const ROOM: i64 = 63;
    let distance = large.2 - small.2;
    let base = u128::from(large.1) << ROOM;
    let full = u128::from(small.1) << ROOM;
    let (shifted, lost) = match u32::try_from(distance) {
        Ok(distance @ 0..=127) => (full >> distance, full & ((1u128 << distance) - 1) != 0),
        _ => (0, true),
    };
    let sum = if large.0 == small.0 { base + shifted } else { base - shifted - u128::from(lost) };
    match EXTENDED.round(sum, lost, large.2 - ROOM) {
        Some((0, _)) => LongDouble::ZERO,
        Some((mantissa, exponent)) => LongDouble::finite(large.0, mantissa, exponent),
        None => LongDouble { negative: large.0, class: Class::Infinite },
    }
}

/// A decimal literal, taken apart.
struct Decimal<'a> {
    negative: bool,
    /// Digits before and after the point, without the zeros that lead and trail the number.
    whole: &'a [u8],
    fraction: &'a [u8],
    /// The power of ten that the last digit counts.
    exponent: i64,
    infinite: bool,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (negative, body) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if body.eq_ignore_ascii_case(b"inf") || body.eq_ignore_ascii_case(b"infinity") {
            return Some(Self { negative, whole: &[], fraction: &[], exponent: 0, infinite: true });
        }
        let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (whole, mut rest) = body.split_at(digits(body));
        let mut fraction: &[u8] = &[];
        if let [b'.', after @ ..] = rest {
            (fraction, rest) = after.split_at(digits(after));
        }
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', exponent @ ..] => parse_exponent(exponent)?,
            _ => return None,
        };
        Some(Self { negative, whole, fraction, exponent, infinite: false }.trimmed())
    }

    fn trimmed(mut self) -> Self {
        let leading = |text: &[u8]| text.iter().take_while(|&&byte| byte == b'0').count();
        let trailing = |text: &[u8]| text.iter().rev().take_while(|&&byte| byte == b'0').count();
        self.whole = &self.whole[leading(self.whole)..];
        self.fraction = &self.fraction[..self.fraction.len() - trailing(self.fraction)];
        self.exponent -= self.fraction.len() as i64;
        if self.whole.is_empty() {
            self.fraction = &self.fraction[leading(self.fraction)..];
        }
        if self.fraction.is_empty() {
            let zeros = trailing(self.whole);
            self.whole = &self.whole[..self.whole.len() - zeros];
            self.exponent += zeros as i64;
        }
        self
    }

    fn digits(&self) -> impl Iterator<Item = u8> {
        self.whole.iter().chain(self.fraction).map(|digit| digit - b'0')
    }

    fn value(&self) -> Option<LongDouble> {
        /// Five to this power is below 2^63.
        const SMALL_EXPONENT: i64 = 27;
        if self.infinite {
            return Some(LongDouble { negative: self.negative, class: Class::Infinite });
        }
        let count = self.whole.len() + self.fraction.len();
        if count == 0 {
            return Some(LongDouble::finite(self.negative, 0, 0));
        }
        // Far outside of the format, whatever the digits: this bounds the size of what follows.
        if !(-4970..=4950).contains(&(self.exponent + count as i64)) {
            return None;
        }
        let (mantissa, inexact, exponent) =
            if count <= 19 && (-SMALL_EXPONENT..=SMALL_EXPONENT).contains(&self.exponent) {
                self.scaled_small()
            } else {
                self.scaled_big()
            };
        LongDouble::rounded(self.negative, mantissa, inexact, exponent)
    }

    /// At least 65 bits of the value, whether there is more, and the power of two.
    fn scaled_small(&self) -> (u128, bool, i64) {
        let digits = self.digits().fold(0u64, |sum, digit| sum * 10 + u64::from(digit));
        let power = 5u128.pow(self.exponent.unsigned_abs() as u32);
        if self.exponent >= 0 {
            return (u128::from(digits) * power, false, self.exponent);
        }
        let shift = u128::from(digits).leading_zeros();
        let shifted = u128::from(digits) << shift;
        (shifted / power, shifted % power != 0, self.exponent - i64::from(shift))
    }

    /// The same, for any number of digits and any exponent.
    fn scaled_big(&self) -> (u128, bool, i64) {
        let mut digits = Natural::from_digits(self.digits());
        let power = self.exponent.unsigned_abs() as u32;
        if self.exponent >= 0 {
            digits.multiply_power_of_five(power);
            let (mantissa, shift, inexact) = digits.top();
            return (mantissa, inexact, self.exponent + i64::from(shift));
        }
        let mut divisor = Natural::from_u64(1);
        divisor.multiply_power_of_five(power);
        let (mantissa, shift, inexact) = digits.divide(divisor);
        (mantissa, inexact, self.exponent - shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What INCRBYFLOAT answers for a value and an increment.
    fn increment(value: &str, by: &str) -> String {
        let (Some(value), Some(by)) = (LongDouble::parse(value.as_bytes()), LongDouble::parse(by.as_bytes()))
        else {
            return "invalid".into();
        };
        let sum = value + by;
        if !sum.is_finite() {
            return "overflow".into();
        }
        let mut text = Vec::new();
        sum.format(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn sums_are_the_recorded_ones() {
        let recorded = include_str!("long_double_cases.txt");
        let mut count = 0;
        for line in recorded.lines() {
            let [value, by, sum] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
            assert_eq!(increment(value, by), sum, "{value} + {by}");
            count += 1;
        }
        assert!(count > 300, "{count} cases");
    }

    #[test]
    fn limits_of_the_format() {
        assert_eq!(LongDouble::parse(&[b'1'; 5120]), None);
        assert_eq!(LongDouble::parse(&[b'0'; 5120]), None);
        assert_eq!(LongDouble::parse(&[b'0'; 5119]), Some(LongDouble::ZERO));
        let infinite = LongDouble::parse(b"inf").unwrap();
        let negative = LongDouble::parse(b"-Infinity").unwrap();
        assert!(!infinite.is_finite() && !(infinite + negative).is_finite());
        assert_eq!(infinite + LongDouble::from(3), infinite);
        assert_eq!(LongDouble::from(3) + negative, negative);
        let mut text = Vec::new();
        for value in [infinite, negative, infinite + negative] {
            value.format(&mut text);
            text.push(b' ');
        }
        assert_eq!(text, b"inf -inf nan ");
        let largest = LongDouble::parse(b"0x1.fffffffffffffffep16383").unwrap();
        assert!(largest.is_finite() && !(largest + largest).is_finite());
    }

    #[test]
    fn large_numbers_print_all_digits() {
        let mut text = Vec::new();
        LongDouble::parse(b"1e30").unwrap().format(&mut text);
        assert_eq!(text, b"1000000000000000000024696061952");
    }
}
