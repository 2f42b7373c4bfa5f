//! Natural numbers of any size, for the rare numbers of so many digits, or so far from one, that 128 bits do not hold
//! the exact steps of a conversion.

/// A natural number: base 2^32 digits, lowest first, without leading zeros.
#[derive(Clone)]
pub(super) struct Natural(Vec<u32>);

const TEN_TO_NINE: u32 = 1_000_000_000;
const FIVE_TO_THIRTEEN: u32 = 1_220_703_125;

impl Natural {
    /// The number written by decimal `digits`, values 0 to 9. O(len squared).
    pub(super) fn from_digits(digits: impl Iterator<Item = u8>) -> Self {
        let mut number = Self(Vec::new());
        let (mut chunk, mut scale) = (0u32, 1u32);
        for digit in digits {
            chunk = chunk * 10 + u32::from(digit);
            scale *= 10;
            if scale == TEN_TO_NINE {
                number.multiply_add(scale, chunk);
                (chunk, scale) = (0, 1);
            }
        }
        number.multiply_add(scale, chunk);
        number
    }

    pub(super) fn from_u64(value: u64) -> Self {
        let mut number = Self(vec![value as u32, (value >> 32) as u32]);
        number.trim();
        number
    }

    /// The number multiplied by 5 to the power of `exponent`.
    pub(super) fn multiply_power_of_five(&mut self, mut exponent: u32) {
        while exponent >= 13 {
            self.multiply_add(FIVE_TO_THIRTEEN, 0);
            exponent -= 13;
        }
        self.multiply_add(5u32.pow(exponent), 0);
    }

    pub(super) fn bits(&self) -> u32 {
        self.0.last().map_or(0, |top| self.0.len() as u32 * 32 - top.leading_zeros())
    }

    pub(super) fn shift_left(&mut self, bits: u32) {
        if self.0.is_empty() {
            return;
        }
        let (limbs, bits) = ((bits / 32) as usize, bits % 32);
        if bits > 0 {
            self.multiply_add(1 << bits, 0);
        }
        self.0.splice(0..0, std::iter::repeat_n(0, limbs));
    }

    /// The highest 128 bits, the power of two they count, and whether any bit below them is set.
    pub(super) fn top(&self) -> (u128, u32, bool) {
        let shift = self.bits().saturating_sub(128);
        let (skip, rest) = ((shift / 32) as usize, shift % 32);
        let limb = |at: usize| u128::from(self.0.get(skip + at).copied().unwrap_or(0));
        let low = limb(0) | limb(1) << 32 | limb(2) << 64 | limb(3) << 96;
        let value = if rest == 0 { low } else { low >> rest | limb(4) << (128 - rest) };
        let below = self.0[..skip.min(self.0.len())].iter().any(|&limb| limb != 0);
        (value, shift, below || (limb(0) & ((1 << rest) - 1)) != 0)
    }

    /// `floor(self * 2^shift / divisor)` of 66 or 67 bits, `shift`, and whether there is a remainder.
    pub(super) fn divide(mut self, mut divisor: Self) -> (u128, i64, bool) {
        const QUOTIENT_BITS: u32 = 66;
        let shift = i64::from(QUOTIENT_BITS) + i64::from(divisor.bits()) - i64::from(self.bits());
        if shift > 0 {
            self.shift_left(shift as u32);
        } else {
            divisor.shift_left(shift.unsigned_abs() as u32);
        }
        divisor.shift_left(QUOTIENT_BITS);
        let mut quotient = 0u128;
        for _ in 0..=QUOTIENT_BITS {
            quotient <<= 1;
            if self.at_least(&divisor) {
                self.subtract(&divisor);
                quotient |= 1;
            }
            divisor.halve();
        }
        (quotient, shift, !self.0.is_empty())
    }

