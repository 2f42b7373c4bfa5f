//! Numbers as the configuration writes them.

/// A plain decimal integer: no blanks, no `+`, no leading zeros.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    if text == b"0" {
        return Some(0);
    }
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if !matches!(digits.first(), Some(b'1'..=b'9')) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// An amount of memory in bytes: digits and an optional unit, `k` being 1000 and `kb` 1024. The product wraps.
pub(crate) fn memory(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let factor: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    if digits.len() >= 128 {
        return None;
    }
    // No digits are zero, and what does not fit is the greatest number: so says C's strtoull.
    let value = digits.iter().try_fold(0_u64, |value, digit| {
        value.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit - b'0')))
    });
    Some(value.unwrap_or(u64::MAX).wrapping_mul(factor))
}

/// A number as C's `strtoll` reads it, provided that nothing follows it: blanks and a sign may come first, what does
/// not fit saturates, and the empty text is zero.
pub(super) fn lenient(text: &[u8], base: u8) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let start = text.iter().position(|byte| !matches!(byte, b' ' | 0x09..=0x0d))?;
    let (negative, digits) = match text[start..].split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, &text[start..]),
    };
    if digits.is_empty() || !digits.iter().all(|digit| (b'0'..b'0' + base).contains(digit)) {
        return None;
    }
    let value = digits.iter().try_fold(0_i64, |value, digit| {
        let digit = i64::from(digit - b'0');
        let value = value.checked_mul(i64::from(base))?;
        if negative { value.checked_sub(digit) } else { value.checked_add(digit) }
    });
    Some(value.unwrap_or(if negative { i64::MIN } else { i64::MAX }))
}

/// Bytes with the largest unit that divides them, for the file.
pub(super) fn format_memory(bytes: i128) -> String {
    for (shift, unit) in [(30, "gb"), (20, "mb"), (10, "kb")] {
        if bytes != 0 && bytes % (1 << shift) == 0 {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    bytes.to_string()
}

/// Six decimals without the zeros at the end.
pub(super) fn format_double(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_integers() {
        for (text, value) in [
            ("0", Some(0)),
            ("-7", Some(-7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("+1", None),
            ("01", None),
            (" 1", None),
            ("1 ", None),
        ] {
            assert_eq!(integer(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn memory_units() {
        for (text, value) in [
            ("100", Some(100)),
            ("1k", Some(1000)),
            ("1Kb", Some(1024)),
            ("2GB", Some(2 << 30)),
            ("7b", Some(7)),
            ("", Some(0)),
            ("mb", Some(0)),
            ("-1", None),
            ("1 mb", None),
            ("1tb", None),
            ("18446744073709551616", Some(u64::MAX)),
            ("18446744073709551615kb", Some(u64::MAX.wrapping_mul(1024))),
        ] {
            assert_eq!(memory(text.as_bytes()), value, "{text:?}");
        }
        assert_eq!(format_memory(3 << 30), "3gb");
        assert_eq!(format_memory(1536), "1536");
        assert_eq!(format_memory(5 << 10), "5kb");
        assert_eq!(format_memory(0), "0");
    }

    #[test]
    fn lenient_numbers() {
        for (text, base, value) in [
            ("", 10, Some(0)),
            (" +12", 10, Some(12)),
            ("-12", 10, Some(-12)),
            ("12 ", 10, None),
            ("-", 10, None),
            ("x", 10, None),
            ("777", 8, Some(0o777)),
            ("8", 8, None),
            ("99999999999999999999", 10, Some(i64::MAX)),
            ("-99999999999999999999", 10, Some(i64::MIN)),
        ] {
            assert_eq!(lenient(text.as_bytes(), base), value, "{text:?}");
        }
        assert_eq!(format_double(99.9), "99.9");
        assert_eq!(format_double(50.0), "50");
        assert_eq!(format_double(0.0), "0");
    }
}
