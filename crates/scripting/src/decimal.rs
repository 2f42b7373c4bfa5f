//! Numbers as C's `%.14g` prints them, where that takes no long arithmetic.

use std::mem::MaybeUninit;

/// Bytes that are enough for all that is written here.
pub(crate) const BYTES_MAX: usize = 24;

/// What has so many digits or more is printed otherwise.
const LIMIT: f64 = 1e14;

/// Writes a number and returns its length; 0, with anything written, if that is left to C.
///
/// A number with a fraction is written only if it is the one that is nearest to some decimal fraction of at most 14
/// digits. It differs from that by less than a hundredth of the distance between two such fractions, so it is the one
/// that `%.14g` rounds to.
#[inline]
pub(crate) fn write(value: f64, to: &mut [MaybeUninit<u8>; BYTES_MAX]) -> usize {
    let size = value.abs();
    if size >= LIMIT || size.is_nan() {
        return 0;
    }
    let negative = value.is_sign_negative();
    if negative {
        set(to, 0, b'-');
    }
    let at = usize::from(negative);
    let whole = size as u64;
    if whole as f64 == size {
        return write_integer(whole, to, at);
    }
    write_fraction(size, to, at)
}

/// Digits behind the point that are tried, and ten to their power.
const SCALES: [(usize, f64); 5] = [(2, 1e2), (4, 1e4), (6, 1e6), (9, 1e9), (12, 1e12)];

#[inline(never)]
fn write_fraction(size: f64, to: &mut [MaybeUninit<u8>; BYTES_MAX], at: usize) -> usize {
    // Below this there is an exponent.
    if size < 1e-4 {
        return 0;
    }
    for (digits, scale) in SCALES {
        let scaled = (size * scale + 0.5) as u64 as f64;
        if scaled >= LIMIT {
            return 0;
        }
        if scaled / scale == size {
            let (mut all, scale) = (scaled as u64, scale as u64);
            let mut end = write_integer(all / scale, to, at);
            set(to, end, b'.');
            end += digits;
            all %= scale;
            let (mut position, mut significant) = (end, false);
            let start = end - digits;
            end = start;
            while position > start {
                let digit = (all % 10) as u8;
                all /= 10;
                significant |= digit != 0;
                if significant {
                    set(to, position, b'0' + digit);
                    end = end.max(position);
                }
                position -= 1;
            }
            return end + 1;
        }
    }
    0
}

/// Writes the digits of a number below [`LIMIT`] from `at` on, which is 0 or 1; returns their end.
#[inline(always)]
fn write_integer(value: u64, to: &mut [MaybeUninit<u8>; BYTES_MAX], at: usize) -> usize {
    const EIGHT: u64 = 100_000_000;
    if value < EIGHT {
        return write_short(value, to, at);
    }
    let end = write_short(value / EIGHT, to, at);
    put(to, end, eight_digits(value % EIGHT) | ASCII);
    end + 8
}

/// Writes up to eight digits.
#[inline(always)]
fn write_short(value: u64, to: &mut [MaybeUninit<u8>; BYTES_MAX], at: usize) -> usize {
    let digits = eight_digits(value);
    // The last one counts even if it is zero.
    let zeros = (digits | 1 << 56).trailing_zeros() / 8;
    put(to, at, (digits | ASCII) >> (8 * zeros));
    at + 8 - zeros as usize
}

const ASCII: u64 = 0x3030_3030_3030_3030;

/// The digits of a number of at most eight, the first in the lowest byte: halves, pairs and digits are told apart by
/// multiplying several of them at once.
#[inline(always)]
const fn eight_digits(value: u64) -> u64 {
    let halves = (value / 10_000) | ((value % 10_000) << 32);
    // A 100th, by 10486 / 2^20.
    let hundreds = ((halves * 10_486) >> 20) & 0x7f_0000_007f;
    let pairs = hundreds | ((halves - hundreds * 100) << 16);
    // A tenth, by 103 / 2^10.
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((pairs - tens * 10) << 8)
}

#[inline(always)]
fn put(to: &mut [MaybeUninit<u8>; BYTES_MAX], at: usize, bytes: u64) {
    if let Some(place) = to.get_mut(at..).and_then(<[_]>::first_chunk_mut::<8>) {
        // SAFETY: there is room for as many.
        unsafe { place.as_mut_ptr().cast::<[u8; 8]>().write(bytes.to_le_bytes()) };
    }
}

#[inline(always)]
fn set(to: &mut [MaybeUninit<u8>; BYTES_MAX], at: usize, byte: u8) {
    if let Some(place) = to.get_mut(at) {
        place.write(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(value: f64) -> Option<String> {
        let mut text = [MaybeUninit::new(0); BYTES_MAX];
        let len = write(value, &mut text);
        // SAFETY: all of it was written.
        let text = text.map(|byte| unsafe { byte.assume_init() });
        (len > 0).then(|| String::from_utf8(text[..len].to_vec()).unwrap())
    }

    fn of_c(value: f64) -> String {
        let mut text = [0_u8; 64];
        // SAFETY: the text has its size, and the format takes a double.
        let len = unsafe { libc::snprintf(text.as_mut_ptr().cast(), 64, c"%.14g".as_ptr(), value) };
        String::from_utf8(text[..len as usize].to_vec()).unwrap()
    }

    /// Whether it was written here; if so, as C writes it.
    fn check(value: f64) -> bool {
        let ours = ours(value);
        if let Some(text) = &ours {
            assert_eq!(*text, of_c(value), "{value:e} {:x}", value.to_bits());
        }
        ours.is_some()
    }

    #[test]
    fn all_short_numbers_have_their_digits() {
        for value in (0..100_000_u64).chain((0..100_000_000).step_by(997)) {
            let digits = eight_digits(value) | ASCII;
            assert_eq!(String::from_utf8(digits.to_le_bytes().to_vec()).unwrap(), format!("{value:08}"));
        }
    }

    #[test]
    fn usual_numbers_are_written_here() {
        for text in [
            "0",
            "-0",
            "1",
            "-1",
            "9",
            "10",
            "99",
            "100",
            "12345",
            "99999999999999",
            "-99999999999999",
            "0.5",
            "-0.5",
            "0.1",
            "12.99",
            "1700000000.123",
            "0.0001",
            "3.14159265",
            "-273.15",
            "99.999999",
            "0.000123",
        ] {
            assert!(check(text.parse().unwrap()), "{text}");
        }
        for text in ["1e14", "1e300", "0.00001", "5e-324", "inf", "-inf", "nan", "0.333333333333333333"] {
            assert!(!check(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn whatever_is_written_here_is_what_c_writes() {
        let seed =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        println!("seed {seed}");
        let mut state = seed | 1;
        let mut next = move || {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d)
        };
        let mut written = 0;
        for _ in 0..300_000 {
            let random = next();
            let digits = 10_f64.powi((next() % 16) as i32);
            let near = (random % 10_u64.pow((next() % 16) as u32)) as f64 / digits;
            // A decimal fraction, its neighbours, integers and any bits at all.
            let near_bits = near.to_bits() as i64 + (next() % 7) as i64 - 3;
            for value in
                [near, -near, f64::from_bits(near_bits.max(0) as u64), near.trunc(), f64::from_bits(random)]
            {
                written += usize::from(check(value));
            }
        }
        assert!(written > 300_000, "{written}");
    }
}
