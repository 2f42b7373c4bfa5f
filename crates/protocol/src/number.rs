//! Floating point numbers as Redis prints them in replies.

use std::io::Write;

/// Appends `value` as C's `%.17g` does, with `inf`, `-inf` and `nan` spelled as Redis spells them.
pub fn format_double(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(if value.is_sign_negative() { b"-nan" } else { b"nan" });
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
        return;
    }
    // A whole number of up to 17 digits prints as an integer in %.17g too: times in microseconds are such.
    if value.abs() < 1e17 && value.trunc() == value && !(value == 0.0 && value.is_sign_negative()) {
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(digits.format(value as i64).as_bytes());
        return;
    }
    format_17g(value, out);
}

/// Room for what [`format_fixed`] writes.
pub(crate) const FIXED_DOUBLE_MAX: usize = 340;

/// `value` as C's `%.17f` prints it, without trailing zeros and without the sign of a zero.
pub(crate) fn format_fixed(value: f64, buffer: &mut [u8; FIXED_DOUBLE_MAX]) -> &[u8] {
    let mut rest = &mut buffer[..];
    // A sign, at most 309 digits, a point and 17 more digits fit.
    let _ = write!(rest, "{value:.17}");
    let len = FIXED_DOUBLE_MAX - rest.len();
    let text = &buffer[..len];
    let text = if text.contains(&b'.') {
        let kept = text.iter().rposition(|&byte| byte != b'0').map_or(0, |last| last + 1);
        let text = &text[..kept];
        text.strip_suffix(b".").unwrap_or(text)
    } else {
        text
    };
    if text == b"-0" { b"0" } else { text }
}

/// `%.17g` of a finite number, from Rust's exact scientific form with sixteen digits after the point.
fn format_17g(value: f64, out: &mut Vec<u8>) {
    let mut text = [0u8; 32];
    let mut cursor = &mut text[..];
    // 1 sign, 1 digit, a point, 16 digits and at most 5 of exponent fit in 32 bytes.
    let _ = write!(cursor, "{value:.16e}");
    let len = 32 - cursor.len();
    let text = &text[..len];
    let Some(e_at) = text.iter().position(|&b| b == b'e') else { return };
    let (mantissa, exponent) = (&text[..e_at], &text[e_at + 1..]);
    let exponent: i32 = std::str::from_utf8(exponent).ok().and_then(|e| e.parse().ok()).unwrap_or(0);
    let (negative, mantissa) = match mantissa.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let mut digits = [b'0'; 17];
    for (slot, digit) in digits.iter_mut().zip(mantissa.iter().filter(|&&b| b != b'.')) {
        *slot = *digit;
    }
    let significant = digits.iter().rposition(|&b| b != b'0').map_or(1, |at| at + 1);
    let digits = &digits[..significant];
    if negative {
        out.push(b'-');
    }
    if (-4..17).contains(&exponent) {
        write_plain(digits, exponent, out);
    } else {
        out.push(digits[0]);
        if significant > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.push(b'e');
        out.push(if exponent < 0 { b'-' } else { b'+' });
        // At least two digits, as C prints them. Writing to a Vec does not fail.
        let _ = write!(out, "{:02}", exponent.unsigned_abs());
    }
}

fn write_plain(digits: &[u8], exponent: i32, out: &mut Vec<u8>) {
    if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
        out.extend_from_slice(digits);
        return;
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
    } else {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_c_prints_them() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-3.0, "-3"),
            (3.1, "3.1000000000000001"),
            (0.1, "0.10000000000000001"),
            (1.5, "1.5"),
            (1e20, "1e+20"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123456789012345680000.0, "1.2345678901234568e+20"),
            (1e-5, "1.0000000000000001e-05"),
            (0.0001, "0.0001"),
            (5e-324, "4.9406564584124654e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "-nan"),
        ];
        for (value, expected) in cases {
            let mut out = Vec::new();
            format_double(value, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn whole_numbers_print_as_their_digits_say() {
        let texts = |value: f64| {
            let (mut short, mut long) = (Vec::new(), Vec::new());
            format_double(value, &mut short);
            format_17g(value, &mut long);
            (String::from_utf8(short).unwrap(), String::from_utf8(long).unwrap())
        };
        let mut random = 1_u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // Of all lengths, some of them just beyond what is printed as an integer.
            let value = ((random >> 7) >> (random % 57)) as f64;
            for value in [value, -value, value.next_up().trunc()] {
                let (short, long) = texts(value);
                assert_eq!(short, long, "{value:e}");
            }
        }
        let (short, long) = texts(1e17_f64.next_down());
        assert_eq!((short.as_str(), long.as_str()), ("99999999999999984", "99999999999999984"));
    }

    #[test]
    fn doubles_print_as_recorded_from_printf() {
        let mut count = 0;
        for line in include_str!("double_cases.txt").lines() {
            let (bits, text) = line.split_once('|').unwrap();
            let value = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
            let mut out = Vec::new();
            format_double(value, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), text, "{value:?}");
            count += 1;
        }
        assert!(count > 150, "{count} cases");
    }
}