    /// Appends the decimal digits. O(len squared).
    pub(super) fn write_decimal(mut self, out: &mut Vec<u8>) {
        let mut chunks = Vec::with_capacity(self.0.len() + self.0.len() / 8 + 1);
        while !self.0.is_empty() {
            let mut remainder = 0u64;
            for limb in self.0.iter_mut().rev() {
                let value = remainder << 32 | u64::from(*limb);
                *limb = (value / u64::from(TEN_TO_NINE)) as u32;
                remainder = value % u64::from(TEN_TO_NINE);
            }
            chunks.push(remainder as u32);
            self.trim();
        }
        let mut text = itoa::Buffer::new();
        out.extend_from_slice(text.format(chunks.pop().unwrap_or(0)).as_bytes());
        for chunk in chunks.into_iter().rev() {
            let digits = text.format(chunk).as_bytes();
            out.extend(std::iter::repeat_n(b'0', 9 - digits.len()));
            out.extend_from_slice(digits);
        }
    }

    fn multiply_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for limb in &mut self.0 {
            let value = u64::from(*limb) * u64::from(factor) + carry;
            *limb = value as u32;
            carry = value >> 32;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn at_least(&self, other: &Self) -> bool {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())).is_ge()
    }

    /// Takes `other`, which must not be larger, away.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (at, limb) in self.0.iter_mut().enumerate() {
            let (value, first) = limb.overflowing_sub(other.0.get(at).copied().unwrap_or(0));
            let (value, second) = value.overflowing_sub(u32::from(borrow));
            *limb = value;
            borrow = first | second;
        }
        debug_assert!(!borrow);
        self.trim();
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for limb in self.0.iter_mut().rev() {
            let low = *limb << 31;
            *limb = *limb >> 1 | carry;
            carry = low;
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn natural(text: &str) -> Natural {
        Natural::from_digits(text.bytes().map(|digit| digit - b'0'))
    }

    fn text(number: Natural) -> String {
        let mut out = Vec::new();
        number.write_decimal(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimal_digits_come_back() {
        let long = "1000000000000000000000000000000000000000023000000000456";
        for digits in ["0", "1", "4294967296", "999999999", "1000000000", "18446744073709551616", long] {
            assert_eq!(text(natural(digits)), digits);
        }
        assert_eq!(text(Natural::from_u64(u64::MAX)), u64::MAX.to_string());
    }

    #[test]
    fn shifts_and_powers() {
        let mut number = natural("3");
        number.shift_left(97);
        assert_eq!(text(number.clone()), (3u128 << 97).to_string());
        assert_eq!(number.bits(), 99);
        number.multiply_power_of_five(0);
        assert_eq!(number.top(), (3 << 97, 0, false));
        number.shift_left(30);
        assert_eq!(number.top(), (3 << 126, 1, false));
        number.multiply_add(1, 1);
        assert_eq!(number.top(), (3 << 126, 1, true));
        let mut fives = Natural::from_u64(1);
        fives.multiply_power_of_five(40);
        assert_eq!(text(fives), 5u128.pow(40).to_string());
    }

    #[test]
    fn quotients() {
        for (dividend, divisor) in [(1u64, 3u64), (7, 7), (u64::MAX, 10), (1, u64::MAX), (u64::MAX, 1)] {
            let (quotient, shift, rest) = Natural::from_u64(dividend).divide(Natural::from_u64(divisor));
            assert!((1 << 65..1 << 67).contains(&quotient), "{dividend} / {divisor}: {quotient}");
            let expected = if shift < 64 {
                let shifted = u128::from(dividend) << shift;
                (shifted / u128::from(divisor), shifted % u128::from(divisor) != 0)
            } else {
                // Only whether the quotient is near is known without wide arithmetic; the remainder is checked.
                let exact = dividend as f64 / divisor as f64 * 2f64.powi(shift as i32);
                assert!((quotient as f64 / exact - 1.0).abs() < 1e-15);
                (quotient, !(u128::from(divisor)).is_power_of_two() && dividend % divisor != 0)
            };
            assert_eq!((quotient, rest), expected);
        }
    }
}
